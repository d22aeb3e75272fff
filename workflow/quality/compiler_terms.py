"""Typed pieces of SQL: what a label or an expression stands for, and which pieces may be compared with each other."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from workflow.db import ymd
from workflow.errors import DefinitionError
from workflow.quality.vocabulary import quote
from workflow.registry.dictionary import Dictionary

NUMBERS = ("int", "date", "month")
KIND_NAMES = {
    "bool": "是否", "int": "整数", "date": "日期", "month": "年月", "text": "文字", "code": "代码", "ref": "引用",
    "id": "证号", "literal": "文字常量", "null": "空值",
}  # fmt: skip
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True)
class Term:
    """A piece of SQL with its kind; `of` names the code list of a code or the data set of a reference."""

    sql: str
    kind: str
    of: str = ""
    value: Any = None

    @property
    def number(self) -> bool:
        """Whether it can be added and ordered."""
        return self.kind in NUMBERS


class Refusal(Exception):
    """A text that the language does not allow; the compiler adds file, rule and text."""

    def __init__(self, says: str, known: list[str] | None = None) -> None:
        super().__init__(says)
        self.says, self.known = says, known

    def in_definition(self, file: str, row: str, text: str) -> DefinitionError:
        """The same refusal as an error of the definition."""
        return DefinitionError(f"“{text}”：{self.says}", file=file, row=row, known=self.known)


def codes_of(dictionary: Dictionary, codes: str, label: str) -> tuple[str, ...]:
    """The codes that carry a label (several where a label was used again). Raises Refusal for an unknown label."""
    found = tuple(item.code for item in dictionary.codes[codes].items if item.label == label)
    if not found:
        known = [item.label for item in dictionary.codes[codes].items]
        raise Refusal(f"代码表“{dictionary.codes[codes].title}”没有“{label}”", known[:60])
    return found


def family_of(dictionary: Dictionary, codes: str, label: str) -> tuple[str, ...]:
    """The codes of a label and all their descendants."""
    family = list(codes_of(dictionary, codes, label))
    for parent in family:
        family += [i.code for i in dictionary.codes[codes].items if i.parent == parent and i.code not in family]
    return tuple(family)


def list_sql(codes: tuple[str, ...]) -> str:
    """Text literals in brackets."""
    return f"({', '.join(quote(code) for code in codes)})"


def settle(literal: Term, other: Term) -> Term:
    """A text constant beside a term of known kind: plain text, or an ISO day beside a date."""
    if literal.kind != "literal":
        return literal
    if other.kind == "text":
        return replace(literal, kind="text")
    if other.kind == "date" and _ISO.match(literal.value):
        try:
            day = ymd(date.fromisoformat(literal.value))
        except ValueError:
            raise Refusal(f"没有“{literal.value}”这一天") from None
        return Term(str(day), "date", value=day)
    raise Refusal(f"文字“{literal.value}”不能与{KIND_NAMES[other.kind]}相比")


def check_comparable(left: Term, right: Term, *, ordered: bool) -> None:
    """Raises Refusal where two terms cannot be compared."""
    if "null" in (left.kind, right.kind):
        raise Refusal("与空值比较请用 IS NULL")
    if left.number and right.number:
        if {left.kind, right.kind} == {"date", "month"}:
            raise Refusal("日期不能与年月相比，请用 月(…) 或 首日(…)")
        return
    if ordered:
        raise Refusal(f"{KIND_NAMES[left.kind]}与{KIND_NAMES[right.kind]}不能比较大小")
    if left.kind != right.kind or (left.kind in ("code", "ref") and left.of != right.of):
        raise Refusal(f"{KIND_NAMES[left.kind]}{left.of}与{KIND_NAMES[right.kind]}{right.of}不能相比")


def unify(terms: list[Term]) -> tuple[list[Term], str, str]:
    """The branches of CASE or COALESCE brought to one kind: (terms, kind, of)."""
    told = [t for t in terms if t.kind not in ("null", "literal")]
    if not told:
        return [replace(t, kind="text") if t.kind == "literal" else t for t in terms], "text", ""
    kind, of = told[0].kind, told[0].of
    for other in told[1:]:
        check_comparable(told[0], other, ordered=False)
        kind = kind if kind == other.kind else "int"
    return [settle(t, told[0]) if t.kind == "literal" else t for t in terms], kind, of
