"""Sets of ids in statements: one bound value whatever the size, so that a statement is planned once. Pure SQL building."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import BigInteger, ColumnElement, Table, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from workflow.prepared import Prepared

T = TypeVar("T")
CHUNK = 500


def among(session: Session, ids_column: ColumnElement[Any] | Any, ids: Collection[int]) -> ColumnElement[bool]:
    """The condition that an id column is one of `ids`: = ANY(array) on PostgreSQL, IN (json_each) on SQLite; one id is compared as it is."""
    if len(ids) == 1:
        return ids_column == bindparam(None, next(iter(ids)), BigInteger)
    if session.get_bind().dialect.name == "postgresql":
        return ids_column == func.any(bindparam(None, listed(session, ids), ARRAY(BigInteger)))
    each = func.json_each(bindparam(None, listed(session, ids), Text)).table_valued("value")
    return ids_column.in_(select(each.c.value))


class Shape(NamedTuple):
    """What the text of a set-based statement depends on: the kind of database, and whether the set is a single id."""

    dialect: str
    single: bool

    def holds(self, ids_column: ColumnElement[Any] | Any) -> ColumnElement[bool]:
        """The condition of `among` on ids that are bound as `ids` (`bound`), for statements that are built once."""
        if self.single:
            return ids_column == bindparam("ids", type_=BigInteger)
        if self.dialect == "postgresql":
            return ids_column == func.any(bindparam("ids", type_=ARRAY(BigInteger)))
        each = func.json_each(bindparam("ids", type_=Text)).table_valued("value")
        return ids_column.in_(select(each.c.value))


def bound(session: Session, ids: Collection[int]) -> tuple[Shape, Any]:
    """The shape of a statement on these ids, and the value to bind as `ids`."""
    dialect = session.get_bind().dialect.name
    if len(ids) == 1:
        return Shape(dialect, True), next(iter(ids))
    return Shape(dialect, False), listed(session, ids)


def insert_for_cases(
    session: Session, table: Table, ids: Collection[int], values: Mapping[str, Any], version: str, bump: int
) -> None:
    """INSERT … SELECT of one row for each case: its id, its version (plus `bump`) as column `version`, and the same `values`."""
    shape, chosen = bound(session, ids)
    _insert_for_cases(shape, table, version, bump, tuple(values)).run(session, {**values, "ids": chosen})


@lru_cache
def _insert_for_cases(shape: Shape, table: Table, version: str, bump: int, names: tuple[str, ...]) -> Prepared:
    postgresql = shape.dialect == "postgresql"
    several = "= ANY(:ids)" if postgresql else "IN (SELECT value FROM json_each(:ids))"
    chosen = "= :ids" if shape.single else several
    columns = ", ".join(f'"{name}"' for name in ("case_id", version, *names))
    given = ", ".join(f":{name}" for name in names)
    sql = f"INSERT INTO {table.name} ({columns}) SELECT id, version + {bump}, {given} FROM case_file WHERE id {chosen}"
    binds = [bindparam(name, type_=table.c[name].type) for name in names]
    several_ids = ARRAY(BigInteger) if postgresql else Text()
    ids = bindparam("ids", type_=BigInteger() if shape.single else several_ids)
    return Prepared(text(sql).bindparams(*binds, ids), [*names, "ids"])


def listed(session: Session, ids: Collection[int]) -> Any:
    """A set of ids as one bound value."""
    return sorted(ids) if session.get_bind().dialect.name == "postgresql" else orjson.dumps(sorted(ids)).decode()


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def grouped(pairs: Iterable[tuple[Any, T]]) -> dict[Any, list[T]]:
    """Key → items, in order of first appearance. Sets that share one key, as a night's cases do, are the fast way."""
    groups: dict[Any, list[T]] = {}
    last: Any = groups  # no key
    ours: list[T] = []
    for key, item in pairs:
        if key != last:
            ours, last = groups.setdefault(key, []), key
        ours.append(item)
    return groups
