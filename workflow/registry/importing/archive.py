"""A workbook's archive, inflated once under limits before anything parses it: no bomb, no entity, no sheet beyond reason."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from workflow.errors import BadInput

MAX_ENTRIES = 2000
MAX_TOTAL = 1 << 30  # bytes after inflating; a sheet of 200,000 rows and 45 columns takes 450 million
MAX_RATIO = 250  # inflated to packed, for entries beyond RATIO_FROM; real sheets stay below 60
RATIO_FROM = 16 << 20
MAX_ROWS = 500_000
MAX_COLUMNS = 104  # up to column CZ; the widest data set has about 70
_STEP = 1 << 20
_OVERLAP = 64
_FAR_COLUMN = re.compile(rb' r="(?:[D-Z][A-Z]|[A-Z]{3,})[0-9]')
_FAR_ROW = re.compile(rb'<row [^>]{0,200}?r="(?:[5-9][0-9]{5}|[0-9]{7,})"')
_FILLED = re.compile(rb"<(?:v|is|t)[ >]")
_WORKBOOK = "xl/workbook.xml"


def check_archive(path: Path) -> None:
    """Inflate everything once. Raises BadInput where it is damaged, no workbook, a bomb, or holds a sheet that is too large."""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            _check_directory(archive)
            total = 0
            for entry in archive.infolist():
                total += _inflate(file, entry, MAX_TOTAL - total)
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        NotImplementedError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        raise BadInput("文件已损坏或不完整，无法解压，请重新保存为 xlsx 后上传") from error


def _check_directory(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise BadInput(f"文件内含 {len(entries)} 个部件，超过上限 {MAX_ENTRIES}，拒绝读取")
    if any(entry.flag_bits & 1 for entry in entries):
        raise BadInput("文件已加密，请取消密码后重新保存")
    if _WORKBOOK not in {entry.filename for entry in entries}:
        raise BadInput("文件不是 xlsx 工作簿，请用 Excel 或 WPS 另存为 xlsx")


def _inflate(file: IO[bytes], entry: zipfile.ZipInfo, allowance: int) -> int:
    """Inflate one entry from its raw bytes, whatever sizes it claims; bytes it gave. A sheet is looked through on the way."""
    file.seek(entry.header_offset)
    header = struct.unpack("<4s5H3L2H", file.read(30))
    if header[0] != b"PK\x03\x04" or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile
    file.seek(header[9] + header[10], 1)
    inflater = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    scan = _Scan(entry.filename)
    left, total = entry.compress_size, 0
    while left > 0:
        packed = file.read(min(left, _STEP // 8))
        if not packed:
            raise EOFError
        left -= len(packed)
        while packed:
            plain = inflater.decompress(packed, _STEP) if inflater else packed
            packed = inflater.unconsumed_tail if inflater else b""
            total += len(plain)
            _check_size(total, entry.compress_size, allowance)
            scan.feed(plain)
    if total != entry.file_size or (inflater and not inflater.eof):
        raise zipfile.BadZipFile
    return total


def _check_size(total: int, packed: int, allowance: int) -> None:
    if total > allowance or (total > RATIO_FROM and total > packed * MAX_RATIO):
        raise BadInput("文件解压后过大，可能是恶意构造的压缩包，拒绝读取")


class _Scan:
    """Looks through the bytes of one entry as they come, a little of the last piece kept for what lies across the cut."""

    def __init__(self, name: str) -> None:
        self.xml = name.endswith((".xml", ".rels"))
        self.sheet = name.startswith("xl/worksheets/") and name.endswith(".xml")
        self.tail = b""
        self.beyond = False

    def feed(self, piece: bytes) -> None:
        """One more piece. Raises BadInput for what no import file holds."""
        if not self.xml:
            return
        text = self.tail + piece
        self.tail = text[-_OVERLAP:]
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise BadInput("文件含有 XML 实体声明，拒绝读取")
        if self.sheet:
            self._look(text)

    def _look(self, text: bytes) -> None:
        if _FAR_COLUMN.search(text):
            raise BadInput(f"工作表的列数超过 {MAX_COLUMNS} 列，请删除多余的列")
        if not self.beyond:
            found = _FAR_ROW.search(text)
            self.beyond = bool(found)
            text = text[found.end() :] if found else b""
        if self.beyond and _FILLED.search(text):
            raise BadInput(f"工作表超过 {MAX_ROWS} 行，请拆分为几个文件，并删除末尾多余的行")
