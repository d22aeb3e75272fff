"""A file into chunks of rows: xlsx by calamine, CSV as UTF-8 or else GB 18030, by content and never by guess. Row numbers as a spreadsheet shows them."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, ZipError

from workflow.errors import BadInput
from workflow.registry.importing.archive import MAX_COLUMNS, MAX_ROWS, check_archive

CHUNK_ROWS = 5000
MAX_FILE = 512 << 20  # bytes of the file as uploaded
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_EMPTY = ("", None)


@dataclass
class Chunk:
    """Some rows that are not empty, each as wide as the header, with their numbers in the file (the header is row 1)."""

    numbers: list[int]
    rows: list[list[Any]]


@dataclass
class Table:
    """A file as read: the cells of its first row, then chunks of the others; `total` rows, the header left out."""

    header: list[Any]
    total: int
    merged: list[tuple[tuple[int, int], tuple[int, int]]]
    _rows: Iterator[list[Any]]

    def chunks(self) -> Iterator[Chunk]:
        """The rows in chunks, empty ones left out. Once only."""
        width = len(self.header)
        number = 1
        while raw := list(islice(self._rows, CHUNK_ROWS)):
            chunk = Chunk([], [])
            for row in raw:
                number += 1
                if len(row) != width:
                    row = _fit(row, width, number)
                if row.count("") + row.count(None) < width:
                    chunk.numbers.append(number)
                    chunk.rows.append(row)
            if chunk.rows:
                yield chunk


def _fit(row: list[Any], width: int, number: int) -> list[Any]:
    extra = [cell for cell in row[width:] if cell not in _EMPTY]
    if extra:
        raise BadInput(f"第 {number} 行有 {len(row)} 列，比表头多出 {len(row) - width} 列，请检查逗号和引号")
    return row[:width] + [""] * (width - len(row))


def open_table(path: Path, name: str = "") -> Table:
    """Open a file by its content; `name` is what its owner calls it. Raises BadInput for anything that is neither xlsx nor CSV."""
    name = (name or path.name).lower()
    if not path.is_file():
        raise BadInput(f"没有文件 {path.name}")
    size = path.stat().st_size
    if not size:
        raise BadInput("文件是空的")
    if size > MAX_FILE:
        raise BadInput(f"文件超过 {MAX_FILE >> 20} MB，请拆分后上传")
    with path.open("rb") as file:
        start = file.read(4)
    if start == _ZIP:
        return _open_workbook(path)
    if start == _OLE:
        raise BadInput("文件是旧版 xls 或带密码的工作簿，请另存为不带密码的 xlsx")
    if name.endswith((".xlsx", ".xls", ".xlsm", ".et")):
        raise BadInput("文件扩展名是 Excel，内容却不是 xlsx 工作簿，或已损坏，请重新保存后上传")
    return _open_csv(path)


def _open_workbook(path: Path) -> Table:
    check_archive(path)
    try:
        workbook = CalamineWorkbook.from_path(path)
        sheet = workbook.get_sheet_by_index(0)
        start, end, merged = sheet.start, sheet.end, list(sheet.merged_cell_ranges or ())
    except (CalamineError, ZipError, OSError, ValueError, IndexError) as error:
        raise BadInput("工作簿无法读取，可能已损坏，请重新保存为 xlsx 后上传") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the reader's own failure on a broken file, not ours
            raise
        raise BadInput("工作簿无法读取，可能已损坏，请重新保存为 xlsx 后上传") from None
    if start is None or end is None:
        raise BadInput("第一个工作表是空的")
    if start[0] > 0:
        raise BadInput(f"第 1 行应为表头，文件却从第 {start[0] + 1} 行开始，请删除上面的空行")
    lead = [""] * start[1]
    rows = ((lead + list(row) if lead else row) for row in sheet.iter_rows())
    return Table(_trimmed(list(next(rows))), end[0], merged, rows)


def _trimmed(header: list[Any]) -> list[Any]:
    if len(header) > MAX_COLUMNS:
        raise BadInput(f"工作表的列数超过 {MAX_COLUMNS} 列，请删除多余的列")
    return header


def _open_csv(path: Path) -> Table:
    encoding = _encoding_of(path)
    total = -1
    with path.open("r", encoding=encoding, newline="") as file:
        try:
            for total, _ in enumerate(csv.reader(file, strict=True)):
                if total > MAX_ROWS:
                    raise BadInput(f"文件超过 {MAX_ROWS} 行，请拆分为几个文件")
        except csv.Error as error:
            raise BadInput(f"第 {total + 2} 行不是规范的 CSV，请检查引号是否成对") from error
    if total < 0:
        raise BadInput("文件是空的")
    rows = _csv_rows(path, encoding)
    return Table(_trimmed(next(rows)), total, [], rows)


def _csv_rows(path: Path, encoding: str) -> Iterator[list[Any]]:
    with path.open("r", encoding=encoding, newline="") as file:
        yield from csv.reader(file, strict=True)


def _encoding_of(path: Path) -> str:
    """UTF-8 (with or without mark) if every byte is, else GB 18030 if every byte is. Raises BadInput otherwise."""
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise BadInput("文件是 UTF-16 编码，请另存为“CSV UTF-8（逗号分隔）”或 xlsx")
    for encoding in ("utf-8-sig", "gb18030"):
        if _decodes(path, encoding):
            return encoding
    raise BadInput("文件既不是 UTF-8 也不是 GB 18030 编码的文本，请另存为 xlsx")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        try:
            while piece := file.read(1 << 20):
                if b"\0" in piece:
                    return False
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
