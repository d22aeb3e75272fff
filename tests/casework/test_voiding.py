"""撤销误亮: asked for by one, confirmed by another; then the light and all that followed from it are taken back."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine, select

from tests.conftest import Staged
from tests.quality.ticket_room import at, check, finding, midnight, rounds, settle, ticket
from workflow.casework.voiding import request_void
from workflow.db import reading, writing
from workflow.engine.actors import SYSTEM, Person
from workflow.engine.inbox import history
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, NotAllowed, Refused
from workflow.quality.models import ENTRY, ROUND

MON, FRI = date(2026, 3, 2), date(2026, 3, 6)
REVIEWER = Person("reviewer", {"reviewer": None})
LEADER = Person("leader", {"leader": None})


def counted_city(engine: Engine) -> None:
    """One red light, counted as a round and reminded of."""
    settle(engine)
    check(engine, MON, [finding(1)])
    midnight(engine, FRI)
    rounds(engine, FRI)


@pytest.fixture
def city(engine: Engine, staged: Staged) -> Engine:
    staged(engine, counted_city)
    return engine


def request(city: Engine, actor: Person = REVIEWER) -> int:
    with writing(city) as session:
        return request_void(session, ticket(city, 1).id, "规则 T03 漏了特招情形", now=at(FRI), actor=actor)


def confirm(city: Engine, case_id: int, actor: Person = LEADER, on_behalf_of: str | None = None) -> None:
    with writing(city) as session:
        step = take_step(
            session, "void_light", "confirm", [case_id], now=at(FRI, 10), actor=actor, on_behalf_of=on_behalf_of
        )
        require_moved(step)


def test_asking_alone_changes_no_light(city: Engine) -> None:
    request(city)
    assert ticket(city, 1).light == "red"


def test_a_second_person_takes_back_the_light_and_what_followed(city: Engine) -> None:
    confirm(city, request(city))
    found = ticket(city, 1)
    assert (found.state, found.light, found.open, found.resolved_how) == ("voided", "none", False, "voided")
    with reading(city) as session:
        entry = session.execute(select(ENTRY)).one()
        assert (entry.reversed_on, entry.reason) == (FRI, "规则 T03 漏了特招情形")
        assert [row.kind for row in session.execute(select(ROUND).order_by(ROUND.c.id))] == ["round", "void"]
        assert session.scalar(select(CASE.c.state).where(CASE.c.process == "reminder")) == "withdrawn"
        assert [act["do"] for act in history(session, found.case_id)] == ["open", "warn", "escalate", "void"]


def test_a_reason_is_needed(city: Engine) -> None:
    with pytest.raises(BadInput, match="理由"), writing(city) as session:
        request_void(session, ticket(city, 1).id, " ", now=at(FRI), actor=REVIEWER)


def test_nobody_confirms_their_own_request_not_even_as_a_substitute(city: Engine) -> None:
    case_id = request(city)
    with pytest.raises(Refused, match="不得确认自己提请的事项"):
        confirm(city, case_id, Person("reviewer", {"leader": None}))
    with pytest.raises(Refused, match="不得确认自己提请的事项"):
        confirm(city, case_id, LEADER, on_behalf_of="reviewer")
    with pytest.raises(NotAllowed):
        confirm(city, case_id, REVIEWER)


def test_no_ticket_is_voided_but_by_a_confirmed_request(city: Engine) -> None:
    case_id = request(city)
    with writing(city) as session:
        one = [ticket(city, 1).case_id]
        result = take_step(
            session, "rectification", "void", one, now=at(FRI), actor=SYSTEM, reason="x", inputs={"void_light": 0}
        )
    assert [verdict.guard for verdict in result.refused[one[0]]] == ["void_under_confirmation"]
    confirm(city, case_id)
    with pytest.raises(Refused, match="没有可撤销的灯"):
        confirm(city, request(city))


def test_what_was_voided_stays_dark_while_found_and_lights_anew_when_it_comes_back(city: Engine) -> None:
    confirm(city, request(city))
    check(city, date(2026, 3, 7), [finding(1)])
    assert ticket(city, 1).state == "voided"
    check(city, date(2026, 3, 9), [])
    check(city, date(2026, 3, 10), [finding(1)])
    found = ticket(city, 1)
    assert (found.light, found.found_on, found.first_found_on, found.recurrences) == (
        "yellow",
        date(2026, 3, 10),
        MON,
        1,
    )
