"""Why a unit may not apply, and what would change it: the same verdicts for guard, page and command (办法21)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine

from tests.casework.suspended_room import FIRST, HEAD, LEADER, NOISE, THIRD, proposal, red_city, step
from tests.conftest import Staged
from tests.quality.ticket_room import OFFICE, SCHOOL, at, check, finding
from workflow.casework.can import Can, can
from workflow.casework.preview import stopped_processes
from workflow.casework.standing_guards import shortest_way, standing_verdicts
from workflow.db import reading, writing
from workflow.engine.actors import Actor, Person
from workflow.engine.definition import read_definition
from workflow.engine.registry import Book, load_all, using
from workflow.engine.steps import NewCase, open_cases, take_step
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput, NotFound

APPLYING = """
process: applying
version: 1
title: 试办申请
basis: [办法21]
initial: draft
opened_by: [unit_clerk]
states:
  draft:    {title: 起草, inbox: unit_clerk}
  approved: {title: 已批, final: true}
transitions:
  - {do: approve, title: 批准, from: draft, to: approved, by: leader, when: [no_hold_on_unit_or_above, not_on_negative_list, no_red_light], then: [prove_no_hold_again]}
"""
CLERK = Person("clerk@1", {"unit_clerk": None})
APRIL = date(2026, 4, 1)


@pytest.fixture
def city(engine: Engine, staged: Staged) -> Engine:
    staged(engine, red_city)
    return engine


@pytest.fixture
def applying() -> Iterator[Book]:
    """The book of this release and one process that asks for everything."""
    release = load_all()
    more = {**release.current, "applying": read_definition(APPLYING, "applying.yaml")}
    with using(replace(release, current=more, pinned={})) as made:
        yield made


def verdicts(city: Engine, unit_id: int, day: date) -> dict[str, Verdict]:
    with reading(city) as session:
        return {verdict.guard: verdict for verdict in standing_verdicts(session, unit_id, day)}


def asked(city: Engine, do: str, process: str, code: str, actor: Actor | None = None, day: date = APRIL) -> Can:
    with reading(city) as session:
        return can(session, do, process, code, actor, at(day))


def test_a_free_unit_meets_every_verdict(city: Engine) -> None:
    assert all(verdict.holds for verdict in verdicts(city, NOISE, APRIL).values())


def test_a_red_unit_hears_which_problems_and_each_only_once(city: Engine) -> None:
    found = verdicts(city, OFFICE, APRIL)
    assert {name: verdict.holds for name, verdict in found.items()} == {
        "no_hold_on_unit_or_above": True, "not_on_negative_list": False, "no_red_light": False
    }  # fmt: skip
    assert found["no_red_light"].since == FIRST
    ways = shortest_way(list(found.values()))
    assert [way.clears_by for way in ways] == ["unit_clerk", "unit_clerk"]
    assert len({way.link for way in ways}) == 2


def test_a_fixed_problem_under_watch_refuses_nothing_but_is_told(city: Engine) -> None:
    check(city, APRIL, [])
    found = verdicts(city, OFFICE, APRIL)
    assert all(verdict.holds for verdict in found.values())
    assert "2 项已整改、在观察期内" in found["not_on_negative_list"].says


def test_a_hold_from_above_is_told_with_its_governing_end_and_who_may_lift_it(city: Engine) -> None:
    step(city, proposal(city, 3), "confirm", THIRD)
    step(city, proposal(city, 6), "confirm", APRIL)
    found = verdicts(city, SCHOOL, APRIL)["no_hold_on_unit_or_above"]
    assert (found.holds, found.since, found.clears_by, found.earliest) == (
        False, THIRD, "leader", date(2026, 10, 2)
    )  # fmt: skip
    assert "由上级单位的暂停及于本单位" in found.says
    assert [fact["record"] for fact in found.facts] == ["33020001", "33020001"]
    assert verdicts(city, SCHOOL, date(2026, 10, 2))["no_hold_on_unit_or_above"].holds


def test_one_read_for_many_units_says_the_same_as_one_at_a_time(city: Engine) -> None:
    from workflow.casework.standing_guards import READERS

    step(city, proposal(city, 3), "confirm", THIRD)
    for name, read in READERS.items():
        with reading(city) as session:
            many = read(session, [OFFICE, SCHOOL, NOISE], APRIL)
        assert many == {unit: verdicts(city, unit, APRIL)[name] for unit in (OFFICE, SCHOOL, NOISE)}


def test_an_approval_is_refused_with_every_verdict_and_passes_when_all_is_clear(city: Engine, applying: Book) -> None:
    with writing(city) as session:
        case_id = open_cases(session, "applying", [NewCase(OFFICE, "a1")], now=at(APRIL), actor=CLERK)[0]
    step(city, proposal(city, 3), "change", THIRD, inputs={"months": "1"}, reason="x")
    with writing(city) as session:
        refused = take_step(session, "applying", "approve", [case_id], now=at(APRIL), actor=LEADER).refused[case_id]
    assert [verdict.guard for verdict in refused if not verdict.holds] == [
        "no_hold_on_unit_or_above", "not_on_negative_list", "no_red_light"
    ]  # fmt: skip
    check(city, date(2026, 4, 10), [finding(9, unit=NOISE)])
    step(city, case_id, "approve", date(2026, 4, 17), process="applying")


def test_what_a_hold_stops_follows_from_the_tables(applying: Book) -> None:
    assert stopped_processes(applying) == {"applying", "approval", "weekly_audit"}
    assert stopped_processes(load_all()).isdisjoint({"explanation", "rectification", "reminder", "negative_list"})


def test_can_tells_of_the_units_own_case_and_of_the_role(city: Engine) -> None:
    assert asked(city, "confirm", "suspension", "33020001", LEADER).allowed
    refused = asked(city, "confirm", "suspension", "33020001", HEAD)
    assert [verdict.guard for verdict in refused.verdicts if not verdict.holds] == ["role"]
    assert asked(city, "confirm", "suspension", "33020001").allowed  # roles left aside
    assert [verdict.guard for verdict in asked(city, "confirm", "suspension", "33020003").verdicts] == ["state"]


def test_can_asks_whether_a_case_may_be_opened(city: Engine) -> None:
    assert asked(city, "open", "explanation", "33020001", CLERK).allowed
    assert not asked(city, "open", "suspension", "33020001", LEADER).allowed


def test_can_refuses_unknown_names(city: Engine) -> None:
    with pytest.raises(NotFound, match="没有名为“nothing”的流程"):
        asked(city, "open", "nothing", "33020001")
    with pytest.raises(BadInput, match="没有“fly”这一步"):
        asked(city, "fly", "suspension", "33020001")
    with pytest.raises(NotFound, match="没有机构 9"):
        asked(city, "open", "suspension", "9")
