"""Daily jobs as rows: once a day, missed days in order with their own moment, failures tried again, timers between them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from workers import daily as running
from workers.lease import CLOCK, alone, lease_on
from workflow.calendar.calendar import shipped_calendar
from workflow.db import reading, writing
from workflow.operations import daily
from workflow.operations.daily import Pending, Slot
from workflow.operations.digest import digest_slots
from workflow.operations.heartbeats import alive, beat
from workflow.operations.models import DailyJob
from workflow.operations.notices import wake_at
from workflow.policy import shipped_policies

SLOTS = [Slot("check", time(6, 0)), Slot("digest", time(8, 30))]
MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # nine in the morning in Ningbo
CITY = shipped_policies().city


def work_off(session: Session, until: datetime) -> list[tuple[date, str]]:
    """Do everything that is pending, in order."""
    done = []
    while pending := daily.next_pending(session, SLOTS, until):
        assert daily.begin(session, pending, until) is not None
        daily.finish(session, pending, until, {})
        done.append((pending.business_date, pending.job))
    return done


def test_a_new_platform_begins_with_today(session: Session) -> None:
    assert work_off(session, MONDAY) == [(date(2026, 3, 2), "check"), (date(2026, 3, 2), "digest")]


def test_a_repeat_on_the_same_day_is_a_no_op(session: Session) -> None:
    work_off(session, MONDAY)
    assert work_off(session, MONDAY + timedelta(hours=10)) == []
    again = Pending(date(2026, 3, 2), "check", MONDAY - timedelta(hours=3))
    assert daily.begin(session, again, MONDAY) is None


def test_a_job_is_not_due_before_its_hour(session: Session) -> None:
    six = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
    assert work_off(session, six - timedelta(seconds=1)) == []
    assert work_off(session, six) == [(date(2026, 3, 2), "check")]


def test_missed_days_are_caught_up_in_order_with_their_own_moment(session: Session) -> None:
    work_off(session, MONDAY)
    pending = daily.next_pending(session, SLOTS, MONDAY + timedelta(days=3))
    assert pending == Pending(date(2026, 3, 3), "check", datetime(2026, 3, 2, 22, 0, tzinfo=UTC))
    assert work_off(session, MONDAY + timedelta(days=3)) == [
        (date(2026, 3, day), job) for day in (3, 4, 5) for job in ("check", "digest")
    ]


def test_a_job_left_running_by_a_dead_clock_is_taken_over(session: Session) -> None:
    pending = daily.next_pending(session, SLOTS, MONDAY)
    assert pending is not None
    daily.begin(session, pending, MONDAY)
    assert daily.next_pending(session, SLOTS, MONDAY) == pending
    row = daily.begin(session, pending, MONDAY)
    assert row is not None
    assert row.attempts == 2


def test_a_failing_job_is_tried_again_later_and_holds_up_nothing(session: Session) -> None:
    first = daily.next_pending(session, SLOTS, MONDAY)
    assert first is not None
    daily.begin(session, first, MONDAY)
    daily.fail(session, first, MONDAY, "ValueError: 坏数据")
    assert daily.next_pending(session, SLOTS, MONDAY).job == "digest"
    assert daily.next_pending(session, SLOTS, MONDAY + timedelta(seconds=60)) == first


def test_a_job_that_keeps_failing_is_given_up_and_shown(session: Session) -> None:
    now = MONDAY
    for _ in range(len(daily.RETRY_AFTER) + 1):
        pending = daily.next_pending(session, SLOTS[:1], now)
        assert pending is not None
        daily.begin(session, pending, now)
        daily.fail(session, pending, now, "ValueError")
        now += timedelta(seconds=7200)
    assert daily.next_pending(session, SLOTS[:1], now) is None
    assert [row.job for row in daily.given_up(session)] == ["check"]


def test_an_error_in_a_job_is_kept_on_its_row(engine: Engine) -> None:
    lost = Pending(date(2026, 3, 2), "digest:nowhere", MONDAY)
    with writing(engine) as session:
        session.connection().exec_driver_sql("ALTER TABLE case_file RENAME TO case_file_away")
    assert not running.run_job(engine, lost, MONDAY)
    with reading(engine) as session:
        row = session.scalars(select(DailyJob)).one()
        assert row.state == "failed"
        assert "case_file" in (row.error or "")
        assert row.next_try_at == MONDAY + timedelta(seconds=60)


def test_the_digest_is_sent_once_and_not_on_holidays(engine: Engine) -> None:
    new_year = Pending(date(2026, 1, 1), "digest", datetime(2026, 1, 1, 0, 30, tzinfo=UTC))
    assert running.run_job(engine, new_year, new_year.due_at)
    assert running.run_job(engine, new_year, new_year.due_at)
    with reading(engine) as session:
        row = session.scalars(select(DailyJob)).one()
        assert row.outcome["notices"] == 0
        assert row.attempts == 1


def test_a_county_with_an_hour_of_its_own_has_a_digest_of_its_own() -> None:
    assert digest_slots(shipped_policies())[0].job == "digest"
    assert len({slot.job for slot in running.slots()}) == len(running.slots())


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("2026-03-02T10:00", "2026-03-02T10:00"),  # a working morning: at once
        ("2026-03-02T07:29", "2026-03-02T07:30"),  # too early
        ("2026-03-02T20:00", "2026-03-03T07:30"),  # too late
        ("2026-03-06T23:00", "2026-03-09T07:30"),  # Friday night
        ("2026-02-14T10:00", "2026-02-14T10:00"),  # a Saturday that counts as a working day (调休)
        ("2026-02-16T10:00", "2026-02-24T07:30"),  # Spring Festival
    ],
)
def test_notices_wait_for_the_waking_hours_of_a_working_day(told: str, shown: str) -> None:
    moment, wake = (datetime.fromisoformat(f"{text}:00+08:00") for text in (told, shown))
    assert wake_at(moment, CITY, shipped_calendar()) == wake


def test_only_one_clock_holds_the_lease(both_engines: Engine) -> None:
    first, second = lease_on(both_engines, CLOCK), lease_on(both_engines, CLOCK)
    assert [first.hold(), first.hold(), second.hold()] == [True, True, False]
    first.release()
    assert [second.hold(), first.hold()] == [True, False]
    second.release()


def test_a_block_runs_alone_and_lets_go_after_an_error(both_engines: Engine) -> None:
    other = lease_on(both_engines, CLOCK)
    with pytest.raises(ZeroDivisionError), alone(both_engines, CLOCK):
        assert not other.hold()
        _ = 1 / 0
    assert other.hold()
    other.release()


def test_a_silent_part_counts_as_dead(session: Session) -> None:
    beat(session, "clock", MONDAY, "host:1")
    assert alive(session, "clock", MONDAY + timedelta(seconds=15))
    assert not alive(session, "clock", MONDAY + timedelta(seconds=16))
    assert not alive(session, "relay", MONDAY)
