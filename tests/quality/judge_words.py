"""The vocabulary of rule texts in plain Python, for the judge; nothing of it is shared with the compiler."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlglot
from sqlglot import exp

BLANKS = " \t\u00a0\u3000\n\r"
CLASSES = {
    "数字": "[0-9]",
    "空白": "[ \t\n\r\u00a0\u3000]",
    "全角字母数字": "[０-９Ａ-Ｚａ-ｚ\u3000]",
    "半角字母": "[A-Za-z]",
    "非汉字": "[^\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af〇·]",
    "汉字": "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af〇]",
    "不可见": "[\t\n\r\u200b-\u200f\u2028-\u202e\ufeff]",
}
USCC_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ALL_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Coded:
    """A code of a list; code None is unknown."""

    list: str
    code: str | None


def raw(value: Any) -> Any:
    """A code as its text; digests as bytes; all else as it is."""
    return value.code if isinstance(value, Coded) else bytes(value) if isinstance(value, memoryview) else value


def tree(text: str | None) -> exp.Expression:
    """A text's tree."""
    if text not in _TREES:
        _TREES[text] = sqlglot.parse_one(f"SELECT {text}").expressions[0]
    return _TREES[text]


_TREES: dict[str | None, exp.Expression] = {}


def label_path(text: str | None) -> tuple[str, ...]:
    """A dotted label's parts."""
    return tuple((text or "").split("."))


def _glob(text: str, pattern: str) -> bool:
    made = "".join(
        {"*": ".*", "?": "."}.get(piece) or (piece if len(piece) > 1 else re.escape(piece))
        for piece in re.findall(r"\[\^?[^\]]+\]|.", pattern)
    )
    return re.fullmatch(made, text, re.DOTALL) is not None


def _months(index: int) -> int:
    return index // 12 * 100 + index % 12 + 1


def _plus_days(day: int, n: int) -> int:
    found = date(day // 10000, day // 100 % 100, day % 100) + timedelta(days=n)
    return found.year * 10000 + found.month * 100 + found.day


def _is_day(day: int) -> bool:
    try:
        date(day // 10000, day // 100 % 100, day % 100)
    except ValueError:
        return False
    return day >= 10000101


def _document_year(text: str) -> int | None:
    after = text.split("〔", 1)[1] if "〔" in text else ""
    return int(after[:4]) if re.fullmatch("[0-9]{4}〕", after[:5]) else None


def _check(text: str, letters: str, first: int, weights: list[int], modulus: int, at: int) -> bool | None:
    if len(text) != 18 or any(c not in letters for c in text):
        return None
    total = sum(letters.index(text[first - 1 + i]) * w for i, w in enumerate(weights))
    wanted = (modulus - total % modulus) % modulus
    return text[at - 1] == ("0123456789X" if modulus == 11 else letters)[wanted]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "到岁": lambda d, n: d + n * 10000,
    "满岁": lambda d, n, on: d + n * 10000 <= on,
    "加月日": lambda d, n: _months(d // 10000 * 12 + d // 100 % 100 - 1 + n) * 100 + d % 100,
    "加日": _plus_days,
    "日序": lambda d: date(d // 10000, d // 100 % 100, 1).toordinal() + d % 100,
    "年": lambda d: d // 10000,
    "月": lambda d: d // 100,
    "月份": lambda d: d // 100 % 100,
    "日": lambda d: d % 100,
    "月序": lambda d: d // 10000 * 12 + d // 100 % 100 - 1,
    "年月序": lambda m: m // 100 * 12 + m % 100 - 1,
    "加月": lambda m, n: _months(m // 100 * 12 + m % 100 - 1 + n),
    "首日": lambda m: m * 100 + 1,
    "次月首日": lambda m: _months(m // 100 * 12 + m % 100) * 100 + 1,
    "真日期": _is_day,
    "整除": lambda a, b: int(a / b),
    "余": lambda a, b: a - int(a / b) * b,
    "含": lambda x, s: s in x,
    "左": lambda x, n: x[:n],
    "右": lambda x, n: x[-n:] if n else "",
    "中": lambda x, i, n: x[i - 1 : i - 1 + n],
    "去空": lambda x: x.strip(BLANKS),
    "形如": _glob,
    "含字符": lambda x, name: re.search(CLASSES[name], x) is not None,
    "代码": lambda x: x,
    "文号年份": _document_year,
    "信用代码字符规范": lambda x: len(x) == 18 and all(c in USCC_LETTERS for c in x),
    "信用代码校验位相符": lambda x: _check(x, USCC_LETTERS, 1, [pow(3, i, 31) for i in range(17)], 31, 18),
    "组织机构代码校验位相符": lambda x: _check(x, ALL_LETTERS, 9, [3, 7, 9, 10, 5, 8, 4, 2], 11, 17),
}
