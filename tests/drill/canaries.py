"""A raw scan for ID numbers: whatever a file is, none of them may stand in it, in any of the ways in which bytes spell digits."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Iterable
from pathlib import Path


def spellings(number: str) -> set[bytes]:
    """UTF-8 (GBK is the same for digits), UTF-16 either way, hex, and base64 at each of its three offsets."""
    plain = number.encode()
    found = {
        plain,
        number.encode("utf-16-le"),
        number.encode("utf-16-be"),
        plain.hex().encode(),
        plain.hex().upper().encode(),
    }
    for before in range(3):
        text = base64.b64encode(b"\0" * before + plain)
        start, end = (0, 2, 3)[before], -4 if (before + len(plain)) % 3 else None
        found.add(text[start:end].rstrip(b"="))
    return found


def _content(path: Path) -> bytes:
    """A file's bytes, and those of what is packed in it: a workbook is a zip."""
    plain = path.read_bytes()
    if not zipfile.is_zipfile(path):
        return plain
    with zipfile.ZipFile(path) as packed:
        return plain + b"".join(packed.read(name) for name in packed.namelist())


def leaks(numbers: Iterable[str], folders: Iterable[Path]) -> list[tuple[str, str]]:
    """(file, number) of each number that stands in a file below the folders."""
    wanted = {spelt: number for number in numbers for spelt in spellings(number)}
    beginnings = {spelt[:8] for spelt in wanted}
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        content = _content(path)
        if any(beginning in content for beginning in beginnings):
            found += [(str(path), number) for spelt, number in wanted.items() if spelt in content]
    return found
