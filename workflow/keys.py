"""The keys that lie outside the database: several under numbers, the highest in use. Read and written here, used by ciphers.

Written as one secret (key 1) or as `1:secret,2:secret` (commas or lines); a file of keys is replaced as a whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

from workflow.errors import BadInput

_NUMBERED = re.compile(r"([0-9]{1,3}):(.+)", re.S)
LAST = 255


def parse_keys(text: str, name: str = "") -> dict[int, bytes]:
    """Key number (1–255) → 32 bytes. Raises BadInput, naming the variable or file, where the text holds no keys."""
    found: dict[int, bytes] = {}
    for part in (part.strip() for part in re.split(r"[,\n]", text)):
        if not part:
            continue
        numbered = _NUMBERED.fullmatch(part)
        number, secret = (int(numbered[1]), numbered[2]) if numbered else (1, part)
        if not 1 <= number <= LAST or number in found:
            raise BadInput(f"{name or '密钥'} 的编号 {number} 不正确：编号为 1 至 {LAST}，且不得重复")
        found[number] = hashlib.sha256(secret.encode()).digest()
    if not found:
        raise BadInput(f"{name or '密钥'} 为空")
    return found


def add_key(path: Path) -> int:
    """Append a new key to a file of keys, in one replacement; returns its number. The old ones stay: they still open what they sealed."""
    text = path.read_text(encoding="ascii").strip()
    number = max(parse_keys(text, path.name)) + 1
    if number > LAST:
        raise BadInput(f"{path.name} 的密钥编号已用完")
    lines = [part if _NUMBERED.fullmatch(part) else f"1:{part}" for part in re.split(r"[,\n]", text) if part]
    _replace(path, [*lines, f"{number}:{secrets.token_hex(32)}"])
    return number


def drop_keys(path: Path, keep: int) -> list[int]:
    """Take every key but one out of a file; returns the numbers taken out."""
    kept: list[tuple[int, str]] = []
    gone: list[tuple[int, str]] = []
    for part in re.split(r"[,\n]", path.read_text(encoding="ascii").strip()):
        numbered = _NUMBERED.fullmatch(part.strip())
        number = int(numbered[1]) if numbered else 1
        (kept if number == keep else gone).append((number, part.strip()))
    _replace(path, [part for _, part in kept])
    return [number for number, _ in gone]


def fingerprint(key: bytes) -> str:
    """Twelve hex digits that tell keys apart and give nothing away."""
    return hashlib.sha256(b"sandeng fingerprint" + key).hexdigest()[:12]


def _replace(path: Path, lines: list[str]) -> None:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fresh.touch(mode=0o600)
    with fresh.open("w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
