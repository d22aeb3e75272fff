"""Rules and measures as data: what definitions/rules/*.yaml say, not yet proved. rules.py proves them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workflow.errors import DefinitionError
from workflow.registry.dictionary import Dictionary

LEVELS = {"B": "阻断", "E": "错误", "W": "疑点", "H": "提示"}
SHAPES = ("must", "unique", "none", "some", "required", "codes", "codes_retired", "no_matter")
RULE_KEYS = {
    "id", "title", "of", "level", "levels", "field", "when", "must", "basis", "message", "remedy", "flips", "per",
    "unique", "differs", "none", "some", "required", "codes", "codes_retired", "each", "note", "no_matter",
}  # fmt: skip
MEASURE_KEYS = {
    "name",
    "of",
    "from",
    "by",
    "where",
    "value",
    "fold",
    "per",
    "part",
    "flips",
    "note",
    "previous",
    "order",
}
NO_GROUP = ("measures.yaml", "vocabulary.yaml", "waiting.yaml")
FOLDS = ("count", "sum", "min", "max")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Other:
    """Another data set that a rule looks into: pairs of (my label, their label), and whom of them."""

    of: str
    on: tuple[tuple[str, str], ...]
    where: str | None = None
    flips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matter:
    """A state in which a unit may have no case of a process, and how that reads.

    `tells`: pairs of (label in the message, what the case keeps under it).
    """

    process: str
    state: str
    reads: str
    tells: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule for one data set: to whom it applies, what has to hold, and what to tell whom it hits."""

    id: str
    group: str
    title: str
    dataset: str
    level: str
    message: str
    remedy: str
    basis: tuple[str, ...]
    shape: str
    file: str = ""
    field: str = ""
    when: str | None = None
    must: str | None = None
    flips: tuple[str, ...] = ()
    per: str | None = None
    each: str | tuple[str, ...] | None = None
    unique: tuple[str, ...] = ()
    differs: str | None = None
    other: Other | None = None
    matter: Matter | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(rule id, data set): what is judged, timed and closed as one."""
        return self.id, self.dataset

    @property
    def by_field(self) -> bool:
        """Whether a finding stands for one field of the record (part = field name)."""
        return self.each is not None or self.shape in ("required", "codes", "codes_retired")

    @functools.cached_property
    def placeholders(self) -> tuple[str, ...]:
        """The labels in the message, each once, in order."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.message)))

    @property
    def text(self) -> str:
        """The rule as an expert reads it on the page."""
        head = f"当 {self.when}，" if self.when else ""
        return head + _says(self)


@dataclass(frozen=True)
class Measure:
    """A figure of one record, folded over the records of another data set; `per` makes it one figure per part.

    fold `previous`: the value of the record before it in `order` among those with the same `keys` (0 for the first).
    """

    name: str
    of: str
    source: str
    by: str
    fold: str = "count"
    value: str | None = None
    where: str | None = None
    per: str | None = None
    part: str | None = None
    flips: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RuleBook:
    """All rules and measures in force, and the dictionary they speak of; `hash` covers everything that may change an answer."""

    rules: tuple[Rule, ...]
    measures: dict[tuple[str, str], Measure]
    groups: dict[str, str]
    hash: str
    dictionary: Dictionary
    waiting: tuple[dict[str, Any], ...] = ()
    like: RuleBook | None = (
        None  # the book that this one amends: same measures, same dictionary, most of the same rules
    )

    @functools.cached_property
    def by_key(self) -> dict[tuple[str, str], Rule]:
        """(rule id, data set) → rule."""
        return {rule.key: rule for rule in self.rules}

    @functools.cached_property
    def by_id(self) -> dict[str, tuple[Rule, ...]]:
        """Rule id → the rule for each of its data sets."""
        made: dict[str, list[Rule]] = {}
        for rule in self.rules:
            made.setdefault(rule.id, []).append(rule)
        return {rule_id: tuple(rules) for rule_id, rules in made.items()}

    @functools.cached_property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that any rule judges, in the order of the book."""
        return tuple(dict.fromkeys(rule.dataset for rule in self.rules))

    def of(self, dataset: str) -> tuple[Rule, ...]:
        """The rules that judge a data set."""
        return tuple(rule for rule in self.rules if rule.dataset == dataset)


def read_rules(folder: Path) -> tuple[list[Rule], dict[str, str]]:
    """Every rule of every group file, one per data set, and the groups' titles."""
    rules: list[Rule] = []
    groups: dict[str, str] = {}
    for path in sorted((folder / "rules").glob("*.yaml")):
        if path.name in ("measures.yaml", "vocabulary.yaml", "waiting.yaml"):
            continue
        raw = _read(path)
        groups[raw["group"]] = raw["title"]
        for row in raw["rules"]:
            rules += rules_of_row(path.name, raw["group"], row)
    return rules, groups


def read_measures(folder: Path) -> dict[tuple[str, str], Measure]:
    """Every measure, by (data set that it is a figure of, name)."""
    path = folder / "rules" / "measures.yaml"
    made: dict[tuple[str, str], Measure] = {}
    for row in _read(path)["measures"] if path.exists() else ():
        measure = _measure(path.name, row)
        if (measure.of, measure.name) in made:
            raise DefinitionError("指标重名", file=path.name, row=measure.name)
        made[measure.of, measure.name] = measure
    return made


def read_waiting(folder: Path) -> tuple[dict[str, Any], ...]:
    """The rules of the catalogue that wait for other departments' data or later processes: id, title, why."""
    path = folder / "rules" / "waiting.yaml"
    return tuple(_read(path)["waiting"]) if path.exists() else ()


def _read(path: Path) -> dict[str, Any]:
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if isinstance(loaded, list):
        return {path.stem: loaded}
    if not isinstance(loaded, dict):
        raise DefinitionError("文件应是一张表", file=path.name)
    return loaded


def rules_of_row(file: str, group: str, row: dict[str, Any]) -> list[Rule]:
    """The rules of one row of a group file, one per data set. Raises DefinitionError naming file and rule."""
    name = str(row.get("id"))
    if set(row) - RULE_KEYS:
        raise DefinitionError(f"未知的键 {sorted(set(row) - RULE_KEYS)}", file=file, row=name, known=sorted(RULE_KEYS))
    missing = {"id", "title", "of", "message", "remedy", "basis"} - set(row)
    if missing:
        raise DefinitionError(f"缺少 {sorted(missing)}", file=file, row=name)
    datasets = [row["of"]] if isinstance(row["of"], str) else row["of"]
    return [_rule(file, group, row, dataset) for dataset in datasets]


def _rule(file: str, group: str, row: dict[str, Any], dataset: str) -> Rule:
    shapes = [shape for shape in SHAPES if row.get(shape)]
    if len(shapes) != 1:
        raise DefinitionError(f"应恰有一种写法，现有 {shapes or '无'}", file=file, row=row["id"], known=list(SHAPES))
    shape = shapes[0]
    return Rule(
        id=row["id"],
        group=group,
        title=row["title"],
        dataset=dataset,
        level=_level(file, row, dataset),
        message=row["message"].strip(),
        remedy=row["remedy"].strip(),
        basis=_several(row["basis"]),
        shape=shape,
        file=file,
        field=row.get("field", ""),
        when=_text(row.get("when")),
        must=_text(row.get("must")),
        flips=_several(row.get("flips", ())),
        per=row.get("per"),
        each=_each(row.get("each")),
        unique=_several(row.get("unique", ())),
        differs=row.get("differs"),
        other=_other(file, row["id"], row[shape]) if shape in ("none", "some") else None,
        matter=_matter(file, row["id"], dataset, row[shape]) if shape == "no_matter" else None,
    )


def _level(file: str, row: dict[str, Any], dataset: str) -> str:
    level = row.get("levels", {}).get(dataset, row.get("level"))
    if level not in LEVELS:
        raise DefinitionError(f"未知的级别 {level}", file=file, row=row["id"], known=list(LEVELS))
    return str(level)


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(one) for one in value or ())


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip()


def _each(value: Any) -> str | tuple[str, ...] | None:
    return value if value is None or isinstance(value, str) else tuple(value)


def _other(file: str, name: str, raw: dict[str, Any]) -> Other:
    known = {"of", "match", "where", "flips"}
    if set(raw) - known or not {"of", "match"} <= set(raw):
        raise DefinitionError("另一数据集须写明 of 与 match", file=file, row=name, known=sorted(known))
    return Other(raw["of"], tuple(raw["match"].items()), _text(raw.get("where")), _several(raw.get("flips", ())))


def _matter(file: str, name: str, dataset: str, raw: dict[str, Any]) -> Matter:
    known, needed = {"process", "state", "reads", "tells"}, {"process", "state", "reads"}
    if dataset != "unit" or set(raw) - known or not needed <= set(raw):
        raise DefinitionError(
            "办理事项须写明 process、state 与 reads，只用于机构", file=file, row=name, known=sorted(known)
        )
    tells = {str(label): str(kept) for label, kept in raw.get("tells", {}).items()}
    bad = [kept for kept in tells.values() if not re.fullmatch("[a-z_]+", kept)]
    if bad:
        raise DefinitionError(f"事项所存内容的名称不合规 {bad}", file=file, row=name)
    return Matter(str(raw["process"]), str(raw["state"]), str(raw["reads"]), tuple(tells.items()))


def _measure(file: str, row: dict[str, Any]) -> Measure:
    name = str(row.get("name"))
    if "previous" in row:
        return _previous(file, name, row)
    if set(row) - MEASURE_KEYS or "order" in row or not {"name", "of", "from", "by"} <= set(row):
        raise DefinitionError(f"键不合规 {sorted(row)}", file=file, row=name, known=sorted(MEASURE_KEYS))
    value = _text(row.get("value", "count"))
    fold = row.get("fold") or ("count" if value == "count" else "sum")
    if fold not in FOLDS or (fold == "count") != (value == "count"):
        raise DefinitionError(f"汇总方式 {fold} 与取值 {value} 不合", file=file, row=name, known=list(FOLDS))
    return Measure(
        name=name,
        of=row["of"],
        source=row["from"],
        by=row["by"],
        fold=fold,
        value=None if value == "count" else value,
        where=_text(row.get("where")),
        per=row.get("per"),
        part=row.get("part", row.get("per")),
        flips=_several(row.get("flips", ())),
    )


def _previous(file: str, name: str, row: dict[str, Any]) -> Measure:
    known = {"name", "of", "previous", "by", "order", "where", "note"}
    if set(row) - known or not {"of", "by", "order"} <= set(row):
        raise DefinitionError(f"键不合规 {sorted(row)}", file=file, row=name, known=sorted(known))
    return Measure(
        name=name,
        of=row["of"],
        source=row["of"],
        by="",
        fold="previous",
        value=str(row["previous"]),
        where=_text(row.get("where")),
        keys=_several(row["by"]),
        order=_several(row["order"]),
    )


def _says(rule: Rule) -> str:
    match rule.shape:
        case "unique":
            tail = f"（{rule.differs}不同的记录之间）" if rule.differs else ""
            return f"{'、'.join(rule.unique)} 不得重复{tail}"
        case "none" | "some":
            assert rule.other is not None
            pairs = "、".join(mine for mine, _ in rule.other.on)
            verb = "不得有" if rule.shape == "none" else "须有"
            return f"{verb} {pairs} 相同的另一类记录{f'（{rule.other.where}）' if rule.other.where else ''}"
        case "no_matter":
            assert rule.matter is not None
            return rule.matter.reads
        case "required":
            return "数据字典规定的必填项须填写"
        case "codes":
            return "代码项须取代码表中的值"
        case "codes_retired":
            return "代码项不得取已停用的值"
    return f"须满足 {rule.must}"
