"""Days that do not count, as rows with a cause; running timers are recomputed from them. Nothing is ever added to a counter."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from workflow.engine.arming import due_date, pauses_of
from workflow.engine.context import ROW_COLUMNS, CaseRow
from workflow.engine.models import CASE, PAUSE, TIMER
from workflow.engine.registry import book
from workflow.engine.sets import among
from workflow.engine.steps import note_due
from workflow.policy import Term


def pause(
    session: Session,
    case_ids: Collection[int],
    cause: str,
    *,
    from_on: date,
    by: str,
    now: datetime,
    to_on: date | None = None,
) -> None:
    """Stops the clock of the cases from a day on (inclusive), until `to_on` or until resumed; `cause` stands in the derivation."""
    rows = [
        {"case_id": case_id, "cause": cause, "from_on": from_on, "to_on": to_on, "by": by, "written_at": now}
        for case_id in case_ids
    ]
    if rows:
        session.execute(insert(PAUSE), rows)
        recompute(session, case_ids, now)


def pause_everything(session: Session, cause: str, *, from_on: date, to_on: date | None, by: str, now: datetime) -> int:
    """An outage of the platform or of its sources: these days count for no case. Returns how many cases were recomputed."""
    everywhere = {"case_id": None, "cause": cause, "from_on": from_on, "to_on": to_on, "by": by, "written_at": now}
    session.execute(insert(PAUSE), [everywhere])
    running = session.scalars(select(TIMER.c.case_id).where(TIMER.c.state.in_(["armed", "paused"])).distinct()).all()
    recompute(session, running, now)
    return len(running)


def resume(
    session: Session, case_ids: Collection[int], cause: str, *, on: date, now: datetime, annul: bool = False
) -> None:
    """Ends the open pauses of that cause; `on` is the last day that does not count. Annulled ones count for nothing."""
    still_open = [among(session, PAUSE.c.case_id, case_ids), PAUSE.c.cause == cause, PAUSE.c.to_on.is_(None)]
    if annul:
        for pause_id, from_on in session.execute(select(PAUSE.c.id, PAUSE.c.from_on).where(*still_open)).all():
            before = from_on - timedelta(1)
            session.execute(update(PAUSE).where(PAUSE.c.id == pause_id).values(to_on=before))
    else:
        session.execute(update(PAUSE).where(*still_open).values(to_on=on))
    recompute(session, case_ids, now)


def recompute(session: Session, case_ids: Collection[int], now: datetime) -> None:
    """Counts the running timers of the cases anew, with the terms they were armed with, the pauses and the calendar of today."""
    in_force = book()
    running = select(TIMER).where(among(session, TIMER.c.case_id, case_ids), TIMER.c.state.in_(["armed", "paused"]))
    timers = session.execute(running).all()
    rows = session.execute(select(*ROW_COLUMNS).where(among(session, CASE.c.id, case_ids)))
    cases = {row.id: CaseRow._make(row) for row in rows}
    stops = pauses_of(session, case_ids)
    for timer in timers:
        case = cases[timer.case_id]
        definition = in_force.version(session, case.definition)
        rule = next(rule for rule in definition.timers_in(case.state) if rule.do == timer.name)
        term = Term(timer.n, timer.unit) if timer.n is not None else None
        when = due_date(in_force, rule, term, timer.start_on, case.data, stops.get(case.id, ()))
        values = {
            "due_on": when.due_on,
            "due_at": when.due_at,
            "provisional": when.provisional,
            "next_try_at": when.due_at,
        }
        state = "armed" if when.known else "paused"
        session.execute(update(TIMER).where(TIMER.c.id == timer.id).values(state=state, **values))
    note_due(session, case_ids)
