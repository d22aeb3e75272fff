"""While a hold binds a unit, the clock of its matters in progress stands still (办法21, readings 5.3); notices that were issued run on. Rows only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from workflow.engine.models import CASE, PAUSE
from workflow.engine.pauses import pause, resume
from workflow.engine.registry import book
from workflow.engine.sets import among

GUARD = "no_hold_on_unit_or_above"


def stopped_processes() -> set[str]:
    """The processes that a hold stops: those with a step that asks for no hold."""
    return {name for name, made in book().current.items() if any(GUARD in step.when for step in made.steps)}


def cause_of(hold_case: int) -> str:
    """What stands in the derivation of a term that a hold has stopped."""
    return f"暂停办理（事项 {hold_case}）"


def lock_matters(session: Session, unit_ids: Collection[int]) -> list[int]:
    """The units' open matters that a hold stops, locked in order until the transaction ends.

    Before the units are locked: an approval holds its case when it comes to lock its unit, so the other order would be a deadlock.
    """
    open_ = CASE.c.open & CASE.c.process.in_(stopped_processes()) & among(session, CASE.c.unit_id, unit_ids)
    return _in_order(session, select(CASE.c.id).where(open_))


def stop_matters(
    session: Session, hold_case: int, case_ids: Collection[int], *, from_on: date, by: str, now: datetime
) -> None:
    """Stops the terms of matters from the first day bound."""
    pause(session, case_ids, cause_of(hold_case), from_on=from_on, by=by, now=now)


def _in_order(session: Session, wanted: Select[tuple[int]]) -> list[int]:
    query = wanted.order_by(CASE.c.id)
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update(of=CASE)
    return list(session.scalars(query))


def let_matters_go_on(session: Session, hold_case: int, *, on: date, now: datetime) -> int:
    """From a day on, the matters that this hold stopped run again, unless another one keeps them; returns how many."""
    mine = (PAUSE.c.cause == cause_of(hold_case)) & PAUSE.c.to_on.is_(None)
    stopped = select(PAUSE.c.case_id).where(mine, PAUSE.c.case_id.is_not(None))
    cases = _in_order(session, select(CASE.c.id).where(CASE.c.id.in_(stopped)))
    if cases:
        resume(session, cases, cause_of(hold_case), on=on - timedelta(1), now=now)
    return len(cases)
