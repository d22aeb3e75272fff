"""Files that people hand in, as they lie on disk: sealed under the field key, opened only while they are read.

The number of the key stands in the name, so that a file of before a change of keys still opens; after the change it lies under the
newest key and keeps its name, under which others know it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from workflow.access.crypto import algorithm_in_use, derived
from workflow.access.sealing import MAGIC, Damaged, SealedWriter, sealed_records
from workflow.errors import NotFound
from workflow.settings import get_settings

SUFFIX = ".sealed"
WORK = "import-work"  # beside the sealed files: a plain copy, while it is read


def keep(folder: Path, chunks: Iterable[bytes]) -> tuple[str, str, int]:
    """Write a sealed file of a random name into a folder; returns (name, SHA-256 and size of its plain content)."""
    keys = get_settings().field_keys
    number = max(keys)
    name, digest, size = f"{secrets.token_hex(16)}-{number}{SUFFIX}", hashlib.sha256(), 0
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        writer = SealedWriter(file, _key(keys[number]), name, algorithm_in_use())
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            writer.record(chunk)
        writer.close()
    return name, digest.hexdigest(), size


def pieces(path: Path) -> Iterator[bytes]:
    """The plain content of a kept file. Raises NotFound where it is gone, Damaged where it was changed or its key is missing."""
    if not path.is_file():
        raise NotFound("文件已不在")
    keys = get_settings().field_keys
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:  # kept by a release before
            file.seek(0)
            yield from iter(lambda: file.read(1024 * 1024), b"")
            return
    number = _number(path, keys)
    with path.open("rb") as file:
        yield from sealed_records(file, _key(keys[number]), path.name)


def _number(path: Path, keys: Mapping[int, bytes]) -> int:
    """The key under which a file lies: the newest that opens its beginning. Raises Damaged where none does."""
    named = int(path.name.removesuffix(SUFFIX).rpartition("-")[2])
    for number in sorted(keys, reverse=True):
        if number >= named:
            with path.open("rb") as file, contextlib.suppress(Damaged):
                next(sealed_records(file, _key(keys[number]), path.name), None)
                return number
    raise Damaged("文件已损坏或被改动" if named in keys else f"文件用密钥 {named} 加密，当前没有这把密钥")


def reseal(folder: Path) -> tuple[int, list[str]]:
    """Put every kept file of a folder under the newest key; returns how many, and the names of those that no longer open.

    Each is replaced whole, so that one who reads meanwhile reads the old or the new, and a run that was killed is taken up by the next.
    """
    keys = get_settings().field_keys
    done, damaged = 0, []
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        try:
            if _number(path, keys) < max(keys):
                _replaced(path, keys[max(keys)])
                done += 1
        except Damaged:
            damaged.append(path.name)
        except FileNotFoundError:  # written into the register meanwhile, and gone
            continue
    return done, damaged


def _replaced(path: Path, key: bytes) -> None:
    fresh = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            writer = SealedWriter(file, _key(key), path.name, algorithm_in_use())
            for piece in pieces(path):
                writer.record(piece)
            writer.close()
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: Path, suffix: str = "") -> Iterator[Path]:
    """A plain copy for the length of a block, readable by its owner alone; gone afterwards. Raises NotFound, Damaged."""
    work = path.parent / WORK
    work.mkdir(exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(prefix="plain-", suffix=suffix, dir=work) as copy:
        for piece in pieces(path):
            copy.write(piece)
        copy.flush()
        yield Path(copy.name)


def sweep(folder: Path, older_than: float) -> int:
    """Remove plain copies that a killed process left before that time (seconds since 1970); returns how many."""
    left = [path for path in (folder / WORK).glob("plain-*") if path.stat().st_mtime < older_than]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _key(field_key: bytes) -> bytes:
    return derived(field_key, b"kept files", 32)
