"""Timers fire at their moment, once, in order, however many clocks run and whatever one of them raises."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Row, func, select, update

from tests.engine.conftest import COURIER, SENDER, parcel_book
from workflow.calendar.deadline import deadline
from workflow.db import reading, writing
from workflow.engine.inbox import history, overdue
from workflow.engine.models import TIMER, Case, CaseHistory, Outbox
from workflow.engine.pauses import pause, pause_everything, resume
from workflow.engine.registry import book, using
from workflow.engine.steps import NewCase, open_cases, take_step
from workflow.engine.timers import TRIES, fire_due, retry, troubled

FRIDAY = date(2026, 2, 27)  # the Saturday after it is a working day
DUE_AT = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)  # the end of Tuesday 3 March in Ningbo


def put(engine: Engine, now: datetime, n: int = 1, name: str = "p", **data: Any) -> list[int]:
    with writing(engine) as session:
        new = [NewCase(1, f"{name}{i}", day_zero=FRIDAY, data=data) for i in range(n)]
        return open_cases(session, "parcel", new, now=now, actor=SENDER)


def states(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(Case.state).order_by(Case.id)))


def timer(engine: Engine, case_id: int) -> Row[Any]:
    with reading(engine) as session:
        return session.execute(select(TIMER).where(TIMER.c.case_id == case_id).order_by(TIMER.c.id.desc())).all()[0]


def test_a_timer_waits_until_the_minute_and_fires_at_it(engine: Engine, now: datetime) -> None:
    put(engine, now)
    assert fire_due(engine, DUE_AT - timedelta(minutes=1)).touched == 0
    assert states(engine) == ["waiting"]
    assert fire_due(engine, DUE_AT).fired == {"parcel.delay": 1}
    assert states(engine) == ["late"]


def test_after_downtime_a_timer_takes_effect_at_the_moment_it_was_due(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    fire_due(engine, DUE_AT + timedelta(days=9))
    with reading(engine) as session:
        act = history(session, case_id)[-1]
    assert (act["do"], act["actor"], act["effective_at"], act["at"]) == (
        "delay",
        "clock",
        DUE_AT,
        DUE_AT + timedelta(days=9),
    )


def test_firing_again_does_nothing(engine: Engine, now: datetime) -> None:
    put(engine, now, 7)
    fire_due(engine, DUE_AT)
    assert fire_due(engine, DUE_AT).touched == 0


def test_more_than_a_chunk_fires_in_chunks(engine: Engine, now: datetime) -> None:
    put(engine, now, 23)
    assert fire_due(engine, DUE_AT, limit=5).fired == {"parcel.delay": 23}
    with reading(engine) as session:
        assert overdue(session, DUE_AT) == 0


def test_one_failing_timer_holds_up_nobody_and_is_shown_after_five_tries(engine: Engine, now: datetime) -> None:
    good = put(engine, now, 6)
    with writing(engine) as session:
        session.execute(update(Case).where(Case.id == good[3]).values(data={"cursed": True}))
    result = fire_due(engine, DUE_AT)
    assert (result.fired["parcel.delay"], result.pushed) == (5, 1)
    moment = DUE_AT
    for _ in range(TRIES - 1):
        assert fire_due(engine, moment).touched == 0  # pushed forward: not before its time
        moment += timedelta(hours=1)
        result = fire_due(engine, moment)
    assert (result.failed, timer(engine, good[3]).state) == (1, "failed")
    with reading(engine) as session:
        (row,) = troubled(session)
    assert (row["case_id"], row["attempts"], row["last_error"]) == (good[3], 5, "RuntimeError: cursed parcel")
    with writing(engine) as session:
        session.execute(update(Case).where(Case.id == good[3]).values(data={}))
        retry(session, timer(engine, good[3]).id, moment)
    assert fire_due(engine, moment).fired == {"parcel.delay": 1}


def test_a_failed_chunk_leaves_nothing_behind(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    with writing(engine) as session:
        session.execute(update(Case).where(Case.id == case_id).values(data={"cursed": True}))
    fire_due(engine, DUE_AT)
    with reading(engine) as session:
        assert session.get_one(Case, case_id).version == 2
        assert session.scalar(select(func.count()).select_from(CaseHistory)) == 2


def test_a_step_taken_first_makes_the_timer_void(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    with writing(engine) as session:
        take_step(session, "parcel", "arrive", [case_id], now=now, actor=COURIER)
    assert fire_due(engine, DUE_AT).touched == 0
    assert timer(engine, case_id).state == "cancelled"


def test_a_pause_moves_the_deadline_by_the_working_days_in_it(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    monday, thursday = date(2026, 3, 2), date(2026, 3, 5)
    with writing(engine) as session:
        pause(session, [case_id], "说明审核中", from_on=monday, by="a", now=now)
    assert timer(engine, case_id).state == "paused"
    assert fire_due(engine, DUE_AT + timedelta(days=30)).touched == 0
    with writing(engine) as session:
        resume(session, [case_id], "说明审核中", on=thursday, now=now)
    expected = deadline(FRIDAY, 3, book().calendar, [("说明审核中", monday, thursday)]).due_on
    assert (timer(engine, case_id).state, timer(engine, case_id).due_on) == ("armed", expected)
    assert expected == date(2026, 3, 9)


def test_an_annulled_pause_counts_for_nothing(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    with writing(engine) as session:
        pause(session, [case_id], "说明审核中", from_on=date(2026, 3, 2), by="a", now=now)
        resume(session, [case_id], "说明审核中", on=date(2026, 3, 20), now=now, annul=True)
    assert timer(engine, case_id).due_at == DUE_AT


def test_an_outage_stops_every_clock(engine: Engine, now: datetime) -> None:
    first, second = put(engine, now, 2)
    with writing(engine) as session:
        pause_everything(session, "平台停机", from_on=date(2026, 3, 3), to_on=date(2026, 3, 3), by="security", now=now)
    (third,) = put(engine, now, name="later")
    assert {timer(engine, id_).due_on for id_ in (first, second, third)} == {date(2026, 3, 4)}


def race(engine: Engine, clocks: int, choose: Any) -> list[BaseException]:
    """Threads that begin together, each doing the work that `choose` gives it; returns what they raised."""
    errors: list[BaseException] = []
    in_force, start = book(), threading.Barrier(clocks)

    def one() -> None:
        with using(in_force):
            start.wait()
            try:
                choose()()
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(clocks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_three_clocks_at_once_neither_lose_nor_double(both_engines: Engine, now: datetime) -> None:
    with using(parcel_book()):
        put(both_engines, now, 300)
        errors = race(both_engines, 3, lambda: lambda: fire_due(both_engines, DUE_AT, limit=20))
        assert errors == []
        fire_due(both_engines, DUE_AT)
        with reading(both_engines) as session:
            assert session.scalar(select(func.count()).select_from(CaseHistory).where(CaseHistory.do == "delay")) == 300
            assert session.scalar(select(func.count()).select_from(Outbox).where(Outbox.key.like("delay:%"))) == 300
            assert set(session.scalars(select(Case.state))) == {"late"}


@pytest.mark.postgresql
def test_a_person_and_the_clock_race_for_one_case_and_one_of_them_wins(pg_engine: Engine, now: datetime) -> None:
    for number in range(20):
        (case_id,) = put(pg_engine, now, name=f"race{number}-")

        def deliver(case_id: int = case_id) -> None:
            with writing(pg_engine) as session:
                take_step(session, "parcel", "arrive", [case_id], now=DUE_AT, actor=COURIER)

        works = [deliver, lambda: fire_due(pg_engine, DUE_AT)]
        assert race(pg_engine, 2, works.pop) == []
        with reading(pg_engine) as session:
            acts = [act["do"] for act in history(session, case_id)]
        assert acts in (["open", "send", "arrive"], ["open", "send", "delay"], ["open", "send", "delay", "arrive"])
