"""A reviewer, the checker and the clock at the same ticket at the same moment: one after the other, no deadlock, no half step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Engine, select

from tests.quality.ticket_room import at, check, finding, settle, ticket
from workflow.casework.explanation import open_explanation
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import Refused
from workflow.quality.tickets import PROCESS

MON, FRI = date(2026, 3, 2), date(2026, 3, 6)
CLERK = Person("clerk@1", {"unit_clerk": None})
REVIEWER = Person("reviewer", {"reviewer": None})


def together(*works: Callable[[], object]) -> list[BaseException]:
    """Does the works at once; returns what they raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def one(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def waiting(engine: Engine, record: int) -> int:
    with writing(engine) as session:
        case_id = open_explanation(session, ticket(engine, record).id, now=at(MON), actor=CLERK)
        inputs = {"text": "说明", "evidence": ["x"]}
        require_moved(take_step(session, "explanation", "submit", [case_id], now=at(MON), actor=CLERK, inputs=inputs))
    return case_id


@pytest.mark.postgresql
def test_an_approval_and_a_passing_check_end_as_one_of_the_two(pg_engine: Engine) -> None:
    settle(pg_engine)
    for record in range(1, 13):
        check(pg_engine, MON, [finding(record)], scope=[record])
        case_id = waiting(pg_engine, record)

        def approve(case_id: int = case_id) -> None:
            with writing(pg_engine) as session:
                require_moved(take_step(session, "explanation", "approve", [case_id], now=at(MON), actor=REVIEWER))

        errors = together(approve, lambda record=record: check(pg_engine, MON, [], scope=[record]))
        assert all(isinstance(error, Refused) for error in errors), errors
        with reading(pg_engine) as session:
            state = session.scalar(select(CASE.c.state).where(CASE.c.id == case_id))
        assert (ticket(pg_engine, record).state, state) in {
            ("waived", "approved"),
            ("green", "moot"),
            ("green", "submitted"),
        }


@pytest.mark.postgresql
def test_the_clock_and_the_checker_at_many_tickets_never_deadlock(pg_engine: Engine) -> None:
    settle(pg_engine)
    check(pg_engine, MON, [finding(n) for n in range(1, 401)])
    passing = lambda: check(pg_engine, FRI, [finding(n) for n in range(1, 401, 2)])  # noqa: E731
    errors = together(passing, *[lambda: fire_due(pg_engine, at(FRI, 0), limit=50)] * 2)
    assert errors == []
    fire_due(pg_engine, at(FRI, 1))
    with reading(pg_engine) as session:
        states = session.execute(select(CASE.c.state).where(CASE.c.process == PROCESS)).scalars().all()
    assert sorted(states) == ["green"] * 200 + ["red"] * 200
