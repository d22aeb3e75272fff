"""The statements of a step, prepared once for each kind of database. Pure SQL building.

Each takes its shape and its `ids` from `bound`.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import ColumnElement, Table, bindparam, func, insert, literal_column, null, or_, select, update

from workflow.engine.models import CASE, HISTORY, PAUSE, TIMER
from workflow.engine.sets import Shape
from workflow.prepared import Prepared

# Words, not bound values: SQLite plans a statement anew at each execution if a value might decide about a partial index.
ARMED: ColumnElement[str] = literal_column("'armed'")
PAUSED: ColumnElement[str] = literal_column("'paused'")
EARLIEST = (
    select(func.min(TIMER.c.due_at)).where(TIMER.c.case_id == CASE.c.id, TIMER.c.state == ARMED).scalar_subquery()
)


def inserting(table: Table, *left: str) -> Prepared:
    """One row with all columns but its number, for which nobody asks, and those that are `left` empty."""
    return Prepared(insert(table).inline(), [c.name for c in table.c if c.name not in ("id", *left)])


INSERT_HISTORY = inserting(HISTORY)
INSERT_TIMER = inserting(TIMER, "ended_at", "last_error")


@lru_cache
def locking(shape: Shape, columns: tuple[str, ...], *, skip_locked: bool) -> Prepared:
    """The cases in the order of their ids, locked until the transaction ends (on SQLite the write lock does it)."""
    chosen = select(*(CASE.c[name] for name in columns)).where(shape.holds(CASE.c.id)).order_by(CASE.c.id)
    if shape.dialect == "postgresql":
        chosen = chosen.with_for_update(skip_locked=skip_locked)
    return Prepared(chosen, ["ids"])


@lru_cache
def moving(shape: Shape, columns: tuple[str, ...]) -> Prepared:
    """These columns (bound as `to_<column>`) and one version more; nobody holds the case any more."""
    values = {name: bindparam(f"to_{name}", type_=CASE.c[name].type) for name in columns}
    moved = update(CASE).where(shape.holds(CASE.c.id))
    return Prepared(
        moved.values(version=CASE.c.version + 1, assignee=null(), **values), ["ids", *(f"to_{name}" for name in values)]
    )


@lru_cache
def noting_due(shape: Shape) -> Prepared:
    """The earliest armed timer of each case, copied to the case."""
    return Prepared(update(CASE).where(shape.holds(CASE.c.id)).values(due_at=EARLIEST), ["ids"])


@lru_cache
def keeping() -> Prepared:
    """Day zero (`zero`) and data (`kept`) of one `case`."""
    values = {
        "day_zero": bindparam("zero", type_=CASE.c.day_zero.type),
        "data": bindparam("kept", type_=CASE.c.data.type),
    }
    return Prepared(update(CASE).where(CASE.c.id == bindparam("case")).values(values), ["case", "zero", "kept"])


@lru_cache
def cancelling(shape: Shape, keep: frozenset[str]) -> Prepared:
    """The running timers of the cases but those of the actions to `keep`; the moment is bound as `at`."""
    running = update(TIMER).where(shape.holds(TIMER.c.case_id), TIMER.c.state.in_([ARMED, PAUSED]))
    for name in sorted(keep):
        running = running.where(TIMER.c.name != name)
    return Prepared(
        running.values(state="cancelled", ended_at=bindparam("at", type_=TIMER.c.ended_at.type)), ["ids", "at"]
    )


@lru_cache
def pausing(shape: Shape) -> Prepared:
    """The pauses of the cases and those of every case, in order of their first day; annulled ones left out."""
    columns = select(PAUSE.c.case_id, PAUSE.c.cause, PAUSE.c.from_on, PAUSE.c.to_on)
    ours = columns.where(or_(shape.holds(PAUSE.c.case_id), PAUSE.c.case_id.is_(None)))
    holding = ours.where(or_(PAUSE.c.to_on.is_(None), PAUSE.c.to_on >= PAUSE.c.from_on))
    return Prepared(holding.order_by(PAUSE.c.from_on, PAUSE.c.id), ["ids"])
