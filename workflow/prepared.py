"""Statements that every step runs, turned into text and converters once and run on the driver's own cursor.

A Core statement costs the database little and Python ten times that at every execution; a step runs nine of them. Names, types and
errors stay SQLAlchemy's. Pure mechanism: nothing here commits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from workflow.db import UtcDateTime

WALLED = "sandeng_walled_in"  # attribute of a dialect that compiles conditions in (workflow/scoping.py)
Converter = Callable[[Any], Any]
_BIND = re.compile(r"%\((\w+)\)s")
_WRITES = re.compile(r"\s*(INSERT|UPDATE)\s+(?:INTO\s+)?\"?(\w+)")
_OPEN = "cursor of the transaction"
_WAITING = "prepared statements that go together"


class Text(NamedTuple):
    """A statement as one kind of database takes it: its text, its binds in order (name, converter, constant), its columns' converters,
    and what it writes (INSERT or UPDATE, the table)."""

    sql: str
    binds: tuple[tuple[str, Converter | None, Any], ...]
    columns: tuple[Converter | None, ...]
    positional: bool
    writes: tuple[str, str]


Waiting = tuple[Text, dict[str, Any]]


class Open(NamedTuple):
    """Where the statements of a transaction go: its connection, and the one driver's cursor that all of them use."""

    begun: Any
    connection: Connection
    cursor: Any


class Prepared:
    """A Core statement whose text does not depend on its values (no IN list, no default computed in Python).

    `names`: what is bound at each execution; all else in it is constant. Raises TypeError where the text would depend on values.
    """

    def __init__(self, statement: Executable, names: Sequence[str]) -> None:
        """Nothing is compiled before the first execution on a kind of database."""
        self._statement, self._names = statement, tuple(names)
        self._texts: dict[tuple[str, bool], Text] = {}

    def run(self, session: Session, values: Mapping[str, Any]) -> None:
        """Executes it once; inside `together` it may reach the server only at the end."""
        opened = _opened(session)
        text = self._text(opened.connection)
        waiting: list[Waiting] | None = session.info.get(_WAITING)
        if waiting is None:
            _execute(opened, text.sql, _bound(text, values))
            return
        if any(_depends(text.sql, text.writes, earlier.writes[1]) for earlier, _ in waiting):
            _send(session, waiting)
        waiting.append((text, _bound(text, values)))

    def run_each(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Executes it once for each row of values."""
        if len(rows) == 1:
            self.run(session, rows[0])
            return
        opened = _opened(session)
        text = self._text(opened.connection)
        _send(session, session.info.get(_WAITING, []))
        _execute(opened, text.sql, [_bound(text, row) for row in rows], many=True)

    def rows(self, session: Session, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that it finds, as the columns' types read them. Not inside `together`."""
        opened = _opened(session)
        text = self._text(opened.connection)
        found = _execute(opened, text.sql, _bound(text, values), fetch=True)
        if not any(text.columns):
            return found
        converters = text.columns
        return [
            tuple(value if convert is None else convert(value) for value, convert in zip(row, converters, strict=True))
            for row in found
        ]

    def _text(self, connection: Connection) -> Text:
        dialect = connection.dialect
        kind = dialect.name, getattr(dialect, WALLED, False)
        text = self._texts.get(kind)
        if text is None:
            text = self._texts[kind] = _texted(self._statement, self._names, dialect)
        return text


@contextmanager
def together(session: Session) -> Iterator[None]:
    """What is run inside goes to a PostgreSQL server as one statement, each a part of its WITH: one round trip instead of five.

    The parts see the database as it was before them all, so one that reads or changes what an earlier one wrote waits for it.
    Only `Prepared.run` and `run_each` may be used inside; an error is raised at the end.
    """
    if _opened(session).connection.dialect.name != "postgresql" or _WAITING in session.info:
        yield
        return
    waiting: list[Waiting] = []
    session.info[_WAITING] = waiting
    try:
        yield
        _send(session, waiting)
    finally:
        del session.info[_WAITING]


def _opened(session: Session) -> Open:
    """The cursor of the session's transaction, made once in it: asking the session, and a new cursor, cost more than a statement does."""
    opened: Open | None = session.info.get(_OPEN)
    if opened is None or opened.begun is not session.get_transaction() or opened.connection.invalidated:
        connection = session.connection()
        opened = session.info[_OPEN] = Open(
            session.get_transaction(),
            connection,
            connection.connection.driver_connection.cursor(),  # type: ignore[union-attr]
        )
    return opened


def _send(session: Session, waiting: list[Waiting]) -> None:
    if waiting:
        sql = _joined(tuple(text.sql for text, _ in waiting))
        values = {f"{part}_{name}": value for part, (_, given) in enumerate(waiting) for name, value in given.items()}
        waiting.clear()
        _execute(_opened(session), sql, values)


@lru_cache(maxsize=1024)
def _depends(sql: str, writes: tuple[str, str], written: str) -> bool:
    """Whether a statement reads from the table that an earlier one wrote, or changes rows in it."""
    named = len(re.findall(rf"\b{written}\b", sql))
    return named > (writes == ("INSERT", written))


@lru_cache(maxsize=256)
def _joined(parts: tuple[str, ...]) -> str:
    """Several statements that write as one, their binds told apart by the number of the part."""
    numbered = [_BIND.sub(rf"%({number}_\1)s", sql) for number, sql in enumerate(parts)]
    before = ", ".join(f"part_{number} AS ({sql})" for number, sql in enumerate(numbered[:-1]))
    return f"WITH {before} {numbered[-1]}" if before else numbered[-1]


def _texted(statement: Executable, names: Sequence[str], dialect: Dialect) -> Text:
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))  # type: ignore[attr-defined]
    if not isinstance(compiled, SQLCompiler) or compiled.post_compile_params or compiled.prefetch:
        raise TypeError(f"its text depends on its values: {compiled}")
    constants = compiled.construct_params(dict.fromkeys(names), _check=False)
    types = {name: bind.type for bind, name in compiled.bind_names.items()}
    order = compiled.positiontup if compiled.positional else list(types)
    binds = tuple(
        (name, _binder(types[name], dialect), None if name in names else constants[name]) for name in order or ()
    )
    columns = tuple(_reader(column.type, dialect) for column in compiled._result_columns)
    writes = _WRITES.match(compiled.string)
    told = (writes[1], writes[2]) if writes else ("SELECT", "")
    return Text(compiled.string, binds, columns, bool(compiled.positional), told)


def _binder(type_: Any, dialect: Dialect) -> Converter | None:
    binder: Converter | None = type_.dialect_impl(dialect).bind_processor(dialect)
    return (
        lru_cache(maxsize=64)(binder) if binder and isinstance(type_, UtcDateTime) else binder
    )  # a step has one moment


def _reader(type_: Any, dialect: Dialect) -> Converter | None:
    reader: Converter | None = type_.dialect_impl(dialect).result_processor(dialect, None)
    return reader


def _bound(text: Text, values: Mapping[str, Any]) -> Any:
    given = values.get
    if text.positional:
        return [
            given(name, constant) if convert is None else convert(given(name, constant))
            for name, convert, constant in text.binds
        ]
    return {
        name: given(name, constant) if convert is None else convert(given(name, constant))
        for name, convert, constant in text.binds
    }


def _execute(opened: Open, sql: str, values: Any, *, many: bool = False, fetch: bool = False) -> Any:
    cursor = opened.cursor
    try:
        if many:
            cursor.executemany(sql, values)
        else:
            cursor.execute(sql, values)
        return cursor.fetchall() if fetch else None
    except _errors(opened.connection) as error:
        raise _told(opened.connection, sql, error) from error


def _errors(connection: Connection) -> type[Exception]:
    driver: Any = connection.dialect.loaded_dbapi
    errors: type[Exception] = driver.Error
    return errors


def _told(connection: Connection, sql: str, error: Exception) -> BaseException:
    """The driver's error as SQLAlchemy tells it, without the values; a connection that broke is given up."""
    dialect = connection.dialect
    broken = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]
    if broken:
        connection.invalidate(error)
    return DBAPIError.instance(
        sql, None, error, _errors(connection), hide_parameters=True, connection_invalidated=broken, dialect=dialect
    )
