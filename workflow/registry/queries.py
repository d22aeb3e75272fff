"""Records found: by key, by id, by search; the unit tree as a page shows it. Reads only, each function one or two statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, func, or_, select
from sqlalchemy.orm import Session

from workflow.access.crypto import FieldCipher, field_cipher, mask_id
from workflow.errors import BadInput
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.identity import FIFTEEN, STANDARD, id_form
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES
from workflow.registry.values import show

PAGE = 50


@dataclass(frozen=True)
class Record:
    """One stored record: field name → value (dates as date, references as ids, ID numbers masked), facts by column."""

    dataset: DataSet
    id: int
    key: str
    version: int
    values: dict[str, Any]
    columns: Mapping[str, Any]

    @property
    def removed(self) -> bool:
        """Whether it was removed; it is then shown in histories only."""
        return self.columns["removed_on"] is not None

    @property
    def unit_id(self) -> int | None:
        """The unit that it belongs to; a unit belongs to itself."""
        return self.id if self.dataset.unit is None else self.values[self.dataset.unit]

    def text(self, name: str) -> str:
        """A field as Chinese text."""
        return show(self.dataset.fields[name], self.values[name])


@dataclass(frozen=True)
class Page:
    """Some records in key order; `cursor` continues after the last, None at the end."""

    records: list[Record]
    cursor: str | None


def find_by_key(session: Session, dataset: str, key: str, *, removed: bool = False) -> Record | None:
    """The record of that key; removed ones only where asked for."""
    table = TABLES[dataset]
    wanted = select(table).where(table.c[dictionary()[dataset].key] == key)
    return _first(session, dataset, wanted if removed else wanted.where(table.c.removed_on.is_(None)))


def find_by_id(session: Session, dataset: str, record_id: int) -> Record | None:
    """The record of that id, removed or not."""
    table = TABLES[dataset]
    return _first(session, dataset, select(table).where(table.c.id == record_id))


def _first(session: Session, dataset: str, wanted: Select[Any]) -> Record | None:
    row = session.execute(wanted).one_or_none()
    return None if row is None else _record(dictionary()[dataset], row, field_cipher())


def _record(dataset: DataSet, row: Row[Any], cipher: FieldCipher) -> Record:
    columns = dict(row._mapping)
    values = {f.name: columns[f.column] for f in dataset.fields.values()}
    for f in dataset.fields.values():
        if f.type == "id" and values[f.name]:
            values[f.name] = mask_id(cipher.open(values[f.name]))
    return Record(dataset, columns["id"], columns[dataset.key], columns["version"], values, columns)


def plain_id(record: Record) -> str | None:
    """The whole ID number of a record. The caller has asked for permission and writes the audit row."""
    f = next(f for f in record.dataset.fields.values() if f.type == "id")
    sealed = record.columns[f.column]
    return field_cipher().open(sealed) if sealed else None


def search(
    session: Session,
    dataset: str,
    *,
    units: Collection[int] | Select[Any] | None = None,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
    removed: bool = False,
) -> Page:
    """Records in key order, a page at a time.

    `units`: whose records may be seen, as ids or as a sub-select (tree.subtree); None: all. `text`: a whole ID number (found through
    the blind index), the beginning of a key, or a part of the name. `filters`: field name → value or list of values; None: empty.
    Raises BadInput for a filter on a field that there is not, or on an encrypted one.
    """
    table, described = TABLES[dataset], dictionary()[dataset]
    key = table.c[described.key]
    wanted = _matching(described, table, units=units, text=text, filters=filters or {}, removed=removed)
    if cursor:
        wanted = wanted.where(key > cursor)
    found = session.execute(wanted.order_by(key).limit(limit + 1)).all()
    cipher = field_cipher()
    records = [_record(described, row, cipher) for row in found[:limit]]
    return Page(records, records[-1].key if len(found) > limit else None)


def count(session: Session, dataset: str, **wanted: Any) -> int:
    """How many records `search` would list in all; keywords as there, without cursor and limit."""
    table, described = TABLES[dataset], dictionary()[dataset]
    given = {"units": None, "text": "", "filters": {}, "removed": False} | wanted
    matching = _matching(described, table, **given).with_only_columns(func.count(), maintain_column_froms=True)
    return session.execute(matching).scalar_one()


def _matching(
    dataset: DataSet, table: Table, *, units: Any, text: str, filters: Mapping[str, Any], removed: bool
) -> Select[Any]:
    wanted = select(table)
    if not removed:
        wanted = wanted.where(table.c.removed_on.is_(None))
    if units is not None:
        own = table.c[dataset.fields[dataset.unit].column] if dataset.unit else table.c.id
        wanted = wanted.where(own.in_(units))
    if text.strip():
        wanted = wanted.where(_text_matches(dataset, table, text.strip()))
    for name, value in filters.items():
        wanted = wanted.where(_filter(dataset, table, name, value))
    return wanted


def _text_matches(dataset: DataSet, table: Table, text: str) -> ColumnElement[bool]:
    numbers = [f for f in dataset.fields.values() if f.type == "id"]
    if numbers and id_form(text.upper()) in (STANDARD, FIFTEEN):
        return table.c[f"{numbers[0].name}_hash"].in_(field_cipher().digests(text))
    matches = [table.c[dataset.key].startswith(text, autoescape=True)]
    if "name" in dataset.fields:
        matches.append(table.c.name.contains(text, autoescape=True))
    return or_(*matches)


def _filter(dataset: DataSet, table: Table, name: str, value: Any) -> ColumnElement[bool]:
    f = dataset.fields.get(name)
    if f is None or f.type == "id":
        raise BadInput(f"不能按“{name}”筛选")
    column = table.c[f.column]
    if isinstance(value, list | tuple | set | frozenset):
        return column.in_(list(value))
    return column.is_(None) if value is None else column == value


def keys_of(session: Session, dataset: str, ids: Collection[int]) -> dict[int, str]:
    """Id → key of some records."""
    table = TABLES[dataset]
    key = table.c[dictionary()[dataset].key]
    return (
        {row[0]: row[1] for row in session.execute(select(table.c.id, key).where(table.c.id.in_(ids)))} if ids else {}
    )


def titles_of(session: Session, dataset: str, ids: Collection[int]) -> dict[int, str]:
    """Id → what a page writes for a reference: name and key, the key alone where there is no name."""
    table = TABLES[dataset]
    key = table.c[dictionary()[dataset].key]
    name = table.c.name if "name" in table.c else key
    found = session.execute(select(table.c.id, key, name).where(table.c.id.in_(ids))) if ids else ()
    return {i: f"{title}（{code}）" if title and title != code else code for i, code, title in found}


def reference_fields(dataset: DataSet) -> list[Field]:
    """The fields of a data set that refer to another record."""
    return [f for f in dataset.fields.values() if f.type == "ref"]


@dataclass(frozen=True)
class TreeNode:
    """One unit in a listing of the tree: depth below the root of the listing, and how many units directly below it."""

    id: int
    code: str
    name: str
    parent_id: int | None
    depth: int
    children: int


def unit_tree(session: Session, root_id: int | None = None, *, levels: int = 1) -> list[TreeNode]:
    """The units below one (or the roots and what is below them), to that many levels, ordered for display. One statement."""
    unit, child = TABLES["unit"], TABLES["unit"].alias()
    below = select(func.count()).where(child.c.parent_id == unit.c.id, child.c.removed_on.is_(None)).scalar_subquery()
    pairs = UnitClosure.__table__.alias()
    wanted = select(unit.c.id, unit.c.unit_code, unit.c.name, unit.c.parent_id, pairs.c.depth, below).join(
        pairs, pairs.c.descendant_id == unit.c.id
    )
    if root_id is None:
        top = TABLES["unit"].alias()
        wanted = wanted.join(top, top.c.id == pairs.c.ancestor_id).where(
            top.c.parent_id.is_(None), pairs.c.depth < levels
        )
    else:
        wanted = wanted.where(pairs.c.ancestor_id == root_id, pairs.c.depth.between(1, levels))
    wanted = wanted.where(unit.c.removed_on.is_(None))
    rows = session.execute(wanted.order_by(pairs.c.depth, unit.c.sort_no, unit.c.unit_code))
    return [TreeNode(*row) for row in rows]
