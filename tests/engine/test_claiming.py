"""One task, wanted by two at the same moment: exactly one has it, and the other is told who."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.engine.conftest import COURIER, SENDER
from tests.engine.test_timers import put, race
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.claiming import claim, reassign, release
from workflow.engine.models import CASE
from workflow.engine.steps import NewCase, open_cases, take_step
from workflow.errors import BadInput, Conflict, NotFound

ROUNDS = 20


def holder(engine: Engine, case_id: int) -> str | None:
    with reading(engine) as session:
        return session.scalar(select(CASE.c.assignee).where(CASE.c.id == case_id))


def put_one(session: Session, now: datetime) -> int:
    return open_cases(session, "parcel", [NewCase(1, "one")], now=now, actor=SENDER)[0]


def test_of_two_sessions_that_claim_one_task_exactly_one_wins_and_the_other_is_told_who(
    both_engines: Engine, now: datetime
) -> None:
    for case_id in put(both_engines, now, ROUNDS):
        accounts = ["first", "second"]

        def take(case_id: int = case_id, accounts: list[str] = accounts) -> None:
            account = accounts.pop()
            with writing(both_engines) as session:
                claim(session, case_id, account)

        (lost,) = race(both_engines, 2, lambda take=take: take)
        winner = holder(both_engines, case_id)
        assert isinstance(lost, Conflict)
        assert winner in ("first", "second")
        assert (lost.says, lost.facts["assignee"]) == (f"此事项已由 {winner} 办理", winner)


def test_a_claim_and_a_step_on_one_task_leave_it_held_or_moved_and_never_both(
    both_engines: Engine, now: datetime
) -> None:
    for case_id in put(both_engines, now, ROUNDS):

        def hold(case_id: int = case_id) -> None:
            with writing(both_engines) as session:
                claim(session, case_id, "first")

        def deliver(case_id: int = case_id) -> None:
            with writing(both_engines) as session:
                take_step(session, "parcel", "arrive", [case_id], now=now, actor=COURIER)

        works = [hold, deliver]
        errors = race(both_engines, 2, works.pop)
        assert [str(error) for error in errors] in ([], ["此事项已办结"])
        assert holder(both_engines, case_id) is None  # whoever comes second, nobody holds what is done


def test_whoever_holds_a_task_may_take_it_again_and_put_it_back(session: Session, now: datetime) -> None:
    case_id = put_one(session, now)
    claim(session, case_id, "first")
    claim(session, case_id, "first")
    release(session, case_id, "second")
    with pytest.raises(Conflict, match="已由 first 办理"):
        claim(session, case_id, "second")
    release(session, case_id, "first")
    claim(session, case_id, "second")
    with pytest.raises(NotFound):
        claim(session, 4711, "first")


def test_a_task_is_passed_on_only_to_whom_it_may_concern(session: Session, now: datetime) -> None:
    case_id = put_one(session, now)
    with pytest.raises(BadInput, match="不负责"):
        reassign(session, case_id, COURIER, by=SENDER, reason="出差", now=now)
    second = Person("sender@2", {"sender": None})
    reassign(session, case_id, second, by=SENDER, reason="出差", now=now)
    with pytest.raises(Conflict, match="已由 sender@2 办理"):
        claim(session, case_id, "first")
