"""Rows of data-set tables as the database keeps them: fetch, insert, update in bulk. No rules here, and nobody but records.py writes.

Values are raw: dates yyyymmdd, code text, ids; so 200,000 rows cost seconds, not minutes. PostgreSQL takes many rows by COPY.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from workflow.db import UtcDateTime
from workflow.registry.dictionary import DataSet, dictionary
from workflow.registry.facts import derived_columns

Stored = dict[str, Any]
CHUNK = 5000  # rows per statement: below every engine's limit of variables
COPY_FROM = 50  # rows from which COPY pays


@functools.cache
def columns_of(dataset: DataSet) -> tuple[str, ...]:
    """Every column of a data set that a write looks at: standard ones, fields, digests; facts are only written."""
    names = ["id", "version", "removed_on", dataset.key]
    for f in dataset.fields.values():
        names.append(f.column)
        if f.type == "id":
            names.append(f"{f.name}_hash")
    return tuple(dict.fromkeys(names))


@functools.cache
def written_columns(dataset: DataSet) -> tuple[str, ...]:
    """Every column of a new row, in order."""
    own = [name for name in columns_of(dataset) if name != "removed_on"]
    standard = ["first_entered_by", "first_entered_at", "changed_at", "batch_id"]
    return tuple(dict.fromkeys([*own, *derived_columns(dataset), *standard]))


def fetch(
    session: Session, dataset: DataSet, column: str, values: Iterable[Any], *, lock: bool = False
) -> list[Stored]:
    """The rows whose column holds one of the values, removed ones included; `lock` holds them until the end of the transaction."""
    wanted = sorted(set(values) - {None})
    names = columns_of(dataset)
    listed = ", ".join(f'"{name}"' for name in names)
    connection = session.connection()
    found: list[Stored] = []
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        if connection.dialect.name == "postgresql":
            sql, bound = f'SELECT {listed} FROM "{dataset.name}" WHERE "{column}" = ANY(%s) ORDER BY id', (part,)
            sql += " FOR UPDATE" if lock else ""
        else:
            marks = ",".join("?" * len(part))
            sql, bound = f'SELECT {listed} FROM "{dataset.name}" WHERE "{column}" IN ({marks})', tuple(part)
        found += [dict(zip(names, row, strict=True)) for row in connection.exec_driver_sql(sql, bound)]
    return found


def hold(session: Session, dataset: DataSet, versions: dict[int, int]) -> bool:
    """Lock rows until the end of the transaction; whether all still have the version (by id) that they were read with.

    On SQLite the transaction holds the one write lock already. Ids are locked in order, so that two writers never wait crosswise.
    """
    connection = session.connection()
    if connection.dialect.name != "postgresql" or not versions:
        return True
    sql = f'SELECT id, version FROM "{dataset.name}" WHERE id = ANY(%s) ORDER BY id FOR UPDATE'
    return versions == {row[0]: row[1] for row in connection.exec_driver_sql(sql, (sorted(versions),))}


def insert(session: Session, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of raw values."""
    if not rows:
        return
    connection = session.connection()
    listed = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        _copy(connection, f'COPY "{table}" ({listed}) FROM STDIN', rows)
        return
    marks = ", ".join([_mark(connection)] * len(columns))
    connection.exec_driver_sql(f'INSERT INTO "{table}" ({listed}) VALUES ({marks})', list(rows))


def update(session: Session, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Update rows by id: each row holds the values of the columns, then the id."""
    connection = session.connection()
    mark = _mark(connection)
    assigned = ", ".join(f'"{name}" = {mark}' for name in columns)
    connection.exec_driver_sql(f'UPDATE "{table}" SET {assigned} WHERE id = {mark}', list(rows))


def new_ids(session: Session, table: str, n: int) -> list[int]:
    """The next n ids of a table. On SQLite the write lock, on PostgreSQL the sequence keeps them apart."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        drawn = text("SELECT nextval(pg_get_serial_sequence(:t, 'id')) FROM generate_series(1, :n)")
        return [row[0] for row in connection.execute(drawn, {"t": f'"{table}"', "n": n})]
    last = connection.exec_driver_sql(f'SELECT COALESCE(MAX(id), 0) FROM "{table}"').scalar_one()
    return list(range(last + 1, last + n + 1))


def key_map(session: Session, dataset: str) -> dict[str, int]:
    """Key → id of all records of a data set that are not removed."""
    key = dictionary()[dataset].key
    found = session.connection().exec_driver_sql(f'SELECT "{key}", id FROM "{dataset}" WHERE removed_on IS NULL')
    return {row[0]: row[1] for row in found}


def last_key_number(session: Session, dataset: str, key: str, prefix: str, length: int) -> int:
    """The highest number among the keys of that prefix and whole length; 0 for none. Serialises those who draw numbers."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"key of {dataset}"})
    digits = "_" * (length - len(prefix))
    sql = text(f'SELECT "{key}" FROM "{dataset}" WHERE "{key}" LIKE :like AND "{key}" <= :top ORDER BY "{key}" DESC')
    for (found,) in connection.execute(sql, {"like": prefix + digits, "top": prefix + "9" * len(digits)}):
        if found[len(prefix) :].isdecimal():
            return int(found[len(prefix) :])
    return 0


def raw_moment(session: Session, moment: datetime) -> Any:
    """A moment as the driver takes it."""
    dialect = session.connection().dialect
    bind = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
    return bind(moment) if bind else moment


def _copy(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row(row)


def _mark(connection: Connection) -> str:
    return "%s" if connection.dialect.name == "postgresql" else "?"
