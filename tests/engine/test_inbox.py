"""Lists of cases: mine by role and unit, urgent first; the badge equals the list; one statement each."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from tests.engine.conftest import COURIER, SENDER
from workflow.engine.actors import CLOCK
from workflow.engine.inbox import case_by_id, my_tasks, overdue, task_counts, timers_of
from workflow.engine.models import CASE
from workflow.engine.steps import NewCase, open_cases, take_step
from workflow.errors import NotFound

MON, TUE = date(2026, 3, 2), date(2026, 3, 3)


def test_open_work_of_my_role_and_my_units_is_listed_red_first_then_by_due_date(
    session: Session, now: datetime
) -> None:
    new = [
        NewCase(1, "later", day_zero=TUE),
        NewCase(1, "sooner", day_zero=MON),
        NewCase(1, "red"),
        NewCase(2, "elsewhere"),
        NewCase(1, "done"),
    ]
    _, _, red, _, done = open_cases(session, "parcel", new, now=now, actor=SENDER)
    take_step(session, "parcel", "delay", [red], now=now, actor=CLOCK)
    take_step(session, "parcel", "arrive", [done], now=now, actor=COURIER)
    mine = {"sender": select(CASE.c.unit_id).where(CASE.c.unit_id == 1)}
    assert [row.subject for row in session.execute(my_tasks(mine))] == ["red", "sooner", "later"]
    assert task_counts(session, mine) == {("parcel", "red"): 1, ("parcel", "yellow"): 2}
    assert (
        len(session.execute(my_tasks({"sender": None})).all())
        == sum(task_counts(session, {"sender": None}).values())
        == 4
    )
    assert session.execute(my_tasks({"courier": None})).all() == session.execute(my_tasks({})).all() == []


def test_each_list_is_one_statement(session: Session, now: datetime) -> None:
    (case_id, *_) = open_cases(session, "parcel", [NewCase(1, str(n)) for n in range(30)], now=now, actor=SENDER)
    for read in (
        lambda: session.execute(my_tasks({"sender": None})).all(),
        lambda: task_counts(session, {"sender": None}),
        lambda: timers_of(session, case_id),
        lambda: overdue(session, now),
    ):
        statements: list[str] = []

        def noted(*args: object, statements: list[str] = statements) -> None:
            statements.append(str(args[2]))

        event.listen(session.get_bind(), "before_cursor_execute", noted)
        read()
        event.remove(session.get_bind(), "before_cursor_execute", noted)
        assert len(statements) == 1


def test_a_case_that_is_not_there_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        case_by_id(session, 4711)
