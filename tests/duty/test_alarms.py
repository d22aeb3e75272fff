"""Alarms (办法19): each cause is found when it is there and not before, told once a period, at night too, to the security officers alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select

from tests.audit import intruder
from tests.audit.intruder import START, fill, inside
from tests.duty.duty_room import MORNING, at, settle, who
from workflow.access.accounts import FAILURES_ALLOWED, LOCKED_FOR
from workflow.access.models import Account, SensitiveReading
from workflow.audit.models import ROW
from workflow.audit.notes import note
from workflow.calendar.calendar import shipped_calendar
from workflow.db import reading, writing
from workflow.duty.alarms import (
    ACTION,
    Alarm,
    Seen,
    backup_alarms,
    chain_alarms,
    lockout_alarms,
    raise_new,
    reading_alarms,
    red_alarms,
)
from workflow.engine.models import CASE
from workflow.operations.models import DailyJob
from workflow.operations.notices import notices_for
from workflow.policy import shipped_policies
from workflow.quality.models import ENTRY, TICKET

CITY = shipped_policies().city
FOUND = date(2026, 3, 1)
PROBLEM = {"rule_id": "F01", "dataset": "person", "record_id": 1, "record_key": "P1", "unit_id": 1, "level": "E", "present": True, "first_found_on": FOUND, "found_on": FOUND, "last_run_id": 1}  # fmt: skip


def found(engine: Engine, detector: Callable[..., Any], *arguments: Any) -> list[str]:
    with reading(engine) as session:
        return [alarm.key for alarm in detector(session, *arguments)]


def chain(engine: Engine, seen: Seen | None = None) -> tuple[list[Alarm], Seen]:
    with reading(engine) as session:
        return chain_alarms(session, "", seen, MORNING)


SABOTAGE: dict[str, Callable[[Connection], None]] = {
    "a changed entry": lambda c: intruder.change_column(c, 20, "actor", random.Random(1)),
    "an entry taken away": lambda c: intruder.take_away(c, 20),
    "an entry taken away and the gap closed": lambda c: intruder.close_up(c, 20),
    "two entries swapped": lambda c: intruder.swap(c, 20, 25),
    "an invented entry": lambda c: intruder.put_in(c, 40),
    "the end cut off": lambda c: intruder.cut_off(c, 31),
    "the end sealed anew with the key": lambda c: intruder.rewrite_from(c, 30, lambda row: row.update(actor="nobody")),
}


@pytest.mark.parametrize("how", SABOTAGE)
def test_a_break_of_the_chain_is_found_at_the_next_look(both_engines: Engine, how: str) -> None:
    fill(both_engines, 40)
    quiet, seen = chain(both_engines)
    assert (quiet, seen.seq) == ([], 40)
    with inside(both_engines) as connection:
        SABOTAGE[how](connection)
    alarms, _ = chain(both_engines, seen)
    assert [alarm.key for alarm in alarms] == ["chain:2026-04-01"]


def test_a_chain_that_grows_is_no_break_and_an_old_entry_is_left_to_the_daily_walk(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflow.duty.alarms.STRETCH", 10)
    seen = None
    for _ in range(4):
        fill(engine, 15)
        alarms, seen = chain(engine, seen)
        assert alarms == []
    with inside(engine) as connection:
        intruder.take_away(connection, 30)
    assert chain(engine, seen)[0] == []
    with inside(engine) as connection:
        intruder.take_away(connection, 55)
    assert chain(engine, seen)[0]


def test_a_missing_backup_is_told_once_any_was_ever_made(both_engines: Engine) -> None:
    missing = ["超过25小时没有备份"]
    assert found(both_engines, backup_alarms, [], True, MORNING) == []
    assert found(both_engines, backup_alarms, missing, False, MORNING) == [], "a platform that has just been set up"
    assert found(both_engines, backup_alarms, missing, True, MORNING) == ["backup:2026-04-01"]
    on = date(2026, 3, 31)
    ran = DailyJob(
        business_date=on, job="backup", due_at=at(on), state="done", started_at=at(on), outcome={"backup": "b1"}
    )
    with writing(both_engines) as session:
        session.add(ran)
    assert found(both_engines, backup_alarms, missing, False, MORNING) == ["backup:2026-04-01"], "all were deleted"


@pytest.mark.parametrize(
    ("production", "hours", "told"), [(True, 24, []), (True, 26, ["backup:2026-03-03"]), (False, 26, [])]
)
def test_a_production_that_never_made_a_backup_is_told_of_after_its_first_day(
    both_engines: Engine, production: bool, hours: int, told: list[str]
) -> None:
    fill(both_engines, 1)
    now = START + timedelta(hours=hours)
    with reading(both_engines) as session:
        alarms = backup_alarms(session, ["还没有任何备份"], False, now, production=production)
    assert [alarm.key for alarm in alarms] == told


def look_up(engine: Engine, n: int, moment: datetime, account: str = "reviewer") -> None:
    with writing(engine) as session:
        rows = [
            {"account": account, "dataset": "person", "record_key": f"P{i}", "reason": "核对", "at": moment}
            for i in range(n)
        ]
        session.execute(insert(SensitiveReading), rows)


def export(engine: Engine, n: int, moment: datetime, result: str = "done") -> None:
    with writing(engine) as session:
        for _ in range(n):
            note(session, "export.run", at=moment, actor="reviewer", kind="person", summary={"rows": 3}, result=result)


def test_mass_reading_is_found_above_the_policys_number_within_an_hour(both_engines: Engine) -> None:
    with writing(both_engines) as session:
        settle(session)
    most = CITY.count("alarm.readings")
    look_up(both_engines, most, MORNING - timedelta(minutes=59))
    look_up(both_engines, most, MORNING - timedelta(minutes=61))
    look_up(both_engines, most, MORNING, "guard1")
    assert found(both_engines, reading_alarms, CITY, MORNING) == []
    look_up(both_engines, 1, MORNING)
    assert found(both_engines, reading_alarms, CITY, MORNING) == ["reading:reviewer:readings:2026-04-01T09"]
    assert found(both_engines, reading_alarms, CITY, MORNING + timedelta(hours=1)) == []


def test_mass_export_is_found_above_the_policys_number_within_an_hour(both_engines: Engine) -> None:
    most = CITY.count("alarm.exports")
    export(both_engines, most, MORNING)
    export(both_engines, most, MORNING, "refused")
    export(both_engines, most, MORNING - timedelta(minutes=61))
    assert found(both_engines, reading_alarms, CITY, MORNING) == []
    export(both_engines, 1, MORNING)
    assert found(both_engines, reading_alarms, CITY, MORNING) == ["reading:reviewer:exports:2026-04-01T09"]


def lock(engine: Engine, n: int, moment: datetime, begin: int = 0) -> None:
    shared = {"person_name": "某", "created_at": MORNING, "created_by": "x", "failures": FAILURES_ALLOWED, "title": "", "district": "", "demo": False}  # fmt: skip
    rows = [{**shared, "name": f"a{begin + i}", "locked_until": moment + LOCKED_FOR} for i in range(n)]
    with writing(engine) as session:
        session.execute(insert(Account), rows)


def test_a_burst_of_locked_accounts_is_found(both_engines: Engine) -> None:
    most = CITY.count("alarm.lockouts")
    lock(both_engines, most, MORNING - timedelta(minutes=9))
    lock(both_engines, most, MORNING - timedelta(minutes=11), most)
    assert found(both_engines, lockout_alarms, CITY, MORNING) == []
    lock(both_engines, 1, MORNING, 2 * most)
    assert found(both_engines, lockout_alarms, CITY, MORNING) == ["lockout:2026-04-01T09"]


def lit(engine: Engine, n: int, on: date) -> None:
    with writing(engine) as session:
        ticket = session.scalar(select(TICKET.c.id)) or session.scalar(insert(TICKET).returning(TICKET.c.id), [PROBLEM])
        session.execute(insert(ENTRY), [{"ticket_id": ticket, "unit_id": 1, "entered_on": on} for _ in range(n)])


def test_a_surge_of_red_lights_is_many_and_many_times_the_usual(both_engines: Engine) -> None:
    calendar, today = shipped_calendar(), MORNING.date()
    least, times = CITY.count("alarm.reds"), CITY.count("alarm.red_times")
    days = [day for n in range(1, 29) if calendar.is_working(day := today - timedelta(n)).working]
    usual = least // times + 1
    lit(both_engines, least, today)
    assert found(both_engines, red_alarms, CITY, calendar, MORNING) == [], "not many"
    lit(both_engines, 1, today)
    assert found(both_engines, red_alarms, CITY, calendar, MORNING) == ["red:2026-04-01"]
    for day in days:
        lit(both_engines, usual, day)
    assert found(both_engines, red_alarms, CITY, calendar, MORNING) == [], "many, but usual"
    lit(both_engines, times * usual - least, today)
    assert found(both_engines, red_alarms, CITY, calendar, MORNING) == ["red:2026-04-01"]


def raised(engine: Engine, now: datetime, period: str) -> list[str]:
    with writing(engine) as session:
        return raise_new(session, [Alarm("reading", "reviewer:readings", period, "太多。", {"readings": 31})] * 2, now)


def test_an_alarm_is_told_once_a_period_with_one_entry_and_one_notice(both_engines: Engine) -> None:
    with writing(both_engines) as session:
        settle(session)
    assert [raised(both_engines, MORNING, "2026-04-01T09") for _ in range(3)] == [
        ["reading:reviewer:readings:2026-04-01T09"], [], [],
    ]  # fmt: skip
    assert raised(both_engines, MORNING + timedelta(hours=1), "2026-04-01T10") != []
    with reading(both_engines) as session:
        entries = session.scalars(select(ROW.c.object_key).where(ROW.c.action == ACTION).order_by(ROW.c.seq)).all()
        later = MORNING + timedelta(hours=2)
        told = [
            (row.title, row.count, row.link) for row, _ in notices_for(session, who(session, "guard1", later), later)
        ]
    assert entries == [f"reading:reviewer:readings:2026-04-01T{hour}" for hour in ("09", "10")]
    link = "/matters/incident/new?kind=reading&source=alarm&alarm=reading:reviewer:readings:2026-04-01T"
    assert told == [("安全告警：大量查看或导出", 1, f"{link}{hour}") for hour in ("10", "09")]


def test_an_alarm_is_shown_at_once_in_the_night_of_a_holiday_and_to_nobody_else(both_engines: Engine) -> None:
    with writing(both_engines) as session:
        settle(session)
    night = at(date(2026, 5, 2), 3)
    raised(both_engines, night, "2026-05-02T03")
    with reading(both_engines) as session:
        seen = {
            name: len(notices_for(session, who(session, name, night), night))
            for name in ("guard1", "guard2", "auditor", "admin", "reviewer")
        }
    assert seen == {"guard1": 1, "guard2": 1, "auditor": 0, "admin": 0, "reviewer": 0}


def test_no_case_is_opened_by_an_alarm_itself(engine: Engine) -> None:
    raised(engine, MORNING, "2026-04-01T09")
    with reading(engine) as session:
        assert session.scalar(select(CASE.c.id)) is None
