"""D08 and D09 (办法15): a month without its check, a quarter without its update, and those not done in time."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Engine

from tests.duty.duty_room import LONG_AGO, at, case, filled, opened, settle, step
from workflow.calendar.calendar import shipped_calendar
from workflow.calendar.deadline import deadline
from workflow.db import reading, writing
from workflow.duty.checking import MONTHLY
from workflow.duty.facts import READERS
from workflow.duty.overdue import duty_alarms
from workflow.engine.registry import book
from workflow.policy import shipped_policies

CITY, CALENDAR = shipped_policies().city, shipped_calendar()
FIRST = date(2026, 4, 1)
ITEMS = [field.name for field in book().process(MONTHLY).form if field.name in READERS]


def found(engine: Engine, now: datetime) -> list[str]:
    with reading(engine) as session:
        return [alarm.key for alarm in duty_alarms(session, CITY, CALENDAR, now)]


def test_a_check_that_was_never_opened_is_missing_from_the_second_day_on(both_engines: Engine) -> None:
    assert found(both_engines, at(date(2026, 4, 2))) == [], "nobody is there yet"
    with writing(both_engines) as session:
        settle(session)
    assert found(both_engines, at(FIRST, 23, 59)) == []
    assert found(both_engines, at(date(2026, 4, 2), 0)) == ["duty:D08:2026-03", "duty:D09:2026-Q1"]


def test_what_lies_before_the_platform_is_not_missing(both_engines: Engine) -> None:
    with writing(both_engines) as session:
        settle(session, at(FIRST, 8))
    assert found(both_engines, at(date(2026, 4, 20))) == []
    assert found(both_engines, at(date(2026, 5, 2))) == ["duty:D08:2026-04"]


def test_a_check_is_missing_once_its_term_is_over_and_not_when_it_was_confirmed(both_engines: Engine) -> None:
    with writing(both_engines) as session:
        settle(session, LONG_AGO)
        check = opened(session, MONTHLY)
    due = deadline(FIRST, CITY.term("duty.monthly").n, CALENDAR).due_on
    assert due is not None
    assert found(both_engines, at(due, 23, 59)) == []
    after = at(date(due.year, due.month, due.day + 1), 0)
    assert found(both_engines, after) == ["duty:D08:2026-03"]
    with writing(both_engines) as session:
        step(session, check, "edit", "guard1", inputs=filled(ITEMS))
        step(session, check, "submit", "guard1")
        step(session, check, "confirm", "auditor")
        assert case(session, check).state == "confirmed"
    assert found(both_engines, after) == []
