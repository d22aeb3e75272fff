"""Somebody with full rights over the database: turns the triggers off and changes what is written. With the key in hand, seals anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, text, update

from workflow.audit.chain import CHAIN, COVERED, GENESIS, canonical, moment_text
from workflow.audit.models import HEAD, ROW
from workflow.audit.notes import note
from workflow.audit.seal import ring
from workflow.db import writing

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
COLUMNS = [*COVERED, "hash"]


def fill(engine: Engine, n: int, at_once: int = 100) -> None:
    """n entries of many shapes, a minute apart."""
    for begin in range(0, n, at_once):
        with writing(engine) as session:
            for i in range(begin, min(n, begin + at_once)):
                note(
                    session, f"thing.act{i % 7}", at=START + timedelta(minutes=i), actor=f"clerk@{i % 11}", kind="thing",
                    key=f"T{i}", unit_id=i % 5 or None, case_id=i % 3 or None, on_behalf_of="head@1" if i % 13 == 0 else None,
                    result=("done", "refused", "failed")[i % 17 % 3], summary={"n": i, "old": "a", "new": "文"},
                )  # fmt: skip


@contextmanager
def inside(engine: Engine) -> Iterator[Connection]:
    """A transaction in which no trigger refuses."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
            connection.commit()
        else:
            for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        yield connection
        connection.commit()
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = origin"))
            connection.commit()


def other_value(column: str, old: Any, dice: random.Random) -> Any:
    """A value of the column's type that is not the one that stands there."""
    if column == "result":
        return dice.choice([result for result in ("done", "refused", "failed") if result != old])
    if column == "at":
        return old + timedelta(microseconds=dice.choice((-1, 1, 10**6, 3600 * 10**6)))
    if column in ("unit_id", "case_id", "seq"):
        return (old or 0) + dice.randint(10**6, 10**7)
    if column in ("on_behalf_of", "session_digest") and old is not None and dice.random() < 0.5:
        return None
    if column in ("hash", "prev_hash"):
        place = dice.randrange(64)
        return old[:place] + ("0" if old[place] != "0" else "f") + old[place + 1 :]
    if column == "key_id":
        return "sha256:1" if old != "sha256:1" else "sm3:1"
    return (old or "") + dice.choice((" ", "x", "0")) if old or column != "summary" else "{}"


def change_column(connection: Connection, seq: int, column: str, dice: random.Random) -> None:
    """Change one column of one entry."""
    old = connection.execute(select(ROW.c[column]).where(ROW.c.seq == seq)).scalar_one()
    connection.execute(update(ROW).where(ROW.c.seq == seq).values({column: other_value(column, old, dice)}))


def take_away(connection: Connection, seq: int) -> None:
    """Delete one entry."""
    connection.execute(delete(ROW).where(ROW.c.seq == seq))


def close_up(connection: Connection, seq: int) -> None:
    """Delete one entry and move the later ones up, so that no number is missing."""
    take_away(connection, seq)
    for later in connection.scalars(select(ROW.c.seq).where(ROW.c.seq > seq).order_by(ROW.c.seq)).all():
        connection.execute(update(ROW).where(ROW.c.seq == later).values(seq=later - 1))
    connection.execute(update(HEAD).values(seq=HEAD.c.seq - 1))


def swap(connection: Connection, one: int, other: int) -> None:
    """Let two entries change their numbers."""
    for old, new in ((one, -1), (other, one), (-1, other)):
        connection.execute(update(ROW).where(ROW.c.seq == old).values(seq=new))


def put_in(connection: Connection, seq: int) -> None:
    """Insert an invented entry at the end and move the head to it, without the key."""
    row = dict(connection.execute(select(ROW).where(ROW.c.seq == seq)).mappings().one())
    row |= {"seq": seq + 1, "prev_hash": row["hash"], "hash": "ab" * 32, "actor": "nobody"}
    connection.execute(insert(ROW), row)
    connection.execute(update(HEAD).values(seq=seq + 1, hash=row["hash"]))


def cut_off(connection: Connection, seq: int) -> None:
    """Take away everything from an entry on, and set the head back."""
    before = connection.execute(select(ROW.c.hash, ROW.c.at).where(ROW.c.seq == seq - 1)).one_or_none()
    connection.execute(delete(ROW).where(ROW.c.seq >= seq))
    values = {"seq": seq - 1, "hash": before.hash if before else GENESIS}
    connection.execute(update(HEAD).where(HEAD.c.chain == CHAIN).values(values))


def rewrite_from(connection: Connection, seq: int, change: Callable[[dict[str, Any]], None]) -> None:
    """With the key in hand: change an entry and seal it and all later ones anew, head included."""
    prev = connection.scalar(select(ROW.c.hash).where(ROW.c.seq == seq - 1)) or GENESIS
    rows = [dict(row) for row in connection.execute(select(ROW).where(ROW.c.seq >= seq).order_by(ROW.c.seq)).mappings()]
    change(rows[0])
    for row in rows:
        row["prev_hash"] = prev
        covered = [moment_text(row[name]) if name == "at" else row[name] for name in COVERED]
        row["hash"] = prev = str(ring().seal(canonical(covered), row["key_id"]))
        connection.execute(update(ROW).where(ROW.c.seq == row["seq"]).values(row))
    connection.execute(update(HEAD).values(hash=prev))
