"""The dictionary as data: data sets, fields and code lists read from definitions/, proved at load. The schema follows from it."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from workflow.errors import DefinitionError

DEFINITIONS = Path(__file__).resolve().parents[2] / "definitions"
TYPES = ("text", "longtext", "code", "date", "month", "int", "bool", "ref", "id", "uscc")
FIELD_KEYS = {
    "label", "type", "length", "codes", "ref", "required", "required_when", "locked", "important",
    "sensitive", "source", "basis", "note", "sample", "derived",
}  # fmt: skip
DATASET_KEYS = {
    "dataset", "title", "basis", "key", "key_pattern", "identity", "unit", "create_by", "active", "groups", "fields",
}  # fmt: skip
_IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]*$")
_LABEL = re.compile(r"^[\u4e00-\u9fff][\u4e00-\u9fff0-9A-Za-z]*$")


@dataclass(frozen=True)
class Code:
    """One entry of a code list; valid_from and valid_to are inclusive days, None is open."""

    code: str
    label: str
    valid_from: date | None = None
    valid_to: date | None = None
    parent: str | None = None
    attrs: dict[str, Any] = field(default_factory=dict, hash=False)

    def valid_on(self, day: date) -> bool:
        """Whether the code may be used for a fact of that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class CodeList:
    """A code list with validity dates, in the order of its file."""

    name: str
    title: str
    standard: str
    items: tuple[Code, ...]

    @functools.cached_property
    def by_code(self) -> dict[str, Code]:
        """Code → entry, retired ones included."""
        return {item.code: item for item in self.items}

    @functools.cached_property
    def by_label(self) -> dict[str, Code]:
        """Label → entry; where a label was used twice in history, the latest."""
        return {item.label: item for item in self.items}

    def label(self, code: str | None) -> str:
        """The label of a code; the code itself where the list does not know it, empty for none."""
        return "" if code is None else self.by_code[code].label if code in self.by_code else code


@dataclass(frozen=True)
class Field:
    """One field of a data set: what it is called, what it may hold, who may change it."""

    name: str
    label: str
    type: str
    length: int | None = None
    codes: str | None = None
    ref: str | None = None
    required: bool = False
    required_when: str | None = None
    locked: bool = False
    important: bool = False
    sensitive: str | None = None
    source: str = ""
    basis: tuple[str, ...] = ()
    note: str = ""
    sample: str = ""
    derived: bool = False

    @functools.cached_property
    def column(self) -> str:
        """The column that holds it: `unit` → unit_id for references, id_no → id_no_enc for ID numbers."""
        return {"ref": f"{self.name}_id", "id": f"{self.name}_enc"}.get(self.type, self.name)


@dataclass(frozen=True, eq=False)
class DataSet:
    """One data set of 办法4: its fields in order, its key, and how it hangs on a unit."""

    name: str
    title: str
    key: str
    fields: dict[str, Field]
    basis: tuple[str, ...] = ()
    key_pattern: str | None = None
    identity: tuple[str, ...] = ()
    unit: str | None = None
    create_by: str = "office"
    active: str | None = None
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @functools.cached_property
    def by_label(self) -> dict[str, Field]:
        """Label → field."""
        return {f.label: f for f in self.fields.values()}

    @property
    def importable(self) -> list[Field]:
        """The fields that a file may carry, key first."""
        rest = [f for f in self.fields.values() if not f.derived and f.name != self.key]
        return [self.fields[self.key], *rest]


@dataclass(frozen=True, eq=False)
class Dictionary:
    """All data sets and code lists of one release."""

    datasets: dict[str, DataSet]
    codes: dict[str, CodeList]
    amended: str = ""  # digest of the amendments to the release's code lists; empty without any

    def __getitem__(self, dataset: str) -> DataSet:
        return self.datasets[dataset]

    def codes_of(self, field_: Field) -> CodeList:
        """The code list of a coded field."""
        assert field_.codes is not None
        return self.codes[field_.codes]


_in_force: Dictionary | None = None  # the release's dictionary as amended; None where nothing is


def dictionary() -> Dictionary:
    """The dictionary in force: the release's, with the code amendments that this process has taken over."""
    return _in_force or released()


def code_of(dataset: str, name: str, label: str) -> str:
    """The code of a label in the list of a field."""
    words = dictionary()
    return words.codes_of(words[dataset].fields[name]).by_label[label].code


def put_in_force(words: Dictionary | None) -> None:
    """From now on `dictionary()` gives this one; None: the release's."""
    global _in_force
    _in_force = words


def released(folder: Path = DEFINITIONS) -> Dictionary:
    """The dictionary of this release, loaded once per process.

    Raises DefinitionError naming file and row for an unknown key, type, code list, reference, or a label used twice.
    """
    return _released(folder)


@functools.cache
def _released(folder: Path) -> Dictionary:
    codes = {c.name: c for c in map(_code_list, _files(folder / "codes"))}
    datasets = {d.name: d for d in map(_dataset, _files(folder / "dictionary"))}
    loaded = Dictionary(datasets, codes)
    for dataset in datasets.values():
        _prove(loaded, dataset)
    return loaded


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob("*.yaml")))


def _read(path: Path) -> dict[str, Any]:
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if not isinstance(loaded, dict):
        raise DefinitionError("文件应是一张表", file=path.name)
    return loaded


def _code_list(path: Path) -> CodeList:
    raw = _read(path)
    items = []
    for row in raw["items"]:
        known = {"code", "label", "valid_from", "valid_to", "parent", "note", "attrs"}
        if set(row) - known:
            raise DefinitionError(
                f"未知的键 {set(row) - known}", file=path.name, row=str(row.get("code")), known=sorted(known)
            )
        row = {k: v for k, v in row.items() if k != "note"}
        items.append(Code(**row))
    doubled = {code for code, times in Counter(i.code for i in items).items() if times > 1}
    if doubled:
        raise DefinitionError(f"代码重复 {doubled}", file=path.name)
    return CodeList(raw["list"], raw["title"], raw.get("standard", ""), tuple(items))


def _dataset(path: Path) -> DataSet:
    raw = _read(path)
    if set(raw) - DATASET_KEYS:
        raise DefinitionError(f"未知的键 {set(raw) - DATASET_KEYS}", file=path.name, known=sorted(DATASET_KEYS))
    fields = {name: _field(path, name, spec) for name, spec in raw["fields"].items()}
    groups = tuple((g["title"], tuple(g["fields"])) for g in raw.get("groups", ()))
    return DataSet(
        name=raw["dataset"],
        title=raw["title"],
        key=raw["key"],
        fields=fields,
        basis=tuple(raw.get("basis", ())),
        key_pattern=raw.get("key_pattern"),
        identity=tuple(raw.get("identity", ())),
        unit=raw.get("unit"),
        create_by=raw.get("create_by", "office"),
        active=raw.get("active"),
        groups=groups,
    )


def _field(path: Path, name: str, spec: dict[str, Any]) -> Field:
    if set(spec) - FIELD_KEYS:
        raise DefinitionError(f"未知的键 {set(spec) - FIELD_KEYS}", file=path.name, row=name, known=sorted(FIELD_KEYS))
    if spec.get("type") not in TYPES:
        raise DefinitionError(f"未知的类型 {spec.get('type')}", file=path.name, row=name, known=list(TYPES))
    spec = {**spec, "basis": tuple(spec.get("basis", ())), "sample": str(spec.get("sample", ""))}
    return Field(name=name, **spec)


def _prove(loaded: Dictionary, dataset: DataSet) -> None:
    file = f"{dataset.name}.yaml"
    if len(dataset.by_label) != len(dataset.fields):
        labels = [f.label for f in dataset.fields.values()]
        raise DefinitionError(f"标签重复 {sorted({x for x in labels if labels.count(x) > 1})}", file=file)
    for named in (dataset.key, *dataset.identity, *([dataset.unit] if dataset.unit else [])):
        if named not in dataset.fields:
            raise DefinitionError(f"没有字段 {named}", file=file, known=list(dataset.fields))
    for f in dataset.fields.values():
        _prove_field(loaded, file, f)
    grouped = [name for _, names in dataset.groups for name in names]
    unknown = set(grouped) - set(dataset.fields)
    missing = set(dataset.fields) - set(grouped)
    if unknown or missing or len(grouped) != len(set(grouped)):
        raise DefinitionError(
            f"分组应恰好列出每个字段一次（多出 {unknown or '无'}，缺少 {missing or '无'}）", file=file
        )


def _prove_field(loaded: Dictionary, file: str, f: Field) -> None:
    if not _IDENTIFIER.match(f.name) or not _LABEL.match(f.label):
        raise DefinitionError(f"名称或标签不合规：{f.name} / {f.label}", file=file, row=f.name)
    if f.type == "code" and f.codes not in loaded.codes:
        raise DefinitionError(f"没有代码表 {f.codes}", file=file, row=f.name, known=list(loaded.codes))
    if f.type == "ref" and f.ref not in loaded.datasets:
        raise DefinitionError(f"没有数据集 {f.ref}", file=file, row=f.name, known=list(loaded.datasets))
    if f.type == "text" and not f.length:
        raise DefinitionError("文本字段须有长度", file=file, row=f.name)
