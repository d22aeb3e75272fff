"""Unusual exports (办法17, 办法19): far beyond the person's own past, at odd hours, in parts below the number that needs a request."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.duty.duty_room import MORNING, at
from workflow.audit.notes import note
from workflow.calendar.calendar import shipped_calendar
from workflow.db import reading, writing
from workflow.duty.exports import export_alarms
from workflow.policy import shipped_policies

CITY = shipped_policies().city
LEAST, TIMES = CITY.count("alarm.export_rows"), CITY.count("alarm.export_times")
PARTS, NIGHT, MOST = (
    CITY.count("alarm.export_parts"),
    CITY.count("alarm.export_night"),
    CITY.count("report.export_people"),
)


def take(engine: Engine, rows: int, moment: datetime = MORNING, kind: str = "ticket", **more: str) -> None:
    with writing(engine) as session:
        note(session, "export.run", at=moment, actor=more.pop("by", "li"), kind=kind, summary={"rows": rows}, **more)


def found(engine: Engine, now: datetime = MORNING) -> list[str]:
    with reading(engine) as session:
        return [alarm.key for alarm in export_alarms(session, CITY, shipped_calendar(), now)]


def test_many_records_are_unusual_for_whom_they_are_unusual(both_engines: Engine) -> None:
    for days in (1, 5, 9):
        take(both_engines, LEAST, MORNING - timedelta(days), by="often")
    take(both_engines, LEAST)
    take(both_engines, TIMES * LEAST, by="often")
    take(both_engines, LEAST * 9, result="refused")
    assert found(both_engines) == []
    take(both_engines, 1)
    assert found(both_engines) == ["export:li:volume:2026-04-01"]
    take(both_engines, 1, by="often")
    assert found(both_engines) == ["export:li:volume:2026-04-01", "export:often:volume:2026-04-01"]


def test_what_lies_longer_back_than_four_weeks_is_not_the_usual(both_engines: Engine) -> None:
    take(both_engines, 100 * LEAST, MORNING - timedelta(30))
    take(both_engines, LEAST + 1)
    assert found(both_engines) == ["export:li:volume:2026-04-01"]


@pytest.mark.parametrize(
    ("moment", "odd"),
    [
        (at(date(2026, 4, 1), 7, 29), True),
        (at(date(2026, 4, 1), 7, 30), False),
        (at(date(2026, 4, 1), 19, 59), False),
        (at(date(2026, 4, 1), 20, 0), True),
        (at(date(2026, 4, 5), 10), True),
        (at(date(2026, 2, 14), 10), False),  # 调休: a Saturday on which people work
    ],
)
def test_the_night_and_days_off_are_odd_hours(engine: Engine, moment: datetime, odd: bool) -> None:
    take(engine, NIGHT, moment)
    assert found(engine, moment) == []
    take(engine, 1, moment)
    assert found(engine, moment) == ([f"export:li:hours:{moment:%Y-%m-%d}"] if odd else [])


def test_many_small_exports_that_together_need_a_request_are_found(both_engines: Engine) -> None:
    share = MOST // (PARTS + 1) + 1
    for _ in range(PARTS):
        take(both_engines, share, kind="person")
    take(both_engines, share, kind="ticket")
    take(both_engines, MOST + 1, kind="person")  # one that was asked for
    assert found(both_engines) == []
    take(both_engines, share, MORNING + timedelta(hours=2), kind="contract")
    assert found(both_engines) == [], "later than now"
    assert found(both_engines, MORNING + timedelta(hours=2)) == ["export:li:parts:2026-04-01"]
    assert found(both_engines, MORNING + timedelta(days=1)) == []
