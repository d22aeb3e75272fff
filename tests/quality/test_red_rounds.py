"""Red rounds and what follows from them: once per round, broken by a day without red, a pure function of the ledger (办法21)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from tests.quality.ticket_room import OFFICE, SCHOOL, at, check, days, finding, midnight, rounds, settle, ticket
from workflow.calendar.calendar import shipped_calendar
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE, HISTORY
from workflow.engine.steps import require_moved, take_step
from workflow.policy import shipped_policies
from workflow.quality.models import ENTRY, ROUND
from workflow.quality.red_rounds import Entry, carry_out, consequences, next_entry, standing_rounds, void_rounds

POLICY, CALENDAR = shipped_policies().city, shipped_calendar()
FIRST = date(2026, 3, 6)  # red since midnight: found on Monday 2 March


@pytest.fixture
def red(engine: Engine) -> Engine:
    """A city whose office has two red problems since Friday 6 March 2026."""
    settle(engine)
    check(engine, date(2026, 3, 2), [finding(1), finding(2)])
    midnight(engine, FIRST)
    return engine


def cases(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as session:
        rows = session.execute(select(CASE).where(CASE.c.process != "rectification").order_by(CASE.c.id))
        return [(row.process, row.title, row.state) for row in rows]


def ledger(engine: Engine) -> list[tuple[str, date, int]]:
    with reading(engine) as session:
        return [(row.kind, row.on, row.streak) for row in session.execute(select(ROUND).order_by(ROUND.c.id))]


def test_one_reminds_two_and_three_propose_on_the_days_of_the_rounds(red: Engine) -> None:
    for day in days(FIRST, date(2026, 3, 16)):
        rounds(red, day)
    assert ledger(red) == [
        ("round", FIRST, 1),
        ("round", date(2026, 3, 11), 2),  # three working days on: Monday, Tuesday, Wednesday
        ("round", date(2026, 3, 16), 3),
    ]
    assert cases(red) == [
        ("reminder", "亮红灯提醒（第1次）", "sent"),
        ("suspension", "连续亮红灯2次，建议暂停办理机构编制申请事项3个月", "proposed"),
        ("suspension", "连续亮红灯3次，建议暂停办理机构编制申请事项6个月", "proposed"),
    ]


def test_counting_a_day_twice_counts_it_once(red: Engine) -> None:
    assert len(rounds(red, FIRST)) == 1
    assert rounds(red, FIRST) == []
    assert len(ledger(red)) == 1


def test_a_day_without_red_breaks_the_streak(red: Engine) -> None:
    rounds(red, FIRST)
    check(red, date(2026, 3, 9), [])
    rounds(red, date(2026, 3, 9))
    assert ledger(red)[-1] == ("broken", date(2026, 3, 9), 0)
    rounds(red, date(2026, 3, 10))
    assert len(ledger(red)) == 2
    assert len(cases(red)) == 1


def fixed_and_red_again(city: Engine) -> None:
    """On 12 March the problem is fixed and another found, which stays red for two rounds."""
    check(city, date(2026, 3, 12), [])
    rounds(city, date(2026, 3, 12))
    check(city, date(2026, 3, 12), [finding(3)], hour=11)
    midnight(city, date(2026, 3, 18))
    for day in days(date(2026, 3, 18), date(2026, 3, 23)):
        rounds(city, day)


def test_a_second_proposal_of_the_same_months_joins_the_one_not_yet_decided(red: Engine) -> None:
    for day in days(FIRST, date(2026, 3, 11)):
        rounds(red, day)
    fixed_and_red_again(red)
    assert [row[0] for row in ledger(red)] == ["round", "round", "broken", "round", "round"]
    proposals = [case for case in cases(red) if case[0] == "suspension"]
    assert proposals == [("suspension", "连续亮红灯2次，建议暂停办理机构编制申请事项3个月", "proposed")]
    with reading(red) as session:
        kept = session.execute(select(CASE.c.id, CASE.c.data).where(CASE.c.process == "suspension")).one()
        last = session.scalars(select(ROUND.c.id).order_by(ROUND.c.id.desc())).first()
        told = session.execute(
            select(HISTORY).where(HISTORY.c.case_id == kept.id).order_by(HISTORY.c.version.desc())
        ).first()
    assert kept.data["joined"] == [last]
    assert told is not None
    assert (told.do, told.actor) == ("join", "system")
    assert "前一建议尚未决定，并入一并决定" in told.reason
    with writing(red) as session:
        assert carry_out(session, [OFFICE], date(2026, 3, 23), at(date(2026, 3, 23))) == []


def test_once_the_first_is_decided_a_second_stands_for_itself(red: Engine) -> None:
    for day in days(FIRST, date(2026, 3, 11)):
        rounds(red, day)
    with writing(red) as session:
        first = session.scalars(select(CASE.c.id).where(CASE.c.process == "suspension")).one()
        leader = Person("leader", {"leader": None})
        given = {"now": at(date(2026, 3, 12)), "actor": leader, "reason": "正在整改"}
        require_moved(take_step(session, "suspension", "waive", [first], **given))
    fixed_and_red_again(red)
    assert [state for process, _, state in cases(red) if process == "suspension"] == ["waived", "proposed"]


def test_a_red_subordinate_does_not_count_for_its_superior(engine: Engine) -> None:
    settle(engine)
    check(engine, date(2026, 3, 2), [finding(1, unit=SCHOOL)])
    midnight(engine, FIRST)
    assert [consequence.unit_id for consequence in rounds(engine, FIRST)] == [SCHOOL]


def test_a_round_stands_while_one_of_its_lights_was_right(red: Engine) -> None:
    rounds(red, FIRST)
    first, second = ticket(red, 1).id, ticket(red, 2).id
    with writing(red) as session:
        assert void_rounds(session, [first], today=FIRST, now=at(FIRST), by="leader", reason="规则有误") == []
    assert cases(red)[0][2] == "sent"
    with writing(red) as session:
        taken = void_rounds(session, [first, second], today=FIRST, now=at(FIRST), by="leader", reason="规则有误")
    assert len(taken) == 1
    assert cases(red)[0][2] == "withdrawn"


def test_taking_back_the_first_round_moves_the_others_down_the_ladder(engine: Engine) -> None:
    settle(engine)
    check(engine, date(2026, 3, 2), [finding(1)])
    midnight(engine, FIRST)
    rounds(engine, FIRST)
    check(engine, FIRST, [finding(1), finding(2)], hour=10)
    midnight(engine, date(2026, 3, 12))
    check(engine, date(2026, 3, 11), [finding(2)])
    for day in days(date(2026, 3, 7), date(2026, 3, 17)):
        rounds(engine, day)
    kinds = [row[0] for row in ledger(engine)]
    assert kinds == ["round", "round", "round"]
    with writing(engine) as session:
        void_rounds(
            session, [ticket(engine, 1).id], today=date(2026, 3, 17), now=at(date(2026, 3, 17)), by="l", reason="误"
        )
    assert [state for process, _, state in cases(engine) if process == "suspension"] == [
        "withdrawn",
        "withdrawn",
        "proposed",
    ]
    titles = [title for process, title, state in cases(engine) if state in ("sent", "proposed")]
    assert titles == ["亮红灯提醒（第1次）", "连续亮红灯2次，建议暂停办理机构编制申请事项3个月"]


def brute_force(reds: list[bool], first: date) -> list[tuple[date, int]]:
    """The rule of readings 5.2 said another way: walk the days, count working days by looking at each."""
    counted: list[tuple[date, int]] = []
    streak, waited = 0, 0
    for number, red in enumerate(reds):
        day = first + timedelta(number)
        waited += CALENDAR.is_working(day).working
        if not red:
            streak = 0
        elif streak == 0 or waited >= 3:
            streak, waited = streak + 1, 0
            counted.append((day, streak))
    return counted


@settings(max_examples=200, deadline=None)
@given(st.lists(st.booleans(), max_size=80), st.dates(date(2026, 1, 1), date(2026, 10, 1)))
def test_the_ledger_agrees_with_a_day_by_day_simulation(reds: list[bool], first: date) -> None:
    rows: list[Entry] = []
    for number, red in enumerate(reds):
        day = first + timedelta(number)
        streak = standing_rounds(rows)
        kind = next_entry(streak, red, day, POLICY, CALENDAR)
        if kind:
            rows.append(Entry(len(rows), 1, kind, day, len(streak) + 1 if kind == "round" else 0, [], None))
    assert [(row.on, row.streak) for row in rows if row.kind == "round"] == brute_force(reds, first)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["round", "broken"]), max_size=12), st.data())
def test_consequences_know_neither_the_voided_nor_their_order(kinds: list[str], data: st.DataObject) -> None:
    rows = [Entry(n, 1, kind, FIRST + timedelta(n), 0, [], None) for n, kind in enumerate(kinds)]
    voided = data.draw(st.sets(st.sampled_from([row.id for row in rows if row.kind == "round"] or [-1])))
    taken_back = [Entry(100 + n, 1, "void", FIRST, 0, [], id_) for n, id_ in enumerate(sorted(voided))]
    without = consequences([row for row in rows if row.id not in voided], POLICY)
    assert consequences([*rows, *taken_back], POLICY) == without
    assert [c.months for c in without] == [None, 3, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6][: len(without)]


def test_the_office_stands_on_the_list_with_an_entry_for_each_red_light(red: Engine) -> None:
    with reading(red) as session:
        assert [row.unit_id for row in session.execute(select(ENTRY))] == [OFFICE, OFFICE]


def test_a_unit_that_stays_red_is_proposed_once_and_again_when_those_months_have_passed() -> None:
    ledger = [
        Entry(n, OFFICE, "round", date(2026, 1, 5) + timedelta(days=7 * (n - 1)), n, [1], None) for n in range(1, 40)
    ]
    led = consequences(ledger, POLICY)
    assert [(c.streak, c.months) for c in led] == [(1, None), (2, 3), (3, 6), (29, 6)]
    assert led[3].on == date(2026, 7, 20)  # the first round from 19 July, six months after the third
