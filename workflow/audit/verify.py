"""Verification: walks the chain against itself, its head, its checkpoint and its anchors. Reads only, in pieces of one snapshot.

By itself the chain shows changed columns, deleted, inserted and swapped entries. What was rewritten with the key in hand, cut off at
the end or taken from an old copy of the database is consistent in itself: only anchors outside show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import String, func, select, type_coerce
from sqlalchemy.orm import Session

from workflow.audit.anchors import Anchor
from workflow.audit.chain import COVERED, GENESIS, Head, canonical, head, moment_text
from workflow.audit.models import CHECKPOINT, ROW
from workflow.audit.seal import Ring, ring, signed_by

PIECE = 5000  # entries read at once
TOLD = 100  # problems told; further ones are counted
AT, KEY_ID, PREV = COVERED.index("at"), COVERED.index("key_id"), COVERED.index("prev_hash")
SAYS = {
    "content": "第 {seq} 行的内容与封签不符",
    "link": "第 {seq} 行与上一行不相衔接",
    "gap": "第 {seq} 行起缺行",
    "extra": "第 {seq} 行早于检查点，不应存在",
    "head": "链头与最后一行（第 {seq} 行）不符",
    "anchor": "第 {seq} 行与库外锚点不符",
    "truncated": "锚点记有第 {seq} 行，库中没有：末尾被截去，或换成了旧库",
    "signature": "锚点（第 {seq} 行）的签名不是本平台所签",
    "checkpoint": "检查点（第 {seq} 行）的签名无效",
}


class Problem(NamedTuple):
    """One thing that does not hold, at which entry."""

    seq: int
    kind: str
    source: str = ""

    @property
    def says(self) -> str:
        """The sentence for it."""
        return SAYS[self.kind].format(seq=self.seq) + (f"（{self.source}）" if self.source else "")


@dataclass
class Verification:
    """What a walk found. `rows` entries walked from `start`; `head` the last of them; `anchored_to` the furthest anchor that held.

    `restarts`: moment and entry of each declared restore; `lost_to`: the furthest entry that restores have lost (0: none).
    """

    rows: int = 0
    start: int = 0
    head: int = 0
    anchors: int = 0
    anchored_to: Anchor | None = None
    problems: list[Problem] = field(default_factory=list)
    found: int = 0
    most: int = TOLD
    restarts: list[tuple[str, int]] = field(default_factory=list)
    lost_to: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.found

    def add(self, seq: int, kind: str, source: str = "") -> None:
        """Note a problem."""
        self.found += 1
        if len(self.problems) < self.most:
            self.problems.append(Problem(seq, kind, source))

    def brief(self) -> dict[str, Any]:
        """The figures alone, for the entry that tells of the walk."""
        told = self.as_json()
        to = told["anchored_to"]
        figures = {name: told[name] for name in ("ok", "rows", "first_bad", "head", "anchors", "problems_found")}
        return figures | {"anchored_to": to and to["seq"]}

    def as_json(self) -> dict[str, Any]:
        """The shape of `sandeng audit verify --json`."""
        to = self.anchored_to
        first = min((problem.seq for problem in self.problems), default=None)
        return {
            "ok": self.ok, "rows": self.rows, "first_bad": first,
            "anchored_to": {"seq": to.seq, "at": to.at, "hash": to.hash, "file": to.source} if to else None,
            "head": self.head, "after_checkpoint": self.start, "anchors": self.anchors, "problems_found": self.found,
            "restarts": [{"at": at, "seq": seq} for at, seq in self.restarts], "lost_to": self.lost_to or None,
            "problems": [{"seq": p.seq, "kind": p.kind, "says": p.says} for p in self.problems],
        }  # fmt: skip


def verify(
    session: Session,
    anchors: Iterable[Anchor] = (),
    public_key: str = "",
    *,
    after: int | None = None,
    keys: Ring | None = None,
    most: int = TOLD,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Walk the chain in this session's snapshot; the anchors must have been read before it began, so that none is ahead of it.

    `after`: begin behind that entry, taking its own hash on trust (the watch between two full walks); default: the checkpoint. `most`: problems told.
    """
    result = Verification(most=most)
    kept = _genuine(anchors, public_key, result)
    start, prev = _beginning(session, public_key, result) if after is None else _middle(session, after)
    result.start = start
    total = (session.scalar(select(func.max(ROW.c.seq))) or 0) - start
    last = _walk(session, start, prev, kept, keys or ring(), result, lambda done: progress(done, total))
    _end(session, start, last, kept, result)
    return result


def _genuine(anchors: Iterable[Anchor], public_key: str, result: Verification) -> dict[int, Anchor]:
    """Entry number → anchor. Two anchors of one entry that differ are told, unless a declared restore lies between them."""
    signed = []
    for anchor in anchors:
        result.anchors += 1
        if anchor.genuine(public_key):
            signed.append(anchor)
        else:
            result.add(anchor.seq, "signature", anchor.source)
    result.restarts = sorted({(one.at, one.seq) for one in signed if one.restart})
    kept: dict[int, Anchor] = {}
    for anchor in signed:
        if any(at > anchor.at and anchor.seq > seq for at, seq in result.restarts):
            result.lost_to = max(result.lost_to, anchor.seq)
        elif anchor.seq in kept and kept[anchor.seq].hash != anchor.hash:
            result.add(anchor.seq, "anchor", anchor.source)
        elif anchor.seq:
            kept[anchor.seq] = anchor
    return kept


def restart_point(session: Session, anchors: Iterable[Anchor], public_key: str) -> Head:
    """The last anchored entry that a restored database still has unchanged, before the first that it has not; 0 for none."""
    own = {anchor.seq: anchor.hash for anchor in anchors if anchor.genuine(public_key) and anchor.seq}
    fits = Head(0, GENESIS)
    for seq in sorted(own):
        if session.scalar(select(ROW.c.hash).where(ROW.c.seq == seq)) != own[seq]:
            break
        fits = Head(seq, own[seq])
    return fits


def _beginning(session: Session, public_key: str, result: Verification) -> tuple[int, str]:
    """Where the walk begins: behind the last checkpoint, whose signature must hold."""
    begins = (0, GENESIS)
    for row in session.execute(select(CHECKPOINT).order_by(CHECKPOINT.c.seq)).mappings():
        if row["public_key"] != public_key or not signed_by(public_key, checkpoint_facts(row), row["signature"]):
            result.add(row["seq"], "checkpoint")
        begins = (row["seq"], row["hash"])
    stale = session.scalar(select(func.min(ROW.c.seq)).where(ROW.c.seq <= begins[0]))
    if stale is not None:
        result.add(stale, "extra")
    return begins


def checkpoint_facts(row: Any) -> Sequence[Any]:
    """What the signature of a checkpoint covers."""
    return ["checkpoint", row["seq"], row["hash"], moment_text(row["last_at"]), row["purged"], moment_text(row["at"])]


def _middle(session: Session, after: int) -> tuple[int, str]:
    own = session.scalar(select(ROW.c.hash).where(ROW.c.seq == after))
    return (after, own) if own is not None else (0, GENESIS)


def _walk(
    session: Session,
    start: int,
    prev: str,
    kept: dict[int, Anchor],
    keys: Ring,
    result: Verification,
    progress: Callable[[int], None],
) -> tuple[int, str]:
    """Every entry behind `start`; returns number and hash of the last one."""
    seq, postgresql = start, session.get_bind().dialect.name == "postgresql"
    columns = [ROW.c[name] if name != "at" or postgresql else type_coerce(ROW.c.at, String) for name in COVERED]
    wanted = select(*columns, ROW.c.hash).order_by(ROW.c.seq).limit(PIECE)
    while rows := session.execute(wanted.where(ROW.c.seq > seq)).all():
        for found in rows:
            values = list(found)
            own = values.pop()
            if postgresql:
                values[AT] = moment_text(values[AT])
            if values[0] != seq + 1:
                result.add(seq + 1, "gap")
            elif values[PREV] != prev:
                result.add(values[0], "link")
            if _sealed(keys, values) != own:
                result.add(values[0], "content")
            seq, prev = values[0], own
            if seq in kept:
                _meet(kept[seq], own, result)
        result.rows += len(rows)
        progress(result.rows)
    return seq, prev


def _sealed(keys: Ring, values: list[Any]) -> str | None:
    """The seal that these values ought to have; None where no entry of ours has such values."""
    try:
        return keys.seal(canonical(values), values[KEY_ID])
    except (TypeError, ValueError):  # a value of a kind that JSON does not know: no entry of ours
        return None


def _meet(anchor: Anchor, hash_: str, result: Verification) -> None:
    if anchor.hash != hash_:
        result.add(anchor.seq, "anchor", anchor.source)
    elif result.anchored_to is None or result.anchored_to.seq < anchor.seq:
        result.anchored_to = anchor


def _end(session: Session, start: int, last: tuple[int, str], kept: dict[int, Anchor], result: Verification) -> None:
    """The head, and the anchors beyond the last entry."""
    result.head = last[0]
    own = head(session)
    if (own.seq, own.hash) != last:
        result.add(last[0], "head")
    if start in kept and start and last[0] == start:
        _meet(kept[start], last[1], result)
    for seq, anchor in sorted(kept.items()):
        if seq > last[0]:
            result.add(last[0] + 1, "truncated", anchor.source)
            break
