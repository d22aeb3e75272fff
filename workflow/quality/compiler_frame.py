"""Where labels come from: one data set under an alias, the references it follows, the measures it reads. Resolving a label adds the join."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Boolean

from workflow.quality.compiler_terms import NUMBERS, Refusal, Term
from workflow.quality.rulebook import Measure
from workflow.quality.vocabulary import quote
from workflow.registry.dictionary import Code, DataSet, Dictionary, Field
from workflow.registry.tables import ID_FACTS, USCC_FACTS

DEPTH = 2  # references that a label may follow
TODAY = {"检查日": Term(":today", "date"), "检查月": Term(":month", "month")}
_LOCAL_DAY = {
    "sqlite": "CAST(STRFTIME('%Y%m%d', {0}, '+8 hours') AS INTEGER)",
    "postgresql": "CAST(TO_CHAR({0} AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD') AS INTEGER)",
}


def name(identifier: str) -> str:
    """A quoted identifier."""
    return f'"{identifier}"'


@dataclass
class Frame:
    """The FROM side of one statement. `value` is the field that 值 stands for, `part` the code term of a per-part rule."""

    dictionary: Dictionary
    dataset: str
    dialect: str
    alias: str = "t"
    measures: Mapping[tuple[str, str], Measure] = field(default_factory=dict)
    value: Field | None = None
    part: tuple[str, Term] | None = None
    joins: dict[tuple[str, ...], str] = field(default_factory=dict)
    read_measures: dict[tuple[tuple[str, ...], str], Measure] = field(default_factory=dict)
    read_today: bool = False
    read_labels: set[tuple[str, ...]] = field(default_factory=set)

    def resolve(self, path: tuple[str, ...]) -> Term:
        """What a dotted label stands for. Raises Refusal naming the known labels."""
        if len(path) == 1:
            special = self._special(path[0])
            if special:
                return special
        if self.part and path[0] == self.part[0]:
            return self._attribute(self.part[1], path[1:])
        self.read_labels.add(path)
        return self._walk(self.dictionary[self.dataset], self.alias, (), path)

    def of(self, f: Field) -> Term:
        """One field of this frame's own record."""
        return field_term(self.alias, f, self.dictionary[self.dataset])

    def join_sql(self) -> str:
        """The joins that the resolved labels need."""
        return " ".join(self.joins.values())

    def _special(self, label: str) -> Term | None:
        if label in TODAY:
            self.read_today = True
            return TODAY[label]
        if label == "值":
            if self.value is None:
                raise Refusal("“值”只能用于逐字段的规则")
            return self.of(self.value)
        if label == "本记录":
            return Term(f"{self.alias}.id", "ref", self.dataset)
        measure = self.measures.get((self.dataset, label))
        return None if measure is None else self._measured(measure, (), self.alias)

    def _measured(self, measure: Measure, path: tuple[str, ...], alias: str) -> Term:
        if measure.per and (path or self.part is None or self.part[0] != measure.per):
            raise Refusal(f"指标“{measure.name}”按{measure.per}分列，规则须写 per: {measure.per}")
        if len(path) > 1:
            raise Refusal("指标最多经过一层引用")
        self.read_measures[path, measure.name] = measure
        figure = f"{measure_alias(measure, alias)}.{name(measure.name)}"
        if measure.fold in ("count", "sum", "previous"):
            return Term(f"COALESCE({figure}, 0)", "int")
        folded = self.dictionary[measure.source].by_label.get(measure.value or "")
        return Term(figure, folded.type if folded and folded.type in NUMBERS else "int")

    def _walk(self, dataset: DataSet, alias: str, taken: tuple[str, ...], path: tuple[str, ...]) -> Term:
        label, rest = path[0], path[1:]
        if not rest:
            measure = self.measures.get((dataset.name, label)) if taken else None
            return self._measured(measure, taken, alias) if measure else self._label(dataset, alias, label)
        found = dataset.by_label.get(label)
        if found is None:
            raise Refusal(f"{dataset.title}没有“{label}”", list(known_labels(dataset)))
        if found.type == "ref":
            target, joined = self._join(dataset, alias, found, (*taken, label))
            return self._walk(target, joined, (*taken, label), rest)
        return self._attribute(self._label(dataset, alias, label), rest)

    def _attribute(self, term: Term, rest: tuple[str, ...]) -> Term:
        if not rest:
            return term
        if term.kind != "code" or len(rest) > 1:
            raise Refusal(f"“{rest[0]}”前面应是代码项或引用项")
        return attribute_term(term, rest[0], self.dictionary.codes[term.of].items)

    def _label(self, dataset: DataSet, alias: str, label: str) -> Term:
        found = dataset.by_label.get(label)
        if found is not None:
            return field_term(alias, found, dataset)
        if label == "首录人员":
            return Term(f"{alias}.first_entered_by", "text")
        if label == "首录日期":
            return Term(_LOCAL_DAY[self.dialect].format(f"{alias}.first_entered_at"), "date")
        fact = facts_of(dataset).get(label)
        if fact:
            return Term(f"{alias}.{fact[0]}", fact[1])
        measures = [m for of, m in self.measures if of == dataset.name]
        raise Refusal(f"{dataset.title}没有“{label}”", [*known_labels(dataset), *measures])

    def _join(self, dataset: DataSet, alias: str, found: Field, path: tuple[str, ...]) -> tuple[DataSet, str]:
        if len(path) > DEPTH:
            raise Refusal(f"最多经过 {DEPTH} 层引用")
        assert found.ref is not None
        target = self.dictionary[found.ref]
        joined = self.alias_of(path)
        self.joins[path] = (
            f"LEFT JOIN {name(target.name)} {joined} ON {joined}.id = {alias}.{name(found.column)}"
            f" AND {joined}.removed_on IS NULL"
        )
        return target, joined

    def alias_of(self, path: tuple[str, ...]) -> str:
        """The alias of the record that a reference path leads to; the frame's own for none."""
        dataset, hops = self.dictionary[self.dataset], [self.alias]
        for label in path:
            hop = dataset.by_label[label]
            hops.append(hop.name)
            dataset = self.dictionary[hop.ref or ""]
        return "_".join(hops)


def measure_alias(measure: Measure, alias: str) -> str:
    """The alias under which a statement joins a measure's family to the record under `alias`."""
    return f"{alias}_m_{family_name(measure)}"


def family_name(measure: Measure) -> str:
    """Measures of one record set over one source by one path and part are computed together: a name for the lot."""
    told = "|".join(
        (
            measure.of,
            measure.source,
            measure.by,
            measure.part or "",
            (measure.fold == "previous" and measure.name) or "",
        )
    )
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def field_term(alias: str, f: Field, dataset: DataSet) -> Term:
    """A field's column as a term."""
    if f.type == "id":
        return Term(f"{alias}.{name(f.name + '_hash')}", "id")
    column = f"{alias}.{name(f.column)}"
    match f.type:
        case "code":
            return Term(column, "code", f.codes or "")
        case "ref":
            return Term(column, "ref", f.ref or "")
        case "text" | "longtext" | "uscc":
            return Term(column, "text")
    return Term(column, f.type)


def attribute_term(term: Term, attribute: str, items: tuple[Code, ...]) -> Term:
    """An attribute of a code: a CASE over the codes that have it. Codes without it give NULL."""
    having = {item.code: item.attrs[attribute] for item in items if attribute in item.attrs}
    kinds = {type(value) for value in having.values()}
    if not having or len(kinds) > 1:
        known = sorted({key for item in items for key in item.attrs})
        raise Refusal(f"代码表 {term.of} 没有统一的属性“{attribute}”", known)
    kind = {bool: "bool", int: "int", str: "text"}.get(kinds.pop())
    if kind is None:
        raise Refusal(f"代码表 {term.of} 的属性“{attribute}”应是整数、是否或文字")
    grouped: dict[str, list[str]] = {}
    for code, value in having.items():
        grouped.setdefault(_constant(value), []).append(quote(code))
    whens = " ".join(f"WHEN {term.sql} IN ({', '.join(codes)}) THEN {value}" for value, codes in grouped.items())
    return Term(f"(CASE WHEN {term.sql} IS NULL THEN NULL {whens} END)", kind)


def _constant(value: bool | int | str) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if isinstance(value, int) else quote(value)


def facts_of(dataset: DataSet) -> dict[str, tuple[str, str]]:
    """Label → (column, kind) of the facts that were computed at writing about an ID number or a credit code."""
    made: dict[str, tuple[str, str]] = {}
    types = {f.type for f in dataset.fields.values()}
    for wanted, facts in (("id", ID_FACTS), ("uscc", USCC_FACTS)):
        if wanted in types:
            made |= {label: (column, "bool" if kind is Boolean else "text") for column, (label, kind) in facts.items()}
    return made


def known_labels(dataset: DataSet) -> tuple[str, ...]:
    """Every label that a rule of this data set may use."""
    return (*dataset.by_label, *facts_of(dataset), "首录人员", "首录日期")


def shown_path(dictionary: Dictionary, dataset: str, path: tuple[str, ...]) -> tuple[str, ...]:
    """The path whose value is shown for a label: for a reference the referred record's name, else its key."""
    holder = dictionary[dataset]
    for label in path[:-1]:
        step = holder.by_label.get(label)
        if step is None or step.type != "ref":
            return path
        holder = dictionary[step.ref or ""]
    last = holder.by_label.get(path[-1])
    if last is None or last.type != "ref":
        return path
    target = dictionary[last.ref or ""]
    return (*path, (target.fields.get("name") or target.fields[target.key]).label)
