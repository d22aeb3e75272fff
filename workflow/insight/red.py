"""Red rounds and the negative list as a person may see them (办法10(一), 办法21). Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope
from workflow.insight.tickets import READ, UNIT
from workflow.quality.models import NegativeEntry, RedRound, Ticket
from workflow.quality.negative_list import STATES, state_of
from workflow.registry.tables import TABLES


def streaks(session: Session, actor: Actor, *, limit: int = 15) -> Sequence[Row[Any]]:
    """The units in scope with a running streak of red rounds, longest first: (unit_code, name, streak, on)."""
    last = select(func.max(RedRound.id)).where(in_scope(actor, READ, RedRound.unit_id)).group_by(RedRound.unit_id)
    statement = (
        select(UNIT.unit_code, UNIT.name, RedRound.streak, RedRound.on, RedRound.kind)
        .join(TABLES["unit"], UNIT.id == RedRound.unit_id)
        .where(RedRound.id.in_(last), RedRound.streak > 0)
    )
    return session.execute(statement.order_by(RedRound.streak.desc(), RedRound.on, UNIT.unit_code).limit(limit)).all()


def rounds(session: Session, actor: Actor, *, limit: int = 15) -> Sequence[Row[Any]]:
    """The latest rows of the ledger in scope, newest first."""
    columns = (RedRound.id, RedRound.kind, RedRound.on, RedRound.streak, RedRound.tickets, RedRound.reason, RedRound.by)
    statement = select(*columns, UNIT.unit_code, UNIT.name).join(TABLES["unit"], UNIT.id == RedRound.unit_id)
    scoped = statement.where(in_scope(actor, READ, RedRound.unit_id))
    return session.execute(scoped.order_by(RedRound.id.desc()).limit(limit)).all()


def listed(
    session: Session, actor: Actor, *, state: str = "", before: int | None = None, limit: int = 30
) -> list[dict[str, Any]]:
    """Entries of the negative list in scope, newest first, each with its state and ticket; `before` an entry's id."""
    statement = (
        select(NegativeEntry, Ticket.rule_id, Ticket.dataset, Ticket.record_key, UNIT.unit_code, UNIT.name)
        .join(Ticket, Ticket.id == NegativeEntry.ticket_id)
        .join(TABLES["unit"], UNIT.id == NegativeEntry.unit_id)
        .where(in_scope(actor, READ, NegativeEntry.unit_id))
    )
    if state:
        statement = statement.where(*_in_state(state))
    if before is not None:
        statement = statement.where(NegativeEntry.id < before)
    rows = session.execute(statement.order_by(NegativeEntry.id.desc()).limit(limit))
    return [{**row._mapping, "entry": row[0], "state": state_of(row[0])} for row in rows]


def _in_state(state: str) -> list[Any]:
    gone, wrong, fixed = NegativeEntry.left_on, NegativeEntry.reversed_on, NegativeEntry.fixed_on
    standing = [gone.is_(None), wrong.is_(None)]
    return {
        "listed": [*standing, fixed.is_(None)],
        "watched": [*standing, fixed.is_not(None)],
        "left": [gone.is_not(None)],
        "reversed": [wrong.is_not(None)],
    }[state]


def counts_by_state(session: Session, actor: Actor) -> dict[str, int]:
    """State → entries of the negative list in scope."""
    parts = [func.count().filter(*_in_state(state)).label(state) for state in STATES]
    row = session.execute(
        select(*parts).select_from(NegativeEntry).where(in_scope(actor, READ, NegativeEntry.unit_id))
    ).one()
    return dict(row._mapping)
