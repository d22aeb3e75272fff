"""Rows for the world outside: written with the step, carried out after the commit. The same key twice is one row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Insert, bindparam, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from workflow.db import UtcDateTime
from workflow.prepared import Prepared

_HELD = "messages of the effects that run"


class Message(NamedTuple):
    """One effect to carry out; `key` makes it unique for ever."""

    topic: str
    key: str
    payload: dict[str, Any]


def emit(session: Session, topic: str, key: str, payload: dict[str, Any], now: datetime) -> None:
    """Writes one message; a key that is already there is left as it is."""
    emit_all(session, [Message(topic, key, payload)], now)


def emit_all(session: Session, messages: Iterable[Message], now: datetime) -> None:
    """Writes many messages in one statement with one bound value: mass steps emit hundreds at a time. While effects run (`held`), later."""
    waiting: list[Message] | None = session.info.get(_HELD)
    if waiting is not None:
        waiting += messages
        return
    rows = orjson.dumps([message._asdict() for message in messages]).decode()
    if rows != "[]":
        _inserting(session.get_bind().dialect.name).run(session, {"rows": rows, "now": now})


@contextmanager
def held(session: Session) -> Iterator[list[Message]]:
    """Keeps back what is emitted inside, and gives it to be written with the rest of the step: one round trip less."""
    around, messages = session.info.get(_HELD), list[Message]()
    session.info[_HELD] = messages
    try:
        yield messages
    finally:
        session.info[_HELD] = around


@lru_cache
def _inserting(dialect: str) -> Prepared:
    if dialect == "postgresql":
        each = "jsonb_array_elements(CAST(:rows AS jsonb)) AS each(value)"
        topic, key, payload = "each.value ->> 'topic'", "each.value ->> 'key'", "each.value -> 'payload'"
    else:
        each = "json_each(:rows) AS each"
        topic, key, payload = (f"json_extract(each.value, '$.{name}')" for name in Message._fields)
    statement = text(
        "INSERT INTO outbox (topic, key, payload, created_at, next_try_at, attempts) "
        f"SELECT {topic}, {key}, {payload}, :now, :now, 0 FROM {each} WHERE true ON CONFLICT (key) DO NOTHING"
    )
    return Prepared(statement.bindparams(bindparam("now", type_=UtcDateTime), bindparam("rows")), ["rows", "now"])


def insert_new(session: Session, model: Any, unique: list[str]) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING for the database at hand."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(model.__table__).on_conflict_do_nothing(index_elements=unique)
