"""The second wall: on a scoped connection every walled table reads as the rows in reach, whatever the statement says. No commit.

A web request's connections are scoped from the start, to nothing; whoever signed in sets the reach of the transaction. The condition is
put in where SQLAlchemy compiles a statement, so a page cannot forget it, and it costs nothing once the statement is known. What is
written by hand (`text`) and names a walled table is refused. The mechanism (guards, effects, checks), workers and the command line
see everything, the first explicitly: `whole_view`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, Engine, Table, event, literal_column
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from workflow.db import open_engine
from workflow.errors import SandengError
from workflow.prepared import WALLED
from workflow.settings import Settings

KEPT = "sandeng reach"  # where a driver's connection and a session keep theirs
PLAIN = re.compile(r"[A-Za-z0-9_]+")
WHOLE = "sandeng_whole_view"  # execution option of an engine whose connections see everything


class OutOfReach(SandengError):
    """程序读取单位数据时没有经过权限范围，已拒绝。请联系系统管理员。"""


@dataclass(frozen=True)
class Reach:
    """Whose rows a transaction sees: those of these units with their subordinates, of all units of these counties, and
    the cases of these processes."""

    units: tuple[int, ...] = ()
    districts: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    everything: bool = False
    signed: bool = False  # whether it is somebody's at all

    def as_json(self) -> str:
        """What SQLite's conditions read."""
        return orjson.dumps(
            {"units": self.units, "districts": self.districts, "processes": self.processes, "signed": self.signed}
        ).decode()

    def settings(self) -> str:
        """The statements by which PostgreSQL's conditions and policies learn it, until the transaction ends."""
        told = {
            "units": [str(int(unit)) for unit in self.units],
            "districts": self.districts,
            "processes": self.processes,
        }
        assert all(PLAIN.fullmatch(value) for values in told.values() for value in values)
        lists = {name: f"{{{','.join(values)}}}" if self.signed else "" for name, values in told.items()}
        return "; ".join(f"SET LOCAL sandeng.{name} = '{value}'" for name, value in lists.items())


NOBODY = Reach()
EVERYTHING = Reach(everything=True)


class Conditions(Protocol):
    """Table name → the condition of its rows in reach, in the SQL of one kind of database."""

    def __call__(self, dialect: str, /) -> Mapping[str, str]: ...


@dataclass
class _Walls:
    """What an engine's walls are made of: the conditions, and PostgreSQL's role that sees everything (empty: no role is taken)."""

    conditions: Mapping[str, str]
    system_role: str = ""
    names: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = re.compile(rf"\b(?:{'|'.join(sorted(self.conditions))})\b")


def wall_in(engine: Engine, conditions: Conditions, *, system_role: str = "") -> Engine:
    """Scope every connection of the engine, to nothing until a reach is set. Idempotent."""
    if not hasattr(engine, "sandeng_walls"):
        walls = _Walls(conditions(engine.dialect.name), system_role)
        engine.sandeng_walls = walls  # type: ignore[attr-defined]
        event.listen(engine, "engine_connect", _close_in)
        event.listen(engine, "before_cursor_execute", _refuse_raw)
        if engine.dialect.name == "postgresql" and system_role:
            event.listen(engine, "begin", _take_role)
    return engine


def open_whole(settings: Settings) -> Engine:
    """The engine of workers, the clock and the command line, which see everything: they act for nobody, or judge by all."""
    return open_engine(settings.database_url, role=settings.system_role)


def whole_engine(engine: Engine) -> Engine:
    """The same engine for what must see everything: the checks and commands that hold transactions of their own."""
    return engine.execution_options(**{WHOLE: True})


def set_reach(session: Session, reach: Reach) -> None:
    """What the session sees from here on, in this transaction and those that follow it."""
    session.info[KEPT] = reach
    if session.in_transaction():
        apply_reach(session.connection(), reach)


def keep_reach(session: Session, _transaction: Any, connection: Connection) -> None:
    """Listener of `after_begin`: each new transaction of a session has the session's reach."""
    if KEPT in session.info:
        apply_reach(connection, session.info[KEPT])


def apply_reach(connection: Connection, reach: Reach) -> None:
    """Give a walled connection this reach until its transaction ends; an engine without walls knows none."""
    walls = _walls_of(connection)
    if walls is None:
        return
    _compile_for(connection, walls, reach)
    if connection.dialect.name == "postgresql":
        taken = f"; SET LOCAL ROLE {walls.system_role if reach.everything else 'NONE'}" if walls.system_role else ""
        if taken or not reach.everything:
            connection.exec_driver_sql(reach.settings() + taken)


def _compile_for(connection: Connection, walls: _Walls, reach: Reach) -> None:
    connection.dialect = connection.engine.dialect if reach.everything else _walled(connection.engine.dialect, walls)
    connection.info[KEPT] = reach


@contextmanager
def whole_view(session: Session) -> Iterator[None]:
    """The mechanism at work inside a request: guards, effects and re-checks judge by everything, whoever asked.

    What it finds is told through verdicts and counts, never as rows; tests/web/test_walls.py lists who may use it.
    """
    connection = session.connection()
    walls = _walls_of(connection)
    before: Reach | None = connection.info.get(KEPT)
    if walls is None or before is None or before.everything:
        yield
        return
    kept: Reach = session.info.get(KEPT, before)
    begun = session.get_transaction()
    session.info[KEPT] = EVERYTHING
    _take(connection, walls, EVERYTHING, walls.system_role)
    try:
        yield
    finally:
        session.info[KEPT] = kept
        if session.in_transaction() and not _broken(connection):
            if session.get_transaction() is begun:
                _take(connection, walls, kept, "NONE")
            else:
                apply_reach(session.connection(), kept)


def _take(connection: Connection, walls: _Walls, reach: Reach, role: str) -> None:
    """Another reach within one transaction, to which what PostgreSQL was told of the person's stays known: the role alone changes."""
    _compile_for(connection, walls, reach)
    if walls.system_role and connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")


def _broken(connection: Connection) -> bool:
    """Whether PostgreSQL refuses all but a rollback, which takes the role and the settings along."""
    if connection.closed or connection.dialect.name != "postgresql":
        return connection.closed
    return bool(connection.connection.driver_connection.info.transaction_status.name == "INERROR")  # type: ignore[union-attr]


def _walls_of(connection: Connection) -> _Walls | None:
    return getattr(_origin(connection), "sandeng_walls", None)


def _origin(connection: Connection) -> Engine:
    return getattr(connection.engine, "_proxied", connection.engine)


def _close_in(connection: Connection) -> None:
    walls = _walls_of(connection)
    if walls is None:
        return
    whole = connection.engine.get_execution_options().get(WHOLE, False)
    connection.info[KEPT] = EVERYTHING if whole else NOBODY
    if connection.dialect.name == "sqlite":
        _teach(connection)
    if not whole:
        connection.dialect = _walled(connection.engine.dialect, walls)


def _teach(connection: Connection) -> None:
    """The function by which SQLite's conditions learn the reach of their connection."""
    known = connection.info
    if not known.get("sandeng taught"):
        driver: Any = connection.connection.driver_connection
        driver.create_function("session_reach", 0, lambda: known.get(KEPT, NOBODY).as_json())
        known["sandeng taught"] = True


def _take_role(connection: Connection) -> None:
    """A connection that sees everything takes the role for it with each transaction."""
    walls = _walls_of(connection)
    if walls is not None and connection.engine.get_execution_options().get(WHOLE, False):
        connection.exec_driver_sql(f"SET LOCAL ROLE {walls.system_role}")


def _refuse_raw(connection: Connection, _cursor: Any, statement: str, _given: Any, context: Any, _many: bool) -> None:
    """What did not go through the compiler cannot have been given a condition."""
    walls = _walls_of(connection)
    if walls is None or context is None or context.compiled is not None or connection.info[KEPT].everything:
        return
    if walls.names.search(statement):
        raise OutOfReach(statement=statement.split()[0])


def _walled(dialect: Dialect, walls: _Walls) -> Dialect:
    """The same dialect with a compiler that puts the conditions in; statements compiled by it are kept apart, for the cache goes by dialect."""
    known: Dialect | None = getattr(dialect, "sandeng_walled", None)
    if known is None:
        known = copy(dialect)
        known.statement_compiler = _compiler(dialect.statement_compiler, walls)
        setattr(known, WALLED, True)
        dialect.sandeng_walled = known  # type: ignore[attr-defined]
    return known


def _compiler(base: Any, walls: _Walls) -> Any:
    """A statement compiler that reads each walled table as its rows in reach, and changes no others."""

    class Walled(base):
        def visit_table(self, table: Table, asfrom: bool = False, iscrud: bool = False, **more: Any) -> str:
            told: str = super().visit_table(table, asfrom=asfrom, iscrud=iscrud, **more)
            condition = walls.conditions.get(table.name)
            if condition is None or not asfrom or iscrud or more.get("ashint"):
                return told
            inside = f"(SELECT * FROM {table.name} WHERE {condition})"
            enclosing = more.get("enclosing_alias")
            if enclosing is not None and enclosing.element is table:
                return inside  # its alias follows
            return inside + (f" AS {told}" if " AS " not in told else told.removeprefix(told.split(" AS ")[0]))

        def visit_update(self, update_stmt: Any, *given: Any, **more: Any) -> str:
            return str(super().visit_update(_within(update_stmt), *given, **more))

        def visit_delete(self, delete_stmt: Any, *given: Any, **more: Any) -> str:
            return str(super().visit_delete(_within(delete_stmt), *given, **more))

        def visit_textclause(self, textclause: Any, *given: Any, **more: Any) -> str:
            if walls.names.search(textclause.text):
                raise OutOfReach(statement="text")
            return str(super().visit_textclause(textclause, *given, **more))

    def _within(statement: Any) -> Any:
        condition = walls.conditions.get(getattr(statement.table, "name", ""))
        return statement if condition is None else statement.where(literal_column(f"({condition})"))

    return Walled
