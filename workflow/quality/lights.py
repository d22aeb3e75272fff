"""What light a problem and a unit show. The light is a pure function of found date, calendar, pauses, fix and day (办法10(一))."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.deadline import Pause, deadline
from workflow.engine.models import CASE
from workflow.engine.sets import among

PROCESS = "rectification"


def light_on(
    day: date,
    found_on: date,
    calendar: WorkCalendar,
    *,
    red_after: int = 3,
    pauses: Sequence[Pause] = (),
    fixed_on: date | None = None,
) -> str:
    """The light of one problem at the end of a day: green once fixed, red strictly after the last working day of its term,
    yellow until then, none before it was found. `red_after` is in working days (readings 5.1)."""
    if day < found_on:
        return "none"
    if fixed_on is not None and fixed_on <= day:
        return "green"
    due_on = deadline(found_on, red_after, calendar, pauses).due_on
    return "red" if due_on is not None and day > due_on else "yellow"


def lamp_of(red: int, yellow: int) -> str:
    """A unit's lamp: its worst open problem (readings 5.1)."""
    return "red" if red else "yellow" if yellow else "green"


def unit_lamps(session: Session, unit_ids: Collection[int]) -> dict[int, str]:
    """Unit id → lamp, of its own problems: subordinates do not count upward."""
    red, yellow = (func.sum(case((CASE.c.light == light, 1), else_=0)) for light in ("red", "yellow"))
    counted = select(CASE.c.unit_id, red, yellow).where(CASE.c.process == PROCESS, CASE.c.open)
    rows = session.execute(counted.where(among(session, CASE.c.unit_id, unit_ids)).group_by(CASE.c.unit_id))
    return dict.fromkeys(unit_ids, "green") | {unit_id: lamp_of(reds, yellows) for unit_id, reds, yellows in rows}


def open_by_light(session: Session, unit_id: int) -> dict[str, int]:
    """Light → open problems of one unit."""
    counted = select(CASE.c.light, func.count()).where(
        CASE.c.process == PROCESS, CASE.c.open, CASE.c.unit_id == unit_id
    )
    found: dict[str, int] = dict(session.execute(counted.group_by(CASE.c.light)).all())
    return {light: found.get(light, 0) for light in ("red", "yellow", "none")}
