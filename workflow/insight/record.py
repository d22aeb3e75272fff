"""The page of one record: fields in their groups with first recorders, what changed when and by whom, open problems by field. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, func, literal, select, union_all
from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher
from workflow.errors import NotFound
from workflow.insight.lamps import View
from workflow.insight.tickets import tickets_of_record
from workflow.insight.wording import rule_named, said
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.history import FirstEntries, first_entries, held_on, versions
from workflow.registry.models import RecordVersion
from workflow.registry.queries import Record, find_by_key, titles_of
from workflow.registry.tables import TABLES
from workflow.registry.values import show

KINDS = {"create": "首次录入", "change": "修改", "remove": "移除", "revive": "恢复"}
SOURCES = {"form": "页面填报", "import": "文件导入", "feed": "外部数据", "auto": "自动修正"}
RELATED = 40


@dataclass(frozen=True)
class Change:
    """One field of one version: what it was and what it became, as shown."""

    field: Field
    old: str
    new: str


@dataclass(frozen=True)
class Version:
    """One write of the record."""

    number: int
    kind: str
    at: datetime
    effective_on: date
    by: str
    on_behalf_of: str | None
    basis: str | None
    source: str
    source_ref: str | None
    case_id: int | None
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Problem:
    """One ticket of the record with its sentence."""

    ticket: Row[Any]
    says: str
    field: str


@dataclass(frozen=True)
class RecordPage:
    """Everything that the page of a record shows. `texts`: field name → shown text, as of `day` where one was asked for."""

    record: Record
    texts: Mapping[str, str]
    titles: Mapping[tuple[str, int], str]
    first: FirstEntries | None
    versions: Sequence[Version]
    problems: Sequence[Problem]
    day: date | None
    absent: bool

    @property
    def open(self) -> list[Problem]:
        """The problems that are still open."""
        return [p for p in self.problems if p.ticket.open]

    def of_field(self, f: Field) -> list[Problem]:
        """The open problems that concern one field."""
        return [p for p in self.open if p.field == f.name]


def record_named(session: Session, seen: View, dataset: str, key: str) -> Record:
    """The record of that key within the person's scope, removed or not. Raises NotFound."""
    if dataset not in dictionary().datasets:
        raise NotFound
    record = find_by_key(session, dataset, key, removed=True)
    if record is None or not visible(seen, record):
        raise NotFound
    return record


def visible(seen: View, record: Record) -> bool:
    """Whether a record's unit lies in the person's scope; one without unit is for those only who see everything."""
    if record.unit_id is None or record.unit_id not in seen.tree.nodes:
        return seen.visible is None
    return seen.sees(record.unit_id)


def record_page(session: Session, record: Record, day: date | None) -> RecordPage:
    """The page of a record, with its values as of a day where one is given. At most seven statements."""
    dataset = record.dataset
    written = versions(session, dataset.name, record.id)
    values = record.values if day is None else held_on(dataset, written, day)
    titles = _titles(session, dataset, [record.values, values or {}], written)
    texts = {} if values is None else {n: text_of(f, values.get(n), titles) for n, f in dataset.fields.items()}
    return RecordPage(
        record=record,
        texts=texts,
        titles=titles,
        first=first_entries(written),
        versions=[_version(dataset, v, titles) for v in reversed(written)],
        problems=[_problem(dataset, t) for t in tickets_of_record(session, dataset.name, record.id)],
        day=day,
        absent=values is None,
    )


def text_of(f: Field, value: Any, titles: Mapping[tuple[str, int], str]) -> str:
    """A value as the page shows it: references by name and key, ID numbers and telephones masked."""
    if value is None or isinstance(value, bytes):
        return ""
    if f.type == "ref":
        return titles.get((f.ref or "", value), f"#{value}")
    return show(f, value["masked"] if isinstance(value, dict) else value)


def _titles(
    session: Session, dataset: DataSet, rows: Iterable[Mapping[str, Any]], written: Sequence[RecordVersion]
) -> dict[tuple[str, int], str]:
    """(data set, id) → name of everything that the record ever referred to, one statement a data set."""
    rows = list(rows)
    wanted: dict[str, set[int]] = {}
    for f in dataset.fields.values():
        if f.type == "ref" and f.ref:
            told = [row.get(f.name) for row in rows]
            told += [value for v in written for value in v.changes.get(f.name, ())]
            wanted.setdefault(f.ref, set()).update(value for value in told if isinstance(value, int))
    return {(ref, i): title for ref, ids in wanted.items() if ids for i, title in titles_of(session, ref, ids).items()}


def _version(dataset: DataSet, v: RecordVersion, titles: Mapping[tuple[str, int], str]) -> Version:
    changes = [
        Change(
            dataset.fields[name], text_of(dataset.fields[name], old, titles), text_of(dataset.fields[name], new, titles)
        )
        for name, (old, new) in v.changes.items()
        if name in dataset.fields
    ]
    source = SOURCES.get(v.source, v.source)
    return Version(
        v.version,
        KINDS.get(v.kind, v.kind),
        v.at,
        v.effective_on,
        v.by,
        v.on_behalf_of,
        v.basis,
        source,
        v.source_ref,
        v.case_id,
        tuple(changes),
    )


def _problem(dataset: DataSet, ticket: Row[Any]) -> Problem:
    rule = rule_named(ticket.rule_id, ticket.dataset)
    name = ticket.part if rule is not None and rule.by_field else ticket.field
    first = name.split(".")[0]
    field = dataset.by_label[first].name if first in dataset.by_label else first
    return Problem(ticket, said(rule, ticket.part, ticket.facts) if rule else ticket.title, field)


def related(session: Session, record: Record) -> dict[str, list[Any]]:
    """Data set → (key, name) of the present records that refer to this one, at most forty each; one statement."""
    parts = []
    for other in dictionary().datasets.values():
        table = TABLES[other.name].c
        for f in other.fields.values():
            if f.ref == record.dataset.name and other.unit is not None and record.dataset.unit is not None:
                name = table.name if "name" in table else literal("")
                part = select(literal(other.name).label("dataset"), table[other.key].label("key"), name.label("name"))
                part = part.where(table[f.column] == record.id, table.removed_on.is_(None)).limit(RELATED)
                parts.append(select(*part.subquery().c))
    found: dict[str, list[Any]] = {}
    for row in session.execute(union_all(*parts)) if parts else ():
        found.setdefault(row.dataset, []).append(row)
    return found


def referring(session: Session, record: Record) -> int:
    """How many present records refer to this one: while there are any, it is not removed."""
    parts = []
    for other in dictionary().datasets.values():
        table = TABLES[other.name].c
        parts += [
            select(func.count().label("n")).where(
                table[f.column] == record.id, table.removed_on.is_(None), table.id != record.id
            )
            for f in other.fields.values()
            if f.ref == record.dataset.name
        ]
    return session.scalar(select(func.sum(union_all(*parts).subquery().c.n))) or 0 if parts else 0


def plain_text(record: Record, f: Field) -> str:
    """What a form holds of a field: masked telephones in full for who may write them, ID numbers as their mask."""
    value = record.values[f.name]
    if value is None or isinstance(value, bytes):
        return ""
    return str(value) if f.sensitive == "masked" else show(f, value)


def has_id_number(record: Record) -> bool:
    """Whether the record holds an ID number."""
    return bool(_sealed(record))


def id_number(record: Record) -> str:
    """The record's whole ID number; empty where it has none."""
    sealed = _sealed(record)
    return field_cipher().open(bytes(sealed)) if sealed else ""


def _sealed(record: Record) -> bytes | None:
    f = next((f for f in record.dataset.fields.values() if f.type == "id"), None)
    return record.columns[f.column] if f else None
