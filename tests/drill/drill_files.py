"""Spoilt workbooks and CSV files are handed to the importer: each is refused in words or written whole, and none takes the memory (办法8)."""

from __future__ import annotations

import io
import os
import random
import resource
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import xlsxwriter
from sqlalchemy import Engine

from tests.drill.registry import Measured, drill
from tests.registry.conftest import counted, found_units
from workflow.errors import SandengError
from workflow.registry.importing import reader
from workflow.registry.importing.run import import_file

FILES = int(os.environ.get("SANDENG_DRILL_FILES", "10000"))
MEMORY = 1024  # MiB
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
HEADER = ["人员编码", "所在单位", "姓名", "性别", "身份证号", "出生日期", "备注"]
PEOPLE = [
    [
        f"P{n}",
        "U2",
        f"演示{'甲乙丙丁'[n % 4]}",
        "男",
        "33020319650115001X",
        "1965-01-15",
        "=1+1" if n % 3 else "一,二\n三",
    ]
    for n in range(12)
]
PIECES = [b"\x00", b'"', b",", b"\r\n", b"\xff\xfe", b"&#0;", b"<c", b"]]>", "，".encode(), b"9" * 400, b"PK\x03\x04"]
Spoil = Callable[[bytes, random.Random], bytes]


def _workbook() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"created": NOW})  # the same bytes in every run
        sheet = book.add_worksheet()
        for place, row in enumerate([HEADER, *PEOPLE]):
            for column, cell in enumerate(row):
                sheet.write_string(place, column, cell)
    return out.getvalue()


def _text() -> bytes:
    quoted = [[cell if cell.isalnum() else f'"{cell}"' for cell in row] for row in [HEADER, *PEOPLE]]
    return "\r\n".join(",".join(row) for row in quoted).encode("utf-8-sig")


def _bytes(content: bytes, chance: random.Random) -> bytes:
    """Some bytes are others."""
    spoilt = bytearray(content)
    for _ in range(chance.randint(1, 20)):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    return bytes(spoilt)


def _cut(content: bytes, chance: random.Random) -> bytes:
    """The end is missing, or a stretch within."""
    first = chance.randrange(len(content))
    return (
        content[:first] if chance.random() < 0.5 else content[:first] + content[chance.randrange(first, len(content)) :]
    )


def _twice(content: bytes, chance: random.Random) -> bytes:
    """A stretch stands a second time elsewhere."""
    first, second = sorted(chance.randrange(len(content)) for _ in range(2))
    place = chance.randrange(len(content))
    return content[:place] + content[first:second] + content[place:]


def _put_in(content: bytes, chance: random.Random) -> bytes:
    """Something that means more than it looks stands in it."""
    place = chance.randrange(len(content))
    return content[:place] + chance.choice(PIECES) + content[place:]


PLAIN: list[Spoil] = [_bytes, _cut, _twice, _put_in]


def _inside(content: bytes, chance: random.Random) -> bytes:
    """One part of the workbook is spoilt, or missing, or in the place of another; the archive is sound."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    name = chance.choice(["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", *parts])
    act = chance.random()
    if act < 0.1:
        del parts[name]
    elif act < 0.2:
        parts[name] = parts[chance.choice(list(parts))]
    else:
        for _ in range(chance.randint(1, 3)):
            parts[name] = chance.choice(PLAIN)(parts[name] or b" ", chance)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, part in parts.items():
            packed.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def spoilt_files(number: int, seed: int = 4) -> Iterator[tuple[str, bytes]]:
    """(name, content) of that many spoilt files, the same ones every time."""
    chance, workbook, text = random.Random(seed), _workbook(), _text()
    ways: list[tuple[str, bytes, list[Spoil]]] = [
        ("xlsx", workbook, PLAIN), ("xlsx", workbook, [_inside]), ("xlsx", workbook, [_inside]), ("csv", text, PLAIN),
        ("csv", text.decode("utf-8-sig").encode("gb18030"), PLAIN), ("xlsx", text, PLAIN), ("csv", workbook, PLAIN),
    ]  # fmt: skip
    for n in range(number):
        ending, content, spoils = chance.choice(ways)
        yield f"{n}.{ending}", chance.choice(spoils)(content, chance)


@contextmanager
def any_bytes_are_text() -> Iterator[None]:
    """A build that takes every CSV file for UTF-8 without looking."""
    honest = reader._encoding_of
    reader._encoding_of = lambda _path: "utf-8"
    try:
        yield
    finally:
        reader._encoding_of = honest


@drill(f"{FILES:,} 个损坏的 xlsx 与 csv", f"0 次出错、0 次部分写入、≤ {MEMORY:,} MiB", any_bytes_are_text)
def run(engine: Engine, folder: Path) -> Measured:
    """Hands in every file as the office does, and counts the records and their versions after each."""
    found_units(engine, NOW)
    path, before, told = folder / "handed-in", counted(engine), Counter[str]()
    for name, content in spoilt_files(FILES):
        path.write_bytes(content)
        try:
            report = import_file(engine, "person", path, name=name, by="office", now=NOW, may_write_locked=True)
        except SandengError:
            created, written = 0, 0
            told["拒收"] += 1
        except Exception as error:  # what a user would see as a failure of the platform: the drill counts it
            return Measured(
                f"{name} 出错：{type(error).__name__} {traceback.extract_tb(error.__traceback__)[-1]}", False
            )
        else:
            created, written = report.created, report.created + report.updated
            told["指出错误" if report.errors else "整份写入"] += 1
        after = counted(engine)
        if (after["person"] - before["person"], after["version"] - before["version"]) != (created, written):
            return Measured(f"{name} 只写入了一部分", False)
        before = after
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    says = "、".join(f"{what} {n:,}" for what, n in sorted(told.items()))
    return Measured(f"{says}，{peak} MiB", peak <= MEMORY)
