"""The roster: one page of one data set's records as a person may see them, narrowed by unit, words, codes and light. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, literal_column, or_, select
from sqlalchemy.orm import Session

from workflow.access.crypto import FieldCipher, field_cipher
from workflow.access.scopes import Actor, in_scope
from workflow.engine.models import Case
from workflow.engine.sets import among
from workflow.errors import BadInput
from workflow.insight.columns import LISTED
from workflow.insight.lamps import View
from workflow.insight.remembered import shared
from workflow.quality.models import Ticket
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.tables import TABLES
from workflow.registry.values import show

READ = "record.read"
ID_NUMBER = re.compile(r"\d{15}|\d{17}[\dXx]")
TOP = "\U0010ffff"
COUNTED = 2_000  # a list is counted up to here, beyond it is “more than”
MANY = 0.2  # share of all units from which walking the key's index beats collecting by unit, wherever in it they stand


@dataclass(frozen=True)
class RosterFilter:
    """What the list is narrowed to. `unit` is a unit code, with its subordinates unless `own`; `codes` pairs of field and code."""

    dataset: str = "person"
    text: str = ""
    unit: str = ""
    own: bool = False
    light: str = ""
    codes: tuple[tuple[str, str], ...] = ()
    removed: bool = False


@dataclass(frozen=True)
class Line:
    """One record of a list: its id, key, unit, lamp (empty where nothing is wrong), and field → shown text."""

    id: int
    key: str
    unit_id: int
    lamp: str
    cells: Mapping[str, str]


def roster(
    session: Session,
    actor: Actor,
    seen: View,
    wanted: RosterFilter,
    *,
    after: Sequence[Any] | None = None,
    limit: int = 50,
) -> tuple[list[Line], list[Any] | None]:
    """One page in order of key, and the cursor of the next (None on the last). At most five statements."""
    dataset = dictionary()[wanted.dataset]
    table = TABLES[wanted.dataset].c
    key = table[dataset.key]
    fields = [dataset.fields[name] for name in LISTED[wanted.dataset]]
    statement = select(*_selected(dataset, fields)).where(*where(session, actor, seen, wanted))
    if after:
        if len(after) != 1 or not isinstance(after[0], str):
            raise BadInput("翻页标记无效，请回到第一页")
        statement = statement.where(key > after[0])
    collected = not _walked(seen, dataset, _chosen(seen, wanted))
    order = key + literal_column("''") if collected else key  # no index has that: the records of the units are sorted
    rows = session.execute(statement.order_by(order).limit(limit + 1)).all()
    lines = _lines(session, seen, wanted.dataset, fields, rows[:limit])
    return lines, [rows[limit - 1].record_key] if len(rows) > limit else None


def counted(session: Session, actor: Actor, seen: View, wanted: RosterFilter) -> int:
    """How many records the list has, counted up to 2,001: more is “more than 2,000”."""
    some = select(TABLES[wanted.dataset].c.id).where(*where(session, actor, seen, wanted)).limit(COUNTED + 1)
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def counted_exactly(session: Session, actor: Actor, seen: View, wanted: RosterFilter) -> int:
    """How many records the list has, whatever it takes: for what is asked once."""
    every = select(func.count()).select_from(TABLES[wanted.dataset]).where(*where(session, actor, seen, wanted))
    return session.scalar(every) or 0


def where(session: Session, actor: Actor, seen: View, wanted: RosterFilter) -> list[ColumnElement[bool]]:
    """The conditions of a list, the person's scope first."""
    dataset = dictionary()[wanted.dataset]
    table = TABLES[wanted.dataset].c
    conditions = _scope(actor, seen, wanted, dataset)
    if not wanted.removed:
        conditions.append(table.removed_on.is_(None))
    for name, code in wanted.codes:
        conditions.append(table[dataset.fields[name].column] == code)
    if wanted.text:
        conditions.append(meant(dataset, wanted.text))
    if wanted.light:
        conditions.append(among(session, table.id, lit(session, seen, wanted)))
    return conditions


def _scope(actor: Actor, seen: View, wanted: RosterFilter, dataset: DataSet) -> list[ColumnElement[bool]]:
    """Scope and chosen unit. Where they cover many units, the unit's index is kept out, so that the key's index gives the order."""
    name = unit_column(dataset)
    column: Any = TABLES[wanted.dataset].c[name]
    chosen = _chosen(seen, wanted)
    if chosen is None:
        return []
    if not chosen and wanted.unit:
        return [literal_column("1") == literal_column("0")]
    if _walked(seen, dataset, chosen) and name != "id":
        column = literal_column(f'+"{wanted.dataset}"."{name}"', column.type)
    chosen_units: ColumnElement[bool] = column.in_(chosen) if wanted.unit else in_scope(actor, READ, column)
    return [chosen_units]


def _chosen(seen: View, wanted: RosterFilter) -> list[int] | None:
    """The units whose records are listed; None for all there are."""
    if not wanted.unit:
        return None if seen.visible is None else sorted(seen.visible)
    root = seen.tree.by_code.get(wanted.unit)
    if root is None or not seen.sees(root):
        return []
    return [root] if wanted.own else [unit for unit in seen.tree.below(root) if seen.sees(unit)]


def _walked(seen: View, dataset: DataSet, chosen: Sequence[int] | None) -> bool:
    """Whether the key's index is walked for the page, rather than the records of the units collected and sorted."""
    if chosen is None or unit_column(dataset) == "id":
        return True
    return len(chosen) > 1 and len(chosen) > MANY * len(seen.tree.nodes)


def unit_column(dataset: DataSet) -> str:
    """The column that says to which unit a record belongs."""
    return dataset.fields[dataset.unit].column if dataset.unit else "id"


def meant(dataset: DataSet, words: str) -> ColumnElement[bool]:
    """What words mean: a whole ID number by its digest, else the beginning of key, name or document number (units: any part of the name)."""
    table = TABLES[dataset.name].c
    for f in dataset.fields.values():
        if f.type == "id" and ID_NUMBER.fullmatch(words):
            return table[f"{f.name}_hash"].in_(field_cipher().digests(words.upper()))
    documents = [table[name] for name in ("doc_no", "approve_doc_no") if name in table]
    if words.isascii():
        return _begins(table[dataset.key], words.upper())
    if "name" not in table:
        return or_(*(_begins(column, words) for column in documents), _begins(table[dataset.key], words))
    by_name = table.name.contains(words, autoescape=True) if dataset.unit is None else _begins(table.name, words)
    return or_(by_name, *(_begins(column, words) for column in documents)) if documents else by_name


def _begins(column: Any, words: str) -> ColumnElement[bool]:
    return (column >= words) & (column < words + TOP)


def lit(session: Session, seen: View, wanted: RosterFilter) -> list[int]:
    """The ids of the records with an open ticket of the wanted light (`lit`: of any), of the visible or the chosen units."""
    found = shared(session, ("lit", wanted.dataset), seen.lights, lambda: _lit(session, wanted.dataset))
    units: Any = seen.visible
    if wanted.unit:
        root = seen.tree.by_code.get(wanted.unit)
        units = set() if root is None else {root} if wanted.own else set(seen.tree.below(root))
    wanted_light = {"lit": ("red", "yellow", "none")}.get(wanted.light, (wanted.light,))
    return [record for record, unit, light in found if light in wanted_light and (units is None or unit in units)]


def _lit(session: Session, dataset: str) -> list[tuple[int, int, str]]:
    """(record id, unit id, light) of every open ticket of a data set."""
    rows = select(Ticket.record_id, Ticket.unit_id, Case.light).join(Case, Case.id == Ticket.case_id)
    return [
        (row[0], row[1], row[2]) for row in session.execute(rows.where(Case.open, Ticket.dataset == dataset).distinct())
    ]


def _selected(dataset: DataSet, fields: Iterable[Field]) -> list[Any]:
    table = TABLES[dataset.name].c
    columns = {f.column: table[f.column] for f in fields}
    unit = table[unit_column(dataset)].label("of_unit")
    return [
        table.id.label("record_id"),
        table[dataset.key].label("record_key"),
        unit,
        table.removed_on,
        *columns.values(),
    ]


def _lines(session: Session, seen: View, dataset: str, fields: Sequence[Field], rows: Sequence[Row[Any]]) -> list[Line]:
    worst = lamps_of(session, dataset, [row.record_id for row in rows])
    names, cipher = referred(session, seen, fields, rows), field_cipher()
    return [
        Line(
            row.record_id,
            row.record_key,
            row.of_unit,
            worst.get(row.record_id, ""),
            {f.name: told(f, row._mapping[f.column], names, cipher) for f in fields},
        )
        for row in rows
    ]


def told(f: Field, value: Any, names: Mapping[tuple[str, int], str], cipher: FieldCipher) -> str:
    """A stored value as a person reads it: codes and references by name, ID numbers masked."""
    if value is None:
        return ""
    if f.type == "ref":
        return names.get((f.ref or "", value), f"#{value}")
    return show(f, cipher.open(bytes(value)) if f.type == "id" else value)


def lamps_of(session: Session, dataset: str, record_ids: Sequence[int]) -> dict[int, str]:
    """Record id → its lamp, for those with open tickets."""
    if not record_ids:
        return {}
    order = case((Case.light == "red", 2), (Case.light == "yellow", 1), else_=0)
    rows = session.execute(
        select(Ticket.record_id, func.max(order))
        .join(Case, Case.id == Ticket.case_id)
        .where(Ticket.dataset == dataset, Ticket.record_id.in_(record_ids), Case.open)
        .group_by(Ticket.record_id)
    )
    return {record_id: ("none", "yellow", "red")[worst] for record_id, worst in rows}


def referred(session: Session, seen: View, fields: Iterable[Field], rows: Sequence[Any]) -> dict[tuple[str, int], str]:
    """(data set, id) → name of every record that the rows refer to; units come from the tree, others by one statement a data set."""
    wanted: dict[str, set[int]] = {}
    for f in fields:
        if f.type == "ref" and f.ref:
            found = (row._mapping[f.column] if hasattr(row, "_mapping") else row[f.column] for row in rows)
            wanted.setdefault(f.ref, set()).update(value for value in found if value is not None)
    names: dict[tuple[str, int], str] = {}
    for name, ids in wanted.items():
        if name == "unit":
            names.update({("unit", i): seen.tree.nodes[i].name for i in ids if i in seen.tree.nodes})
            ids = {i for i in ids if i not in seen.tree.nodes}
        if ids:
            table, key = TABLES[name].c, dictionary()[name].key
            label = func.coalesce(table.name, table[key]) if "name" in table else table[key]
            names.update(
                {(name, row[0]): row[1] for row in session.execute(select(table.id, label).where(table.id.in_(ids)))}
            )
    return names
