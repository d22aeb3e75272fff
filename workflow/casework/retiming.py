"""Running terms counted anew as if another policy had held from their day zero. Only for simulations: a real term keeps the length it began with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.engine.arming import due_date, pauses_of
from workflow.engine.models import CASE, TIMER
from workflow.engine.pauses import recompute
from workflow.engine.registry import book
from workflow.engine.retiming import hold_to
from workflow.engine.sets import grouped
from workflow.engine.steps import note_due
from workflow.quality.tickets import note_deadlines


def retime(session: Session, now: datetime) -> int:
    """Gives every running timer the length of its term in the book in force; returns how many changed.

    What is due in the past by that comes due at once. Lights that are on already stay.
    """
    running = TIMER.c.state.in_(["armed", "paused"]) & TIMER.c.n.is_not(None)
    columns = (TIMER.c.id, TIMER.c.case_id, TIMER.c.name, TIMER.c.term, TIMER.c.n, TIMER.c.unit, TIMER.c.start_on)
    joined = select(*columns, CASE.c.unit_id, CASE.c.definition, CASE.c.state).join(CASE, CASE.c.id == TIMER.c.case_id)
    timers = session.execute(joined.where(running)).all()
    units: dict[str, set[int | None]] = {}
    for timer in timers:
        units.setdefault(timer.term, set()).add(timer.unit_id)
    terms = {name: book().term(session, name, ids) for name, ids in units.items()}
    changed = [timer for timer in timers if terms[timer.term][timer.unit_id] != (timer.n, timer.unit)]
    alike = grouped(
        ((timer.definition, timer.state, timer.name, terms[timer.term][timer.unit_id], timer.start_on), timer)
        for timer in changed
    )
    paused = set(pauses_of(session, {timer.case_id for timer in changed}))
    for (definition, state, name, term, start_on), group in alike.items():
        rule = next(one for one in book().version(session, definition).timers_in(state) if one.do == name)
        when = due_date(book(), rule, term, start_on, {}, ())
        hold_to(session, [timer.id for timer in group], term, when)
    cases = {timer.case_id for timer in changed}
    recompute(session, cases & paused, now)
    note_due(session, cases)
    note_deadlines(session, cases)
    return len(changed)
