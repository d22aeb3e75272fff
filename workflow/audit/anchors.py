"""Anchors: the head of the chain, signed, outside the database. Whoever rewrites, shortens or replaces the database meets them again.

A holder is a folder with one append-only file a month, one JSON object a line, and a signed head for each day under daily/.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson

from workflow.audit.chain import Head, moment_text
from workflow.audit.models import CHAIN
from workflow.audit.seal import Signer, signed_by
from workflow.clock import business_date
from workflow.errors import BadInput

DAILY = "daily"
SUFFIX = ".anchors"


@dataclass(frozen=True)
class Anchor:
    """One signed head: the entry's number and hash, when it was written down, by which key. `source`: the file it was read from.

    `restart`: declared after the database was restored from a backup: earlier anchors beyond this entry tell of entries that
    the restore has lost, and accuse nobody.
    """

    seq: int
    hash: str
    at: str
    public_key: str
    signature: str
    chain: str = CHAIN
    on: str = ""
    source: str = ""
    restart: bool = False

    @property
    def facts(self) -> list[Any]:
        """What the signature covers."""
        return ["restart" if self.restart else "anchor", self.chain, self.seq, self.hash, self.at, self.on]

    def genuine(self, public_key: str) -> bool:
        """Whether the platform's own key signed it."""
        return self.public_key == public_key and signed_by(public_key, self.facts, self.signature)

    def as_json(self) -> dict[str, Any]:
        """The object that stands in the files."""
        names = ("chain", "seq", "hash", "at", "on", "restart", "public_key", "signature")
        return {name: getattr(self, name) for name in names}


def make_anchor(head: Head, now: datetime, signer: Signer, on: date | None = None, *, restart: bool = False) -> Anchor:
    """The head as an anchor; `on` for the signed head of a business date, `restart` where the chain goes on from a restore."""
    bare = Anchor(
        head.seq, head.hash, moment_text(now), signer.public_key, "", on=on.isoformat() if on else "", restart=restart
    )
    return Anchor(**{**bare.__dict__, "signature": signer.sign(bare.facts)})


def write_anchor(holder: Path, anchor: Anchor) -> Path:
    """Append an anchor to the month's file of a holder and bring it to the disk. Raises OSError."""
    holder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = holder / f"{anchor.at[:7]}{SUFFIX}"
    line = orjson.dumps(anchor.as_json()) + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(f"short write to {path}")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path


def write_daily(holder: Path, anchor: Anchor) -> None:
    """Keep the signed head of a business date as a file of its own; one that is there stays as it is."""
    folder = holder / DAILY
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{anchor.on}.json"
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(anchor.as_json(), option=orjson.OPT_INDENT_2))
        os.replace(fresh, path)


def daily_due(holder: Path, now: datetime) -> date | None:
    """The business date whose signed head has still to be written: that of now, once a day."""
    today = business_date(now)
    return None if (holder / DAILY / f"{today}.json").exists() else today


def daily_heads(holder: Path, limit: int = 400) -> list[str]:
    """The business dates with a signed head, newest first."""
    return sorted((path.stem for path in (holder / DAILY).glob("*.json")), reverse=True)[:limit]


def lost_anchors(holders: Sequence[Path]) -> list[Path]:
    """The holders without a single anchor while another has some: made with it, they have lost theirs."""
    empty = [holder for holder in holders if next(holder.glob(f"*{SUFFIX}"), None) is None]
    return empty if len(empty) < len(holders) else []


def last_anchor(holder: Path) -> Anchor | None:
    """The last anchor that a holder has; None for none or an unreadable one."""
    for path in sorted(holder.glob(f"*{SUFFIX}"), reverse=True):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().strip().splitlines()
        if lines:
            try:
                return _anchor(lines[-1], path)
            except BadInput:
                return None
    return None


def read_anchors(paths: Iterable[Path]) -> Iterator[Anchor]:
    """Every anchor of these files and of the holders among them. Raises BadInput naming file and line."""
    for path in paths:
        if path.is_dir():
            yield from read_anchors(sorted([*path.glob(f"*{SUFFIX}"), *(path / DAILY).glob("*.json")]))
            continue
        if not path.is_file():
            raise BadInput(f"没有锚点文件 {path}")
        if path.suffix == ".json":
            yield _anchor(path.read_bytes(), path)
            continue
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _anchor(line, path, number)


def _anchor(text: bytes, path: Path, line: int = 1) -> Anchor:
    try:
        told = orjson.loads(text)
        return Anchor(
            int(told["seq"]), str(told["hash"]), str(told["at"]), str(told["public_key"]), str(told["signature"]),
            str(told["chain"]), str(told.get("on", "")), path.name, bool(told.get("restart")),
        )  # fmt: skip
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise BadInput(f"锚点文件 {path.name} 第 {line} 行不是锚点") from None


def newest(anchors: Sequence[Anchor]) -> Anchor | None:
    """The anchor furthest on in the chain."""
    return max(anchors, key=lambda anchor: anchor.seq, default=None)
