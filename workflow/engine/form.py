"""What a person tells a process: the fields of its form and the inputs of its steps, as the table describes them. Shapes only, no values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflow.errors import DefinitionError

TYPES = ("text", "long", "int", "date", "month", "flag", "choice", "code", "process", "unit", "record", "files")
COMPLETE = "form_is_complete"  # the guard that asks for every required field before a matter is sent on
KEYS = {
    "name", "label", "type", "required", "min", "max", "options", "codes", "dataset", "only", "help"
}  # fmt: skip


@dataclass(frozen=True)
class FormField:
    """One thing that is asked for.

    `options`: value → label (choice); `codes`: name of the code list (code); `dataset`: whose record key (record);
    `min` and `max`: bounds of a number, `max` the letters of a text; `only`: field → values for which this one is asked.
    """

    name: str
    label: str
    type: str = "text"
    required: bool = False
    min: int | None = None
    max: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    codes: str | None = None
    dataset: str | None = None
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    help: str = ""

    def asked(self, values: Mapping[str, Any]) -> bool:
        """Whether the field is asked for, given what the others say."""
        return all(values.get(name) in allowed for name, allowed in self.only.items())


# Inputs that every process may need, unless it describes them itself.
COMMON = {
    each.name: each
    for each in (
        FormField("reason", "理由", "long", max=2000),
        FormField("text", "情况说明", "long", max=2000),
        FormField("evidence", "证明材料", "files"),
        FormField("months", "月数", "int", min=1, max=12),
        FormField("ends_on", "截止日期", "date"),
        FormField("expires_on", "有效期", "date"),
        FormField("fact_on", "事实或文件日期", "date"),
    )
}


def read_fields(specs: Iterable[Any], file: str, row: str) -> tuple[FormField, ...]:
    """The fields of a form, in order. Raises DefinitionError naming file, row and what is known."""
    fields: list[FormField] = []
    for spec in specs:
        if not isinstance(spec, dict):
            raise DefinitionError("应为“键: 值”", file=file, row=row, known=sorted(KEYS))
        fields.append(_field(spec, file, f"{row}.{spec.get('name', '')}"))
    names = [each.name for each in fields]
    if len(set(names)) < len(names):
        raise DefinitionError("有同名的字段", file=file, row=row)
    for each in fields:
        for name in each.only:
            if name not in names:
                raise DefinitionError(
                    f"only 提到的字段“{name}”不存在", file=file, row=f"{row}.{each.name}", known=names
                )
    return tuple(fields)


def _field(spec: Mapping[str, Any], file: str, row: str) -> FormField:
    for key in spec:
        if key not in KEYS:
            raise DefinitionError(f"不认识的键“{key}”", file=file, row=row, known=sorted(KEYS))
    for key in ("name", "label"):
        if not isinstance(spec.get(key), str):
            raise DefinitionError(f"缺少“{key}”", file=file, row=row)
    kind = spec.get("type", "text")
    if kind not in TYPES:
        raise DefinitionError(f"没有“{kind}”这种字段", file=file, row=row, known=list(TYPES))
    for needed in {"choice": ("options",), "code": ("codes",), "record": ("dataset",)}.get(kind, ()):
        if not spec.get(needed):
            raise DefinitionError(f"“{kind}”字段缺少“{needed}”", file=file, row=row)
    only = {name: tuple(v if isinstance(v, list) else [v]) for name, v in spec.get("only", {}).items()}
    return FormField(
        spec["name"], spec["label"], kind, bool(spec.get("required", False)), spec.get("min"), spec.get("max"),
        dict(spec.get("options", {})), spec.get("codes"), spec.get("dataset"), only, spec.get("help", ""),
    )  # fmt: skip


def missing_fields(fields: Iterable[FormField], values: Mapping[str, Any]) -> list[FormField]:
    """The required fields that are asked for and still empty."""
    return [each for each in fields if each.required and each.asked(values) and values.get(each.name) in (None, "", [])]
