"""The database: declarative base, portable column types, engines and sessions. Only the edges open `writing` sessions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import JSON

from workflow.errors import BadInput

PATIENCE = 30  # seconds that a writer waits for another on SQLite
PRAGMAS = {  # of every connection to SQLite
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "busy_timeout": str(PATIENCE * 1000),
    "temp_store": "MEMORY",
    "cache_size": "-65536",
    "wal_autocheckpoint": "8000",  # 32 MB: pages that a mass step changes again and again are brought home once
    "mmap_size": "268435456",
}
NOT_OURS = (  # whether the tables belong to another role, which left a function (workflow/access/row_security.py)
    "SELECT to_regprocedure('sandeng_analyze(regclass[])') IS NOT NULL AND NOT pg_has_role(relowner, 'USAGE')"
    " FROM pg_class WHERE oid = CAST(:first AS regclass)"
)
_WAITS = "SQLite waits for locks itself"  # on a connection; not where this module does the asking
IDLE = 1.0  # seconds after which a connection to a server may have died unnoticed
# SQLite counts rows by itself only for INTEGER PRIMARY KEY; PostgreSQL gets BIGINT.
BigId = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(postgresql.JSONB(), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept in UTC. Refuses naive datetimes."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"naive datetime {value!r}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else _in_utc(value)


@lru_cache(maxsize=1 << 12)  # a set of rows shares few moments
def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class YmdDate(TypeDecorator[date]):
    """A business date (Asia/Shanghai) kept as the integer yyyymmdd, so that every engine compares it alike."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: date | int | None, dialect: Any) -> int | None:
        return value if value is None or isinstance(value, int) else ymd(value)

    def process_result_value(self, value: int | None, dialect: Any) -> date | None:
        return None if value is None else from_ymd(value)


def ymd(day: date) -> int:
    """A date as the integer yyyymmdd."""
    return day.year * 10000 + day.month * 100 + day.day


@lru_cache(maxsize=65536)  # the days of a century and more: lists and simulations read the same ones over and over
def from_ymd(number: int) -> date:
    """The integer yyyymmdd as a date. Raises ValueError where there is no such day."""
    return date(number // 10000, number // 100 % 100, number % 100)


NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every model; one metadata for the whole house."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        datetime: UtcDateTime,
        date: YmdDate,
        dict[str, Any]: Json,
        list[Any]: Json,
        bytes: LargeBinary,
        str: String,
    }


def open_engine(url: str, *, role: str = "", **options: Any) -> Engine:
    """An engine with this house's settings: WAL and real transactions on SQLite, UTC and JSON by orjson on both.

    `role`: the one that its connections to PostgreSQL take (SANDENG_SYSTEM_ROLE, which row-level security lets see everything).
    """
    if not url.startswith(("sqlite", "postgresql")):
        raise BadInput(f"不支持的数据库地址“{url.split('://')[0]}”，只支持 sqlite 与 postgresql+psycopg")
    engine = create_engine(url, **engine_options(url, role), **options)
    return prepare(engine)


def engine_options(url: str, role: str = "") -> dict[str, Any]:
    """Keyword arguments for create_engine, shared with Flask-SQLAlchemy."""
    options: dict[str, Any] = {
        "hide_parameters": True,  # an error must not print the personal data that it was given
        "json_serializer": lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode(),
        "json_deserializer": orjson.loads,
    }
    if url.startswith("postgresql"):
        options |= {
            "pool_size": 8,
            "max_overflow": 16,
            "connect_args": {"options": "-c timezone=UTC" + (f" -c role={role}" if role else "")},
        }
    return options


def prepare(engine: Engine) -> Engine:
    """Hang this house's settings on an engine (idempotent): SQLite's pragmas and locks, PostgreSQL's look at a connection that lay idle."""
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _sqlite_connect):
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    elif engine.dialect.name == "postgresql" and not event.contains(engine, "checkin", _laid_down):
        event.listen(engine, "checkin", _laid_down)
        event.listen(engine, "checkout", _prove_alive)
    return engine


def _laid_down(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["laid down at"] = time.monotonic()


def _prove_alive(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Ask the server whether it still knows a connection that was not used just now: asking at each use would be a fifth of a step."""
    if time.monotonic() - record.info.get("laid down at", time.monotonic()) < IDLE:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except connection.Error as error:
        raise InvalidatePoolError from error


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    for name, value in PRAGMAS.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()


def _sqlite_begin(connection: Any) -> None:
    kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    driver = connection.connection.driver_connection
    if driver.in_transaction:  # a COMMIT that failed leaves its transaction open
        driver.rollback()
    writes = kind in ("IMMEDIATE", "IF FREE")
    if connection.info.get(_WAITS, True) == writes:  # left as the last transaction needed it: most are of one kind
        driver.execute(f"PRAGMA busy_timeout={0 if writes else PATIENCE * 1000}")
        connection.info[_WAITS] = not writes
    if writes:
        _take_write_lock(driver, 0 if kind == "IF FREE" else PATIENCE)
    else:
        connection.exec_driver_sql("BEGIN")


def _take_write_lock(connection: sqlite3.Connection, patience: float) -> None:
    """BEGIN IMMEDIATE, asking every millisecond: SQLite's own waiting backs off to 100 ms and would sleep through the
    5 ms that the night's mass steps leave to a person between their chunks."""
    give_up = time.monotonic() + patience
    while not _begun(connection, last=time.monotonic() > give_up):
        time.sleep(0.001)


def _begun(connection: sqlite3.Connection, *, last: bool) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or "locked" not in str(error):
            raise
        return False
    return True


def analyze(connection: Connection, *tables: str) -> None:
    """Let the planner know of many new rows. Where a role at run time owns nothing, the owner's function does it for it."""
    if connection.dialect.name == "postgresql" and connection.scalar(text(NOT_OURS), {"first": tables[0]}):
        connection.execute(text("SELECT sandeng_analyze(CAST(:tables AS regclass[]))"), {"tables": list(tables)})
        return
    for table in tables:
        connection.exec_driver_sql(f'ANALYZE "{table}"')


def begin_write(session: Session) -> None:
    """Take the write lock at the start of a transaction, so that a reader never has to be upgraded in the middle."""
    session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One write transaction: commits at the end, rolls back on any error. For the edges only."""
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        yield session
        session.commit()


@contextmanager
def writing_if_free(engine: Engine) -> Iterator[Session | None]:
    """Like `writing`, but None instead of waiting where somebody holds SQLite's write lock: for what the next request can do as well."""
    with Session(engine, expire_on_commit=False) as session:
        try:
            session.connection(execution_options={"sqlite_begin": "IF FREE"})
        except sqlite3.OperationalError:
            yield None
            return
        yield session
        session.commit()


@contextmanager
def writing_on(connection: Connection) -> Iterator[Session]:
    """One write transaction on a given connection (so that its temporary tables live on). For the edges only."""
    connection.execution_options(sqlite_begin="IMMEDIATE")
    with Session(connection, expire_on_commit=False) as session:
        yield session
        session.commit()


@contextmanager
def snapshot_on(connection: Connection) -> Iterator[Session]:
    """One read snapshot on a given connection; temporary tables filled in it are kept, nothing else is written."""
    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ")
    connection.execution_options(sqlite_begin="DEFERRED")
    with Session(connection, expire_on_commit=False) as session:
        yield session
        session.commit()
    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="READ COMMITTED")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One read snapshot (REPEATABLE READ on PostgreSQL, a WAL snapshot on SQLite); nothing is kept."""
    with Session(engine, expire_on_commit=False) as session:
        if engine.dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session
        session.rollback()
