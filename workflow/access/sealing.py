"""Sealed files: records in order under a key of their own; none can be changed, moved, left out or cut off unseen.

A file is MAGIC, then records of 4 bytes length, 12 bytes nonce, ciphertext and 16 bytes tag. File name, place and whether it is
the last are authenticated. The data key of a backup lies in its manifest, wrapped by the backup key, which lies elsewhere.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

from workflow.access.crypto import CannotOpen, bytes_opened, bytes_sealed, derived
from workflow.errors import SandengError

MAGIC = b"SANDENG1"
LENGTH = struct.Struct(">I")
LARGEST = 64 * 1024 * 1024  # bytes of a record; more is damage


class Damaged(SandengError):
    """文件已损坏或被改动。"""


def new_key() -> bytes:
    """32 fresh bytes: the data key of one backup."""
    return os.urandom(32)


def wrap(key: bytes, by: bytes, algorithm: str) -> str:
    """A data key, sealed by the backup key."""
    return bytes_sealed(derived(by, b"backup wrap", 32), key, b"data key", algorithm).hex()


def unwrap(wrapped: str, by: bytes) -> bytes:
    """The data key. Raises CannotOpen with another backup key."""
    return bytes_opened(derived(by, b"backup wrap", 32), bytes.fromhex(wrapped), b"data key")


class SealedWriter:
    """Writes the records of one file."""

    def __init__(self, file: IO[bytes], key: bytes, name: str, algorithm: str) -> None:
        self._file, self._name, self._algorithm, self._place = file, name, algorithm, 0
        self._key = derived(key, f"backup file {name}".encode(), 32)
        file.write(MAGIC)

    def record(self, payload: bytes, *, last: bool = False) -> None:
        """Append one record; the last one says so."""
        about = _about(self._name, self._place, last)
        sealed = bytes_sealed(self._key, payload, about, self._algorithm)
        self._file.write(LENGTH.pack(len(sealed)) + sealed)
        self._place += 1

    def close(self) -> None:
        """Write the end, without which a file counts as cut off."""
        self.record(b"", last=True)


def sealed_records(file: IO[bytes], key: bytes, name: str) -> Iterator[bytes]:
    """The records of a whole file. Raises Damaged for a changed, missing or moved one, and for a missing end."""
    own = derived(key, f"backup file {name}".encode(), 32)
    if file.read(len(MAGIC)) != MAGIC:
        raise Damaged(f"文件 {name} 已损坏")
    place, held = 0, _next(file)
    while held:
        following = _next(file)
        try:
            payload = bytes_opened(own, held, _about(name, place, not following))
        except CannotOpen:
            raise Damaged(f"文件 {name} 第 {place + 1} 段已损坏或被改动") from None
        if following:
            yield payload
        place, held = place + 1, following
    if not place:
        raise Damaged(f"文件 {name} 不完整")


def _next(file: IO[bytes]) -> bytes:
    head = file.read(LENGTH.size)
    length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
    return file.read(length) if 0 < length <= LARGEST else b""


def _about(name: str, place: int, last: bool) -> bytes:
    return f"{name}:{place}:{int(last)}".encode()
