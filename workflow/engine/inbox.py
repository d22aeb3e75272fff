"""Lists of cases: whose turn it is, what is due, what happened. Named, read-only queries; reach is given by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import Session

from workflow.engine.definition import MIGRATE, Definition
from workflow.engine.models import CASE, HISTORY, PAUSE, TIMER
from workflow.engine.registry import book
from workflow.errors import NotFound
from workflow.scoping import whole_view

# Role → the units for which it is held: a select of ids, or None for every unit.
Reach = Mapping[str, Select[Any] | None]


def in_reach(reach: Reach) -> ColumnElement[bool]:
    """The condition that a case is in the inbox of one of the roles, for a unit that the role is held for."""
    parts: list[ColumnElement[bool]] = []
    for role, units in reach.items():
        whose = CASE.c.inbox == role
        parts.append(whose if units is None else whose & CASE.c.unit_id.in_(units))
    return or_(false(), *parts)


def my_tasks(reach: Reach) -> Select[Any]:
    """Open cases whose turn is mine, the most urgent first: red before yellow, then by due moment. Filter and page it as needed."""
    return (
        select(CASE)
        .where(CASE.c.open, in_reach(reach))
        .order_by(CASE.c.light != "red", CASE.c.light != "yellow", CASE.c.due_at.is_(None), CASE.c.due_at, CASE.c.id)
    )


def task_counts(session: Session, reach: Reach) -> dict[tuple[str, str], int]:
    """(process, light) → open cases whose turn is mine: their sum is the badge."""
    counted = select(CASE.c.process, CASE.c.light, func.count()).where(CASE.c.open, in_reach(reach))
    return {
        (process, light): n for process, light, n in session.execute(counted.group_by(CASE.c.process, CASE.c.light))
    }


def case_by_id(session: Session, case_id: int) -> dict[str, Any]:
    """One case. Raises NotFound."""
    row = session.execute(select(CASE).where(CASE.c.id == case_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(case=case_id)
    return dict(row)


def history(session: Session, case_id: int) -> list[dict[str, Any]]:
    """What happened to a case, in order, with the labels of the version that it went by at the time."""
    return acts_of(session, case_id, book().version(session, case_by_id(session, case_id)["definition"]))


def acts_of(session: Session, case_id: int, definition: Definition) -> list[dict[str, Any]]:
    """The same for a case whose definition is known already: one statement, and one for a version that it left."""
    rows = session.execute(select(HISTORY).where(HISTORY.c.case_id == case_id).order_by(HISTORY.c.version.desc()))
    told: list[dict[str, Any]] = []
    for row in rows.mappings().all():
        state = definition.states.get(row["to_state"])
        titles = {"title": definition.title_of(row["do"]), "to_title": state.title if state else row["to_state"]}
        told.append({**row, **titles})
        if row["do"] == MIGRATE:  # what comes before it went by the version that it left
            definition = book().version(session, row["facts"]["from"]["hash"])
    return told[::-1]


def timers_of(session: Session, case_id: int) -> list[dict[str, Any]]:
    """The timers of a case with their day zero, term, due date and what became of them."""
    rows = session.execute(select(TIMER).where(TIMER.c.case_id == case_id).order_by(TIMER.c.id)).mappings()
    return [dict(row) for row in rows]


def pauses_on(session: Session, case_id: int) -> list[dict[str, Any]]:
    """The pauses of a case and those of every case, for the derivation of its deadline."""
    ours = or_(PAUSE.c.case_id == case_id, PAUSE.c.case_id.is_(None))
    rows = session.execute(select(PAUSE).where(ours).order_by(PAUSE.c.from_on)).mappings()
    return [dict(row) for row in rows]


def overdue(session: Session, now: datetime) -> int:
    """How many armed timers should have fired by now: the clock's lag, zero in a healthy house."""
    late = select(func.count()).select_from(TIMER).where(TIMER.c.state == "armed", TIMER.c.next_try_at <= now)
    with whole_view(session):  # of the whole house
        return session.scalar(late) or 0
