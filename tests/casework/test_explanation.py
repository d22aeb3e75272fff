"""说明核准: only doubtful problems, reviewed by somebody else, with the clock standing meanwhile, for a year."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.conftest import Staged
from tests.quality.ticket_room import OFFICE, SCHOOL, at, check, finding, midnight, settle, ticket
from workflow.casework.explanation import open_explanation
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.judging import open_steps
from workflow.engine.models import CASE, TIMER
from workflow.engine.steps import require_moved, take_step
from workflow.errors import NotAllowed, Refused

MON, TUE, WED, THU, FRI = (date(2026, 3, day) for day in (2, 3, 4, 5, 6))
CLERK = Person("clerk@1", {"unit_clerk": frozenset({OFFICE})})
OUTSIDER = Person("clerk@2", {"unit_clerk": frozenset({SCHOOL})})
REVIEWER = Person("reviewer", {"reviewer": None})
GIVEN = {"text": "特招入伍后安置，有批文", "evidence": [{"sha256": "ab", "name": "批文.pdf"}]}


def found_city(engine: Engine) -> None:
    """One doubtful and one plainly wrong record, found on Monday."""
    settle(engine)
    check(engine, MON, [finding(1), finding(2, "P04", level="E")])


@pytest.fixture
def city(engine: Engine, staged: Staged) -> Engine:
    staged(engine, found_city)
    return engine


def explain(city: Engine, on: date = TUE, record: int = 1) -> int:
    with writing(city) as session:
        case_id = open_explanation(session, ticket(city, record).id, now=at(on), actor=CLERK)
    step(city, case_id, "submit", CLERK, on, inputs=GIVEN)
    return case_id


def step(city: Engine, case_id: int, do: str, actor: Person, on: date, **more: Any) -> None:
    with writing(city) as session:
        require_moved(take_step(session, "explanation", do, [case_id], now=at(on), actor=actor, **more))


def state(city: Engine, case_id: int) -> str:
    with reading(city) as session:
        return session.scalar(select(CASE.c.state).where(CASE.c.id == case_id)) or ""


def test_the_clock_stands_while_the_explanation_is_reviewed(city: Engine) -> None:
    explain(city)
    midnight(city, date(2026, 4, 1))
    assert ticket(city, 1).light == "yellow"
    assert ticket(city, 2, "P04").light == "red"


def test_a_refused_explanation_lets_the_term_go_on_without_the_days_of_review(city: Engine) -> None:
    case_id = explain(city, WED)  # two of three working days are left
    step(city, case_id, "refuse", REVIEWER, FRI, reason="证明材料不足")
    assert ticket(city, 1).deadline_on == date(2026, 3, 10)
    midnight(city, date(2026, 3, 10))
    assert ticket(city, 1).light == "yellow"
    midnight(city, date(2026, 3, 11))
    assert ticket(city, 1).light == "red"


def test_asking_a_second_time_does_not_stop_the_clock_again(city: Engine) -> None:
    step(city, explain(city, WED), "refuse", REVIEWER, WED, reason="证明材料不足")
    explain(city, THU)
    midnight(city, date(2026, 3, 9))
    assert ticket(city, 1).light == "red"


def test_a_withdrawn_explanation_gains_no_day(city: Engine) -> None:
    case_id = explain(city)
    step(city, case_id, "withdraw", CLERK, date(2026, 3, 20))
    assert (ticket(city, 1).deadline_on, state(city, case_id)) == (THU, "withdrawn")
    midnight(city, date(2026, 3, 21))
    assert ticket(city, 1).light == "red"


def test_an_approved_explanation_waives_the_problem_for_a_year_and_no_longer(city: Engine) -> None:
    case_id = explain(city)
    step(city, case_id, "approve", REVIEWER, WED)
    found = ticket(city, 1)
    assert (found.state, found.light, found.open, found.resolved_how) == ("waived", "none", False, "waived")
    check(city, date(2026, 5, 1), [finding(1)])
    assert ticket(city, 1).state == "waived"
    midnight(city, date(2027, 3, 4))
    assert (state(city, case_id), ticket(city, 1).state) == ("approved", "waived")
    midnight(city, date(2027, 3, 5))  # the fourth was the last day
    assert (state(city, case_id), ticket(city, 1).state) == ("expired", "yellow")
    assert (ticket(city, 1).found_on, ticket(city, 1).first_found_on) == (date(2027, 3, 5), MON)


def test_when_the_problem_is_gone_by_then_it_turns_green(city: Engine) -> None:
    case_id = explain(city)
    step(city, case_id, "approve", REVIEWER, WED)
    check(city, date(2026, 5, 1), [])
    step(city, case_id, "revoke", REVIEWER, date(2026, 5, 6), reason="证明系伪造")
    assert (ticket(city, 1).state, ticket(city, 1).present) == ("green", False)


def test_an_error_cannot_be_explained_away(city: Engine) -> None:
    with pytest.raises(Refused, match="只有疑点"), writing(city) as session:
        open_explanation(session, ticket(city, 2, "P04").id, now=at(TUE), actor=CLERK)


def test_another_units_clerk_cannot_explain(city: Engine) -> None:
    with pytest.raises(NotAllowed), writing(city) as session:
        open_explanation(session, ticket(city, 1).id, now=at(TUE), actor=OUTSIDER)


def test_text_and_evidence_are_needed(city: Engine) -> None:
    with writing(city) as session:
        case_id = open_explanation(session, ticket(city, 1).id, now=at(TUE), actor=CLERK)
    with pytest.raises(Refused, match="须填写证明材料"):
        step(city, case_id, "submit", CLERK, TUE, inputs={"text": "特招"})


def test_nobody_approves_their_own_explanation(city: Engine) -> None:
    both = Person("clerk@1", {"reviewer": None})
    case_id = explain(city)
    with reading(city) as session:
        steps = {step.do: step.allowed for step in open_steps(session, case_id, both, at(WED))}
    assert steps == {"approve": False, "refuse": False}
    with pytest.raises(Refused, match="审核人不得是提交人"):
        step(city, case_id, "approve", both, WED)
    with pytest.raises(Refused, match="审核人不得是提交人"):
        step(city, case_id, "approve", REVIEWER, WED, on_behalf_of="clerk@1")


def test_one_explanation_at_a_time(city: Engine) -> None:
    explain(city)
    with pytest.raises(Refused, match="已有一份说明在审"):
        explain(city)


def test_a_fix_makes_a_waiting_explanation_moot(city: Engine) -> None:
    case_id = explain(city)
    check(city, WED, [finding(2, "P04", level="E")])
    assert (state(city, case_id), ticket(city, 1).state) == ("moot", "green")
    with reading(city) as session:
        running = session.scalars(
            select(TIMER.c.id).where(TIMER.c.case_id == ticket(city, 1).case_id, TIMER.c.state == "armed")
        )
        assert running.all() == []
