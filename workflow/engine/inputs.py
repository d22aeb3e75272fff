"""What was typed against what the table asks for: text, whole numbers, days, months, choices. Pure; codes and keys of records are looked up elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from workflow.engine.definition import Definition, Step
from workflow.engine.form import FormField
from workflow.errors import BadInput

TEXT, LONG = 200, 4000  # letters, where the table sets no other bound
INT = 10**9
KEEPS_FORM = "keep_form"  # the effect that proves the fields of a form itself
_INTEGER = re.compile(r"-?[0-9]{1,10}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Fault(Exception):
    """Half a sentence that follows the field's label."""


def prove_inputs(definition: Definition, step: Step, reason: str | None, inputs: Mapping[str, Any]) -> None:
    """Raises BadInput with every input of a step that its field does not allow, by its label; what is empty is left to `needs`.

    What the table does not ask for by name (answers by item, reasons by field) is bounded in length.
    """
    asked = {name: definition.input(name) for name in (*step.needs, *step.takes, "reason")}
    by_form = {f.name for f in definition.form} if KEEPS_FORM in step.then else set[str]()
    given = {**{name: value for name, value in inputs.items() if name not in by_form}, "reason": reason}
    faults = [
        {"field": f.name, "label": f.label, "message": f"「{f.label}」{fault}"}
        for name, value in given.items()
        for f in [asked.get(name) or FormField(name, definition.input(name).label, "long")]
        if (fault := _fault(f, value))
    ]
    if faults:
        raise BadInput("；".join(fault["message"] for fault in faults), errors=faults)


def _fault(f: FormField, value: Any) -> str:
    try:
        if isinstance(value, Mapping | list | tuple):
            for text in _texts(value):
                plain_value(FormField(f.name, f.label, "long"), text)
        elif isinstance(value, bool):
            return "" if f.type == "flag" else "填写有误"
        elif value not in (None, ""):
            plain_value(f if f.type in PLAIN else FormField(f.name, f.label), str(value))
    except Fault as fault:
        return str(fault)
    return ""


def _texts(value: Any) -> Iterator[str]:
    """Every text in a nested value, keys included."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def plain_value(f: FormField, typed: str) -> Any:
    """The value of a text as typed, None for an empty one. Raises Fault."""
    text = typed.replace("\r\n", "\n").strip()
    if _CONTROL.search(text):
        raise Fault("含有不可见字符，请删除")
    return PLAIN[f.type](f, text) if text else None


def _text(f: FormField, text: str) -> str:
    most = f.max or (LONG if f.type == "long" else TEXT)
    if len(text) > most:
        raise Fault(f"有 {len(text)} 个字，最多 {most} 个字")
    return text if f.type == "long" else " ".join(text.split())


def _integer(f: FormField, text: str) -> int:
    if not text.isascii() or not _INTEGER.fullmatch(text):
        raise Fault(f"“{text[:20]}”不是整数")
    low, high = f.min if f.min is not None else 0, f.max if f.max is not None else INT
    if not low <= int(text) <= high:
        raise Fault(f"应在 {low} 至 {high} 之间")
    return int(text)


def _date(_f: FormField, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Fault(f"“{text[:20]}”不是日期，应为 YYYY-MM-DD") from None


def _month(_f: FormField, text: str) -> str:
    if not _MONTH.fullmatch(text):
        raise Fault(f"“{text[:20]}”不是月份，应为 YYYY-MM")
    return text


def _flag(_f: FormField, text: str) -> bool:
    if text not in ("1", "0", "是", "否"):
        raise Fault("应为“是”或“否”")
    return text in ("1", "是")


def _choice(f: FormField, text: str) -> str:
    if text not in f.options:
        raise Fault(f"“{text[:20]}”不在可选范围：{'、'.join(f.options.values())}")
    return text


PLAIN: dict[str, Callable[[FormField, str], Any]] = {
    "text": _text, "long": _text, "int": _integer, "date": _date, "month": _month, "flag": _flag, "choice": _choice,
}  # fmt: skip
