"""The outbox's other end: what is due, what was handed on, what was carried out. Each key is carried out once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Row, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from workflow.engine.models import Outbox
from workflow.operations.models import Consumed

AGAIN = (60, 300, 1800, 7200, 28800)  # seconds until an effect that nobody has carried out is handed on again


def due_effects(
    session: Session, now: datetime, *, again: bool = False, after: int = 0, limit: int = 500
) -> Sequence[Row[int, str, str]]:
    """(id, topic, key) of the effects to hand on, in the order of writing; `again`: also all handed on and not carried out."""
    due = Outbox.next_try_at <= now
    if again:
        due = or_(due, Outbox.sent_at.is_not(None))
    query = select(Outbox.id, Outbox.topic, Outbox.key).where(Outbox.done_at.is_(None), due, Outbox.id > after)
    return session.execute(query.order_by(Outbox.id).limit(limit)).all()


def handed_on(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Note that these were put into the queue; they are due again later, unless they are carried out before."""
    waits = {count: now + timedelta(seconds=seconds) for count, seconds in enumerate(AGAIN)}
    next_try = case(waits, value=Outbox.attempts, else_=now + timedelta(seconds=AGAIN[-1]))
    session.execute(
        update(Outbox)
        .where(Outbox.id.in_(ids), Outbox.done_at.is_(None))
        .values(sent_at=now, attempts=Outbox.attempts + 1, next_try_at=next_try)
        .execution_options(synchronize_session=False)
    )


def begin_effects(session: Session, ids: Sequence[int], now: datetime) -> list[Outbox]:
    """The effects of these that were not yet carried out, each now marked as carried out: a second delivery finds none."""
    rows = session.scalars(
        select(Outbox).where(Outbox.id.in_(ids), Outbox.done_at.is_(None)).order_by(Outbox.id).with_for_update()
    ).all()
    if not rows:
        return []
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    fresh = insert(Consumed).on_conflict_do_nothing().returning(Consumed.key)
    keys = set(session.scalars(fresh, [{"key": row.key, "topic": row.topic, "at": now} for row in rows]))
    for row in rows:
        row.done_at = now
    session.flush()
    return [row for row in rows if row.key in keys]
