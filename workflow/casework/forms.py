"""The form of a matter: what was typed becomes stored values, and stored values become lines to read. Reads only.

Stored in the case's data under `form`, field → text, int, bool, ISO date, `YYYY-MM`, code, unit code, record key, or list of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.substitution import lendable
from workflow.engine.form import FormField
from workflow.engine.inputs import PLAIN, Fault, plain_value
from workflow.engine.registry import book
from workflow.errors import BadInput
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES


@dataclass(frozen=True)
class Line:
    """One field as a person reads it."""

    field: FormField
    text: str
    files: tuple[Mapping[str, Any], ...] = ()


def typed_form(
    session: Session, fields: Iterable[FormField], texts: Mapping[str, Any], *, on: date, kept: Mapping[str, Any],
    may_name: Callable[[int], bool],
) -> dict[str, Any]:  # fmt: skip
    """The values of a form as typed; what is left empty is left out, what is not asked for is dropped.

    `kept`: the values so far; files are added to those there, less the digests under `_drop`. `may_name`: unit id → whether who
    types may name its records; the code of another is told as one that nobody has.
    Raises BadInput with every field and its fault; completeness is a guard of its own.
    """
    values: dict[str, Any] = {}
    faults: list[dict[str, str]] = []
    for each in fields:
        try:
            value = _typed(session, each, texts, on, kept, may_name)
        except Fault as fault:
            faults.append({"field": each.name, "label": each.label, "message": f"「{each.label}」{fault}"})
            continue
        if value is not None and value != []:
            values[each.name] = value
    if faults:
        raise BadInput("；".join(fault["message"] for fault in faults), errors=faults)
    asked = {each.name for each in fields if each.asked(values)}
    return {name: value for name, value in values.items() if name in asked}


def _typed(
    session: Session, f: FormField, texts: Mapping[str, Any], on: date, kept: Mapping[str, Any],
    may_name: Callable[[int], bool],
) -> Any:  # fmt: skip
    given = texts.get(f.name)
    if f.type == "files":
        dropped = set(texts.get("_drop", ()))
        return [*(file for file in kept.get(f.name, []) if file["sha256"] not in dropped), *(given or [])]
    if given is None or isinstance(given, bool):
        return given
    if f.type in PLAIN:
        return plain_value(f, str(given))
    text = plain_value(FormField(f.name, f.label), str(given))
    if text is None:
        return None
    return _record(session, f, text, may_name) if f.type == "record" else _LOOKED_UP[f.type](session, f, text, on)


def _process(_session: Session, _f: FormField, text: str, _on: date) -> str:
    if text not in lendable():
        raise Fault(f"“{text[:20]}”不是可以代办的事项：{'、'.join(lendable().values())}")
    return text


def _code(_session: Session, f: FormField, text: str, on: date) -> str:
    codes = dictionary().codes[f.codes or ""]
    item = codes.by_code.get(text) or codes.by_label.get(text)
    if item is None or not item.valid_on(on):
        raise Fault(f"“{text[:20]}”不在代码表“{codes.title}”中或已停用")
    return item.code


def _unit(session: Session, _f: FormField, text: str, _on: date) -> str:
    unit = TABLES["unit"].c
    if session.scalar(select(unit.id).where(unit.unit_code == text, unit.removed_on.is_(None))) is None:
        raise Fault(f"没有机构 {text[:20]}")
    return text


def _record(session: Session, f: FormField, text: str, may_name: Callable[[int], bool]) -> str:
    dataset = dictionary()[f.dataset or ""]
    table = TABLES[dataset.name].c
    unit_id = session.scalar(select(table.unit_id).where(table[dataset.key] == text, table.removed_on.is_(None)))
    if unit_id is None or not may_name(unit_id):
        raise Fault(f"没有编码为 {text[:40]} 的{dataset.title}")
    return text


_LOOKED_UP: dict[str, Callable[[Session, FormField, str, date], Any]] = {
    "process": _process,
    "code": _code,
    "unit": _unit,
}


def shown_form(session: Session, fields: Iterable[FormField], values: Mapping[str, Any]) -> list[Line]:
    """The filled-in fields in order, as a person reads them: labels of codes, names of units."""
    filled = [each for each in fields if values.get(each.name) not in (None, "", [])]
    names = unit_names(session, [values[each.name] for each in filled if each.type == "unit"])
    return [
        Line(each, "", tuple(values[each.name])) if each.type == "files" else Line(each, _read(each, values[each.name], names))
        for each in filled
    ]  # fmt: skip


def unit_names(session: Session, codes: list[str]) -> dict[str, str]:
    """Code → name of units, as far as there are such."""
    if not codes:
        return {}
    unit = TABLES["unit"].c
    return {
        row.unit_code: row.name
        for row in session.execute(select(unit.unit_code, unit.name).where(unit.unit_code.in_(codes)))
    }


def _read(f: FormField, value: Any, units: Mapping[str, str]) -> str:
    if f.type == "flag":
        return "是" if value else "否"
    if f.type == "choice":
        return f.options.get(value, str(value))
    if f.type == "process":
        return book().process(value).title if value in book().current else str(value)
    if f.type == "code":
        return dictionary().codes[f.codes or ""].label(value)
    if f.type == "unit":
        return f"{units.get(value, '')}（{value}）"
    return str(value)
