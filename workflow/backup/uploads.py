"""Files that are part of a backup: uploads of the data directory and the definitions in force. An increment holds new and changed ones.

The index names every file with size and SHA-256; a pack holds contents, each as a head (JSON) and pieces.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from workflow.access.sealed_files import WORK
from workflow.access.sealing import Damaged, SealedWriter

UPLOADS, DEFINITIONS = "uploads", "definitions"
PASSED_OVER = {"__pycache__", WORK}  # folders
PIECE = 1024 * 1024  # bytes


class Kept(NamedTuple):
    """One file: its SHA-256 and size."""

    sha256: str
    bytes: int


Index = dict[str, Kept]  # name below the data directory, or definitions/… → what it is


def present_files(data_dir: Path, definitions: Path) -> dict[str, Path]:
    """Name → path of every file that belongs to a backup. Keys never do."""
    found = {}
    for name, root in ((UPLOADS, data_dir / UPLOADS), (DEFINITIONS, definitions)):
        for path in sorted(root.rglob("*")) if root.is_dir() else []:
            if path.is_file() and not PASSED_OVER & set(path.parts):
                found[f"{name}/{path.relative_to(root).as_posix()}"] = path
    return found


def write_files(writer: SealedWriter, files: dict[str, Path], before: Index) -> Index:
    """Pack every file that the index before does not hold alike; returns the index of all of them."""
    index: Index = {}
    for name, path in files.items():
        try:
            content = path.read_bytes()  # uploads are bounded: 10 MB evidence, import files
        except FileNotFoundError:  # taken away meanwhile: an import file that was worked off
            continue
        index[name] = Kept(hashlib.sha256(content).hexdigest(), len(content))
        if before.get(name) == index[name]:
            continue
        writer.record(json.dumps({"name": name, **index[name]._asdict()}).encode())
        for start in range(0, len(content), PIECE):
            writer.record(zlib.compress(content[start : start + PIECE], 1))
    return index


def index_payload(index: Index) -> bytes:
    """The index as the payload of a record."""
    return zlib.compress(json.dumps(index, ensure_ascii=False).encode(), 1)


def read_index(payload: bytes) -> Index:
    """The index of a payload."""
    return {name: Kept(*values) for name, values in json.loads(zlib.decompress(payload)).items()}


def put_files(records: Iterator[bytes], wanted: Index, into: Path) -> None:
    """Write the wanted files of a pack below a folder; others are passed over. Raises Damaged where a content is not what it was."""
    for head in records:
        told = json.loads(head)
        pieces = [zlib.decompress(next(records)) for _ in range(-(-told["bytes"] // PIECE))]
        if wanted.get(told["name"]) != Kept(told["sha256"], told["bytes"]):
            continue
        content = b"".join(pieces)
        if hashlib.sha256(content).hexdigest() != told["sha256"]:
            raise Damaged(f"备份中的文件 {told['name']} 已损坏")
        _put(into, told["name"], content)


def missing(index: Index, into: Path) -> list[str]:
    """Files of the index that are not there."""
    return [name for name in index if not _below(into, name).is_file()]


def _put(into: Path, name: str, content: bytes) -> None:
    path = _below(into, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_bytes(content)


def _below(into: Path, name: str) -> Path:
    path = (into / name).resolve()
    if not path.is_relative_to(into.resolve()) or os.path.isabs(name):
        raise Damaged(f"备份中的文件名 {name} 越出了目录")
    return path
