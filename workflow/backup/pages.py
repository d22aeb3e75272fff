"""A database as sealed pages: all of them, or those that differ from the copy before, told by a digest of each page.

A record of pages is zlib over: count, page numbers, contents. The index beside it has the digest of every page of the copy, so that
the next increment needs no earlier copy, and a restored database is proved page by page.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO

from workflow.access.sealing import Damaged, SealedWriter

DIGEST = 16  # bytes
AT_ONCE = 256  # pages of a record
HEAD = struct.Struct(">II")  # bytes of a page, pages


def page_size_of(copy: Path) -> int:
    """Bytes of a page, from the header of a database file that nobody has open."""
    with copy.open("rb") as file:
        size = struct.unpack_from(">H", file.read(100), 16)[0]
    return 65536 if size == 1 else int(size)


def page_digests(copy: Path, page_size: int) -> list[bytes]:
    """The digest of each page of a database file that nobody has open, in order."""
    with copy.open("rb") as file:
        return [_digest(page) for page in iter(lambda: file.read(page_size), b"")]


def write_pages(writer: SealedWriter, copy: Path, page_size: int, numbers: Iterable[int]) -> int:
    """Write those pages (numbers from 1) of a copy; returns how many."""
    written, waiting = 0, iter(numbers)
    with copy.open("rb") as file:
        while chosen := list(islice(waiting, AT_ONCE)):
            pages = {}
            for number in chosen:
                file.seek((number - 1) * page_size)
                pages[number] = file.read(page_size)
            writer.record(packed(pages))
            written += len(chosen)
    return written


def packed(pages: Mapping[int, bytes]) -> bytes:
    """Pages as the payload of a record."""
    numbers = struct.pack(f">I{len(pages)}I", len(pages), *pages)
    return zlib.compress(numbers + b"".join(pages.values()), 1)


def unpacked(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, content) of the pages of a record."""
    plain = zlib.decompress(payload)
    (count,) = struct.unpack_from(">I", plain)
    numbers = struct.unpack_from(f">{count}I", plain, 4)
    start = 4 + 4 * count
    size = (len(plain) - start) // max(count, 1)
    for place, number in enumerate(numbers):
        yield number, plain[start + place * size : start + (place + 1) * size]


def put_pages(file: IO[bytes], pages: Iterable[tuple[int, bytes]]) -> None:
    """Write pages to their places in a database file."""
    for number, content in pages:
        file.seek((number - 1) * len(content))
        file.write(content)


def index_payload(page_size: int, digests: list[bytes]) -> bytes:
    """The index of a copy as the payload of a record."""
    return zlib.compress(HEAD.pack(page_size, len(digests)) + b"".join(digests), 1)


def read_index(payload: bytes) -> tuple[int, list[bytes]]:
    """(bytes of a page, digests in order)."""
    plain = zlib.decompress(payload)
    page_size, count = HEAD.unpack_from(plain)
    digests = [plain[HEAD.size + n * DIGEST : HEAD.size + (n + 1) * DIGEST] for n in range(count)]
    return page_size, digests


def changed_pages(before: list[bytes], after: list[bytes]) -> list[int]:
    """The numbers of the pages that are new or differ."""
    return [n for n, digest in enumerate(after, 1) if n > len(before) or before[n - 1] != digest]


def prove_pages(restored: Path, page_size: int, digests: list[bytes]) -> None:
    """Raises Damaged where a restored file is not, page by page, the copy that was made."""
    if os.path.getsize(restored) != page_size * len(digests) or page_digests(restored, page_size) != digests:
        raise Damaged("恢复出的数据库与备份时不一致")


def _digest(page: bytes) -> bytes:
    return hashlib.blake2b(page, digest_size=DIGEST).digest()
