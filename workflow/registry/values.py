"""Cell to stored value and back to Chinese text, field by field. Stored: text, code, yyyymmdd, yyyymm, integer, bool; never a guess.

A converter takes what a file or a form holds (text, number, date, None) and gives what the column stores, or raises BadValue with
the half sentence that follows the field's name. References are resolved by the caller: their converter gives the key as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

from workflow.access.crypto import mask_id
from workflow.db import from_ymd, ymd
from workflow.registry.dictionary import Code, CodeList, Field, dictionary

Converter = Callable[[Any], Any]
ID_LENGTH, LONG_LENGTH, KEY_LENGTH = 40, 10_000, 40
INT_LIMIT = 10**12  # no count of this register comes near; sums stay inside 64 bits
SAFE_DIGITS = 15  # a spreadsheet keeps 15 significant digits of a number
YEARS = range(1800, 2201)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
_LINE_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})-([0-9]{1,2})|/([0-9]{1,2})/([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})日|([0-9]{2})([0-9]{2}))"
)
_MONTH = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})|/([0-9]{1,2})|年([0-9]{1,2})月|([0-9]{2}))")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?[eE]\+[0-9]+")
_BOOLS = {"是": True, "否": False}
_FORMULA = ("=", "+", "-", "@")
_ESCAPED = ("'=", "'+", "'-", "'@", "''")  # how an export keeps a spreadsheet from calculating


class BadValue(Exception):
    """A cell that cannot be stored as typed: `rule` names why, `says` is the half sentence after the field's name."""

    def __init__(self, rule: str, says: str) -> None:
        self.rule, self.says = rule, says
        super().__init__(says)


def converter(f: Field) -> Converter:
    """The converter of a field."""
    if f.type == "code":
        return _code_converter(dictionary().codes_of(f))
    if f.type in ("text", "longtext", "uscc", "ref"):
        limit = {"text": f.length, "longtext": LONG_LENGTH, "uscc": 18, "ref": KEY_LENGTH}[f.type] or LONG_LENGTH
        return _text_converter(limit, lines=f.type == "longtext", upper=f.type == "uscc")
    return {"date": _date, "month": _month, "int": _integer, "bool": _bool, "id": _id}[f.type]


def _text_converter(limit: int, *, lines: bool, upper: bool) -> Converter:
    control = _LINE_CONTROL if lines else _CONTROL

    def convert(cell: Any) -> str | None:
        text = (cell if type(cell) is str else _plain_text(cell)).strip()
        if not text:
            return None
        if not text.isprintable():
            text = text.replace("\r\n", "\n") if lines else text
            if control.search(text):
                raise BadValue(
                    "control_character",
                    "含有换行、制表符等不可见字符，请删除" if not lines else "含有不可见字符，请删除",
                )
        if text[0] == "'" and text.startswith(_ESCAPED):
            text = text[1:]
        if len(text) > limit:
            raise BadValue("too_long", f"有 {len(text)} 个字，最多 {limit} 个字")
        return text.upper() if upper else text

    return convert


def _plain_text(cell: Any) -> str:
    """Text of a text, number or date cell; a number that a spreadsheet may have rounded is refused."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, int | float):
        if abs(cell) >= 10**SAFE_DIGITS:
            raise BadValue(
                "numeric_text",
                f"以数字格式存放且超过 {SAFE_DIGITS} 位，末位数字已丢失，请将单元格设为文本格式后重新填写",
            )
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    if isinstance(cell, datetime | date):
        return f"{cell:%Y-%m-%d}"
    raise BadValue("numeric_text", "不是文本，请将单元格设为文本格式后重新填写")


def _code_converter(codes: CodeList) -> Converter:
    lengths = sorted({len(code) for code in codes.by_code})

    def convert(cell: Any) -> str | None:
        text = _plain_text(cell).strip()
        if not text:
            return None
        if text in codes.by_label:
            return codes.by_label[text].code
        if text in codes.by_code:
            return text
        if isinstance(cell, int | float):  # a code typed as a number has lost its leading zeros
            padded = [text.zfill(n) for n in lengths if text.zfill(n) in codes.by_code]
            if len(padded) == 1:
                return padded[0]
        raise BadValue("F05", f"“{clip(text)}”不在代码表“{codes.title}”中{_offer(codes)}")

    return convert


def _offer(codes: CodeList) -> str:
    labels = [item.label for item in codes.items if item.valid_to is None]
    return f"，可填：{'、'.join(labels)}" if len(labels) <= 12 else "，请从模板的下拉列表中选择"


def _date(cell: Any) -> int | None:
    if isinstance(cell, datetime):
        if cell.time() != time(0):
            raise BadValue("F09", "带有时刻，应只填日期，例如 2019-01-15")
        return _ymd_of(cell.year, cell.month, cell.day, cell)
    if isinstance(cell, date):
        return _ymd_of(cell.year, cell.month, cell.day, cell)
    text = _digits(cell)
    if not text:
        return None
    found = _DATE.fullmatch(text)
    if not found:
        raise BadValue("F09", f"“{clip(text)}”不是日期，应填 2019-01-15、20190115、2019/1/15 或 2019年1月15日")
    year, month, day = (int(part) for part in found.groups() if part)
    return _ymd_of(year, month, day, text)


def _ymd_of(year: int, month: int, day: int, cell: Any) -> int:
    if year not in YEARS:
        raise BadValue("F09", f"“{cell}”的年份不在 {YEARS[0]} 至 {YEARS[-1]} 年之间")
    try:
        return ymd(date(year, month, day))
    except ValueError:
        raise BadValue("F09", f"“{cell}”不是真实存在的日期") from None


def _month(cell: Any) -> int | None:
    if isinstance(cell, datetime | date):
        return cell.year * 100 + cell.month
    text = _digits(cell)
    if not text:
        return None
    found = _MONTH.fullmatch(text)
    year, month = (int(part) for part in found.groups() if part) if found else (0, 0)
    if not found or year not in YEARS or not 1 <= month <= 12:
        raise BadValue("F09", f"“{clip(text)}”不是年月，应填 2019-01、201901 或 2019年1月")
    return year * 100 + month


def _digits(cell: Any) -> str:
    """Trimmed text of a text cell or of a whole number."""
    if isinstance(cell, str):
        return cell.strip()
    if cell is None:
        return ""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def _integer(cell: Any) -> int | None:
    text = _digits(cell)
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise BadValue("F10", f"“{clip(text)}”不是整数")
    if abs(int(text)) >= INT_LIMIT:
        raise BadValue("F10", f"“{clip(text)}”过大")
    return int(text)


def _bool(cell: Any) -> bool | None:
    if isinstance(cell, bool) or cell is None:
        return cell
    text = _digits(cell)
    if text and text not in _BOOLS:
        raise BadValue("F05", f"“{clip(text)}”应填“是”或“否”")
    return _BOOLS[text] if text else None


def _id(cell: Any) -> str | None:
    if cell is None:
        return None
    if not isinstance(cell, str) or _SCIENTIFIC.fullmatch(cell.strip()):
        raise BadValue("numeric_id", "以数字格式存放，末位数字已丢失，请将整列设为文本格式后重新填写")
    text = cell.strip().upper().removeprefix("'")
    if not text:
        return None
    if _CONTROL.search(text):
        raise BadValue("control_character", "含有换行、制表符等不可见字符，请删除")
    if len(text) > ID_LENGTH:
        raise BadValue("too_long", f"有 {len(text)} 个字，最多 {ID_LENGTH} 个字")
    return text


def clip(text: str, length: int = 30) -> str:
    """A text short enough for a message, without control characters."""
    text = _CONTROL.sub("□", text)
    return text if len(text) <= length else text[: length - 1] + "…"


def show(f: Field, value: Any) -> str:
    """A stored value as Chinese text: labels of codes, ISO dates, 是/否, masks; ID numbers come masked from their text."""
    if value is None:
        return ""
    if f.type == "code":
        return dictionary().codes_of(f).label(value)
    if f.type == "date":
        return (value if isinstance(value, date) else from_ymd(value)).isoformat()
    if f.type == "month":
        return f"{value // 100:04d}-{value % 100:02d}"
    if f.type == "bool":
        return "是" if value else "否"
    if f.sensitive == "encrypted":
        return value if "*" in value else mask_id(value)
    if f.sensitive == "masked":
        return mask_text(str(value))
    return str(value)


def show_plain(f: Field, value: Any) -> str:
    """As `show`, with masked (not encrypted) fields in full: for files and for people who may read them."""
    return str(value) if value is not None and f.sensitive == "masked" else show(f, value)


def guarded(text: str, *, formulas: bool = False) -> str:
    """A text as an export writes it, so that it comes back the same: an apostrophe before what reading would take one from.

    `formulas`: also before = + - @, where the file has no types and a spreadsheet would calculate (CSV).
    """
    return "'" + text if text.startswith(_ESCAPED) or (formulas and text.startswith(_FORMULA)) else text


def mask_text(text: str) -> str:
    """A telephone number or the like with its middle hidden."""
    if len(text) <= 4:
        return "*" * len(text)
    edge = min(3, len(text) // 3)
    return text[:edge] + "*" * (len(text) - 2 * edge) + text[-edge:]


def choices(f: Field, today: date) -> list[Code]:
    """The codes that a form offers for a coded field on a day."""
    return [item for item in dictionary().codes_of(f).items if item.valid_on(today)]
