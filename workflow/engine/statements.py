"""The statements of a step, built once for each kind of database: building one costs ten times what running it does. Pure SQL building.

Each takes its shape and its `ids` from `bound`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Insert, Select, Update, bindparam, func, insert, null, or_, select, update

from workflow.engine.models import CASE, HISTORY, PAUSE, TIMER
from workflow.engine.sets import Shape

EARLIEST = (
    select(func.min(TIMER.c.due_at)).where(TIMER.c.case_id == CASE.c.id, TIMER.c.state == "armed").scalar_subquery()
)
STANDING = ("state", "light", "open", "inbox", "state_since", "due_at", "closed_at")
INSERT_HISTORY: Insert = insert(HISTORY).inline()  # nobody asks for the number that a row was given


@lru_cache
def locking(shape: Shape, columns: tuple[str, ...], *, skip_locked: bool) -> Select[Any]:
    """The cases in the order of their ids, locked until the transaction ends (on SQLite the write lock does it)."""
    chosen = select(*(CASE.c[name] for name in columns)).where(shape.holds(CASE.c.id)).order_by(CASE.c.id)
    return chosen.with_for_update(skip_locked=skip_locked) if shape.dialect == "postgresql" else chosen


@lru_cache
def moving(shape: Shape) -> Update:
    """State, light, inbox, moments (bound as `to_<column>`) and one version more; nobody holds the case any more."""
    values = {name: bindparam(f"to_{name}", type_=CASE.c[name].type) for name in STANDING}
    moved = update(CASE).where(shape.holds(CASE.c.id))
    return moved.values(version=CASE.c.version + 1, assignee=null(), **values)


@lru_cache
def noting_due(shape: Shape) -> Update:
    """The earliest armed timer of each case, copied to the case."""
    return update(CASE).where(shape.holds(CASE.c.id)).values(due_at=EARLIEST)


@lru_cache
def keeping() -> Update:
    """Day zero (`zero`) and data (`kept`) of one `case`."""
    values = {
        "day_zero": bindparam("zero", type_=CASE.c.day_zero.type),
        "data": bindparam("kept", type_=CASE.c.data.type),
    }
    return update(CASE).where(CASE.c.id == bindparam("case")).values(values)


@lru_cache
def cancelling(shape: Shape, keep: frozenset[str]) -> Update:
    """The running timers of the cases but those of the actions to `keep`; the moment is bound as `at`."""
    running = update(TIMER).where(
        shape.holds(TIMER.c.case_id), or_(TIMER.c.state == "armed", TIMER.c.state == "paused")
    )
    if keep:
        running = running.where(TIMER.c.name.not_in(sorted(keep)))
    return running.values(state="cancelled", ended_at=bindparam("at", type_=TIMER.c.ended_at.type))


@lru_cache
def pausing(shape: Shape) -> Select[Any]:
    """The pauses of the cases and those of every case, in order of their first day; annulled ones left out."""
    columns = select(PAUSE.c.case_id, PAUSE.c.cause, PAUSE.c.from_on, PAUSE.c.to_on)
    ours = columns.where(or_(shape.holds(PAUSE.c.case_id), PAUSE.c.case_id.is_(None)))
    holding = ours.where(or_(PAUSE.c.to_on.is_(None), PAUSE.c.to_on >= PAUSE.c.from_on))
    return holding.order_by(PAUSE.c.from_on, PAUSE.c.id)
