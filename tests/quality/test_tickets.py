"""Tickets follow the findings: opened, reopened, refreshed and closed, and never touched by what was not judged."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine, func, insert, select

from tests.conftest import Staged
from tests.quality.ticket_room import (
    COUNTY,
    OFFICE,
    SCHOOL,
    at,
    check,
    finding,
    midnight,
    remove,
    settle,
    stage,
    ticket,
)
from workflow.db import reading, writing, writing_on
from workflow.engine.inbox import history
from workflow.engine.models import CASE, OUTBOX
from workflow.quality.lights import open_by_light, unit_lamps
from workflow.quality.models import ENTRY, TICKET
from workflow.quality.tickets import apply_findings, count_fresh, open_new
from workflow.registry.models import RecordVersion

MON, TUE, WED, THU, FRI = (date(2026, 3, day) for day in (2, 3, 4, 5, 6))


@pytest.fixture
def city(both_engines: Engine, staged: Staged) -> Engine:
    staged(both_engines, settle)
    return both_engines


def test_a_finding_opens_a_yellow_ticket_with_its_deadline(city: Engine) -> None:
    applied = check(city, MON, [finding(1)])
    assert (applied.opened, applied.recurred, applied.still_open, applied.resolved) == (1, 0, 0, 0)
    found = ticket(city, 1)
    assert (found.state, found.light, found.open) == ("yellow", "yellow", True)
    assert (found.first_found_on, found.found_on, found.deadline_on, found.red_on) == (MON, MON, THU, FRI)
    with reading(city) as session:
        assert [act["do"] for act in history(session, found.case_id)] == ["open", "warn"]
        assert session.scalar(select(CASE.c.title)) == "入编早于参加工作"


def test_it_is_yellow_through_the_third_working_day_and_red_as_the_next_begins(city: Engine) -> None:
    check(city, MON, [finding(1)])
    midnight(city, THU)
    assert ticket(city, 1).light == "yellow"
    assert midnight(city, FRI).fired == {"rectification.escalate": 1}
    assert ticket(city, 1).light == "red"


def test_a_county_may_be_stricter(city: Engine) -> None:
    check(city, MON, [finding(1, unit=COUNTY), finding(2)])
    assert (ticket(city, 1).deadline_on, ticket(city, 2).deadline_on) == (WED, THU)
    midnight(city, THU)
    assert (ticket(city, 1).light, ticket(city, 2).light) == ("red", "yellow")


def test_a_hint_has_a_ticket_and_no_light(city: Engine) -> None:
    check(city, MON, [finding(1, level="H")])
    found = ticket(city, 1)
    assert (found.case_id, found.present, found.deadline_on) == (None, True, None)


def test_a_hint_that_becomes_an_error_lights_up_and_back(city: Engine) -> None:
    check(city, MON, [finding(1, level="H")])
    check(city, TUE, [finding(1, level="E")])
    assert (ticket(city, 1).light, ticket(city, 1).found_on, ticket(city, 1).first_found_on) == ("yellow", TUE, MON)
    check(city, WED, [finding(1, level="H")])
    assert (ticket(city, 1).light, ticket(city, 1).present, ticket(city, 1).level) == ("green", True, "H")
    assert check(city, THU, [finding(1, level="E")]).recurred == 1
    assert ticket(city, 1).light == "yellow"


def test_many_new_ones_are_opened_in_parts_beside_other_runs(city: Engine) -> None:
    check(city, MON, [finding(4, level="H")])
    with city.connect() as connection:
        with writing_on(connection) as session:
            run = stage(session, TUE, [finding(n, level="H" if n == 2 else "W") for n in range(1, 6)])
            apply_findings(session, run, {}, limit=2)
            assert count_fresh(session) == 5
        check(city, TUE, [finding(n) for n in (1, 3, 5)], scope=[1, 3, 5])
        for after in (2, 4):
            with writing_on(connection) as session:
                open_new(session, run, {}, after, 2)
    assert {n: ticket(city, n).light for n in range(1, 6)} == {n: None if n == 2 else "yellow" for n in range(1, 6)}
    assert (ticket(city, 4).first_found_on, ticket(city, 4).found_on, ticket(city, 4).deadline_on) == (MON, TUE, FRI)


def test_checking_again_changes_nothing(city: Engine) -> None:
    check(city, MON, [finding(n) for n in range(1, 6)])
    before = [ticket(city, n) for n in range(1, 6)]
    applied = check(city, MON, [finding(n) for n in range(1, 6)])
    assert (applied.opened, applied.still_open, applied.resolved) == (0, 5, 0)
    assert [ticket(city, n) for n in range(1, 6)] == before


def test_only_a_passing_recheck_closes_and_it_closes_the_timer_too(city: Engine) -> None:
    check(city, MON, [finding(1), finding(2)])
    assert check(city, TUE, [finding(2)]).resolved == 1
    found = ticket(city, 1)
    assert (found.light, found.present, found.resolved_on, found.resolved_how) == ("green", False, TUE, "passed")
    midnight(city, date(2026, 3, 20))
    assert (ticket(city, 1).light, ticket(city, 2).light) == ("green", "red")


def test_a_rule_that_was_not_judged_closes_nothing(city: Engine) -> None:
    check(city, MON, [finding(1), finding(1, "P04")])
    applied = check(city, TUE, [], judged=[("P04", "person")])
    assert applied.resolved == 1
    assert (ticket(city, 1).light, ticket(city, 1, "P04").light) == ("yellow", "green")


def test_a_record_out_of_scope_is_left_alone(city: Engine) -> None:
    check(city, MON, [finding(1), finding(2)])
    assert check(city, TUE, [], scope=[2]).resolved == 1
    assert (ticket(city, 1).light, ticket(city, 2).light) == ("yellow", "green")


def test_a_record_that_changed_after_the_snapshot_is_left_to_the_next_run(city: Engine) -> None:
    check(city, MON, [finding(1)])
    with writing(city) as session:
        change = {
            "dataset": "person",
            "version": 2,
            "kind": "change",
            "changes": {},
            "at": at(TUE),
            "effective_on": TUE,
        }
        session.execute(insert(RecordVersion), [change | {"record_id": n, "by": "a", "source": "form"} for n in (1, 2)])
    applied = check(city, TUE, [finding(2)], watermark=0)
    assert (applied.opened, applied.resolved) == (0, 0)
    assert (ticket(city, 1).light, ticket(city, 2)) == ("yellow", None)


def test_it_comes_back_as_the_same_ticket_with_a_new_term_once_the_fix_has_held(city: Engine) -> None:
    check(city, MON, [finding(1)])
    first = ticket(city, 1)
    check(city, TUE, [])
    again = date(2026, 3, 11)  # the sixth working day after Tuesday
    assert check(city, again, [finding(1)]).recurred == 1
    found = ticket(city, 1)
    assert (found.id, found.case_id, found.recurrences) == (first.id, first.case_id, 1)
    assert (found.first_found_on, found.found_on, found.deadline_on) == (MON, again, date(2026, 3, 16))
    assert (found.light, found.resolved_on, found.resolved_how) == ("yellow", None, None)


def test_a_fix_that_did_not_hold_leaves_the_old_term_running(city: Engine) -> None:
    check(city, MON, [finding(1)])
    check(city, TUE, [])
    check(city, date(2026, 3, 10), [finding(1)])  # the fifth working day after Tuesday
    assert (ticket(city, 1).found_on, ticket(city, 1).deadline_on, ticket(city, 1).light) == (MON, THU, "yellow")
    midnight(city, date(2026, 3, 11))
    assert ticket(city, 1).light == "red"


def test_taking_the_record_out_and_in_again_gains_no_day(city: Engine) -> None:
    check(city, MON, [finding(1)])
    remove(city, 1, TUE)
    check(city, TUE, [])
    assert (ticket(city, 1).resolved_how, ticket(city, 1).light) == ("gone", "green")
    remove(city, 1, None)
    later = date(2026, 4, 20)
    check(city, later, [finding(1)])
    assert (ticket(city, 1).first_found_on, ticket(city, 1).found_on, ticket(city, 1).deadline_on) == (MON, MON, THU)


def test_new_values_are_taken_over_and_the_term_stays(city: Engine) -> None:
    check(city, MON, [finding(1, 入编时间="1999-01-01")])
    check(city, TUE, [finding(1, unit=SCHOOL, 入编时间="1998-01-01")])
    found = ticket(city, 1)
    assert (found.facts, found.unit_id, found.case_unit) == ({"入编时间": "1998-01-01"}, SCHOOL, SCHOOL)
    assert (found.found_on, found.deadline_on) == (MON, THU)


def test_red_enters_the_negative_list_and_the_fix_begins_the_watch_period(city: Engine) -> None:
    check(city, MON, [finding(1), finding(2)])
    check(city, TUE, [finding(1)])
    midnight(city, FRI)
    with reading(city) as session:
        entered = session.execute(select(ENTRY)).all()
    assert [(row.ticket_id, row.entered_on, row.fixed_on) for row in entered] == [(ticket(city, 1).id, FRI, None)]
    check(city, FRI, [])
    with reading(city) as session:
        row = session.execute(select(ENTRY)).one()
    assert (row.fixed_on, row.watch_until, row.left_on) == (FRI, date(2026, 6, 6), None)


def test_lamps_are_the_worst_open_problem_and_subordinates_do_not_count_upward(city: Engine) -> None:
    check(city, MON, [finding(1, unit=SCHOOL), finding(2)])
    check(city, TUE, [finding(1, unit=SCHOOL)])
    with reading(city) as session:
        assert unit_lamps(session, {1, 2, 3}) == {1: "green", 2: "yellow", 3: "green"}
    midnight(city, FRI)
    with reading(city) as session:
        assert unit_lamps(session, {1, 2}) == {1: "green", 2: "red"}
        assert open_by_light(session, SCHOOL) == {"red": 1, "yellow": 0, "none": 0}


def test_a_unit_is_told_once_for_many_lights(city: Engine) -> None:
    check(city, MON, [finding(n) for n in range(1, 31)])
    with reading(city) as session:
        (told,) = session.execute(select(OUTBOX)).all()
    assert [(item["role"], item["unit_id"], item["count"]) for item in told.payload["items"]] == [
        ("unit_clerk", OFFICE, 30)
    ]


def test_more_than_one_chunk_opens_and_closes_whole(engine: Engine) -> None:
    settle(engine)
    assert check(engine, MON, [finding(n) for n in range(1, 1300)]).opened == 1299
    assert check(engine, TUE, [finding(n) for n in range(1, 100)]).resolved == 1200
    with reading(engine) as session:
        counts = session.execute(select(CASE.c.light, func.count()).group_by(CASE.c.light)).all()
        assert dict(counts) == {"yellow": 99, "green": 1200}
        assert session.scalar(select(func.count()).select_from(TICKET).where(TICKET.c.deadline_on.is_(None))) == 0
