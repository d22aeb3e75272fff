"""负面清单: off the list by an official after the watch, at once only the first single entry, a mistake reversed by two (办法10(一))."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.casework.suspended_room import FIRST, HEAD, LEADER, REVIEWER, case, step
from tests.conftest import Staged
from tests.quality.ticket_room import at, check, finding, midnight, settle, ticket
from workflow.casework.listing import case_of_entry
from workflow.casework.standing_guards import not_on_negative_list
from workflow.casework.voiding import request_void
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.steps import require_moved, take_step
from workflow.errors import NotAllowed, NotFound, Refused
from workflow.quality.models import ENTRY

FIXED, OVER = date(2026, 3, 9), date(2026, 6, 10)  # watched to 9 June


def twice_red_city(engine: Engine) -> None:
    """Two red lights of the office, of which the first is fixed on 9 March."""
    settle(engine)
    check(engine, date(2026, 3, 2), [finding(1), finding(2)])
    midnight(engine, FIRST)
    check(engine, FIXED, [finding(2)])


@pytest.fixture
def city(engine: Engine, staged: Staged) -> Engine:
    staged(engine, twice_red_city)
    return engine


def entry(city: Engine, record: int) -> Any:
    with reading(city) as session:
        return session.execute(select(ENTRY).where(ENTRY.c.ticket_id == ticket(city, record).id)).one()


def act(city: Engine, record: int, do: str, on: date, actor: Person = REVIEWER, **more: Any) -> int:
    """The first act on an entry opens its case, in the same transaction."""
    with writing(city) as session:
        case_id = case_of_entry(session, entry(city, record).id, now=at(on), actor=actor)
        require_moved(take_step(session, "negative_list", do, [case_id], now=at(on), actor=actor, **more))
    return case_id


def test_an_official_removes_it_the_day_after_the_watch_period_and_not_before(city: Engine) -> None:
    with pytest.raises(Refused, match="观察期至 2026-06-09，未满"):
        act(city, 1, "remove", date(2026, 6, 9))
    act(city, 1, "remove", OVER)
    assert entry(city, 1).left_on == OVER
    assert entry(city, 2).left_on is None


def test_a_refused_act_leaves_no_case_behind(city: Engine) -> None:
    with pytest.raises(Refused):
        act(city, 1, "remove", FIXED)
    assert case(city, act(city, 1, "remove", OVER)).version == 2


def test_nothing_leaves_the_list_unfixed(city: Engine) -> None:
    with pytest.raises(Refused, match="尚未整改"):
        act(city, 2, "remove", date(2026, 12, 1))


def test_a_new_entry_during_the_watch_prolongs_it(city: Engine) -> None:
    check(city, date(2026, 5, 6), [finding(2), finding(3)])
    midnight(city, date(2026, 5, 12))
    with pytest.raises(Refused, match="又有问题列入清单"):
        act(city, 1, "remove", OVER)
    check(city, date(2026, 5, 20), [finding(2)])
    with pytest.raises(Refused, match="观察期至 2026-08-20"):
        act(city, 1, "remove", OVER)
    act(city, 1, "remove", date(2026, 8, 21))


def test_only_the_first_single_entry_takes_the_short_way_and_by_a_leader(engine: Engine) -> None:
    settle(engine)
    check(engine, date(2026, 3, 2), [finding(1)])
    midnight(engine, FIRST)
    check(engine, FIXED, [])
    with pytest.raises(NotAllowed):
        act(engine, 1, "remove_first", FIXED, REVIEWER, reason="首次")
    act(engine, 1, "remove_first", FIXED, LEADER, reason="首次且已整改")
    assert (entry(engine, 1).left_on, entry(engine, 1).reason) == (FIXED, "首次且已整改")


def test_the_short_way_is_closed_to_a_unit_listed_twice(city: Engine) -> None:
    with pytest.raises(Refused, match="曾列入 2 项"):
        act(city, 1, "remove_first", FIXED, LEADER, reason="x")


def test_a_mistaken_entry_is_reversed_with_a_reason_by_a_second_person(city: Engine) -> None:
    with pytest.raises(Refused, match="须填写理由"):
        act(city, 2, "ask_reversal", FIXED)
    case_id = act(city, 2, "ask_reversal", FIXED, reason="文件缓发，不属未按期整改")
    with pytest.raises(Refused, match="不得撤销自己提请"):
        step(city, case_id, "reverse", FIXED, Person("reviewer", {"leader": None}), process="negative_list")
    step(city, case_id, "reverse", FIXED, LEADER, process="negative_list")
    found = entry(city, 2)
    assert (found.reversed_on, found.reason) == (FIXED, "文件缓发，不属未按期整改")
    with reading(city) as session:
        assert not_on_negative_list(session, [1], FIXED)[1].holds


def test_a_refused_reversal_can_be_asked_for_again(city: Engine) -> None:
    case_id = act(city, 2, "ask_reversal", FIXED, reason="x")
    step(city, case_id, "refuse_reversal", FIXED, LEADER, process="negative_list", reason="属实")
    assert act(city, 2, "ask_reversal", FIXED, reason="y") == case_id
    step(city, case_id, "retract_reversal", FIXED, REVIEWER, process="negative_list")
    assert (case(city, case_id).state, entry(city, 2).reversed_on) == ("standing", None)


def test_an_entry_reversed_with_its_light_is_not_touched_again(city: Engine) -> None:
    case_id = act(city, 2, "ask_reversal", FIXED, reason="x")
    with writing(city) as session:
        asked = request_void(session, ticket(city, 2).id, "规则有误", now=at(FIXED), actor=REVIEWER)
        require_moved(take_step(session, "void_light", "confirm", [asked], now=at(FIXED), actor=LEADER))
    with pytest.raises(Refused, match="误列已撤销"):
        step(city, case_id, "reverse", FIXED, LEADER, process="negative_list")


def test_units_do_not_remove_themselves(city: Engine) -> None:
    with pytest.raises(NotAllowed):
        act(city, 1, "remove", OVER, HEAD)


def test_an_unknown_entry_is_not_found(city: Engine) -> None:
    with pytest.raises(NotFound), writing(city) as session:
        case_of_entry(session, 999, now=at(FIXED), actor=REVIEWER)
