"""A run from real records to real lights: full, incremental, of one record; a second run of the same day changes nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.conftest import Staged
from tests.quality.ticket_room import at, check, finding, midnight, ticket
from workflow.db import reading, writing
from workflow.errors import BadInput
from workflow.quality.daily import check_day
from workflow.quality.models import CHECK_RUN, RULE_RUN, TICKET
from workflow.quality.run import as_json, run_check
from workflow.registry.records import remove, write

MON, TUE, WED = (date(2026, 3, day) for day in (2, 3, 4))
UNIT = {"unit_code": "330200001", "name": "宁波市示例局", "district_code": "330200"}


def forty_people(engine: Engine) -> None:
    """One unit with forty people, the first of whom entered the quota before beginning to work (T03)."""
    entered = {"by": "clerk@1", "now": at(MON, 5), "may_write_locked": True, "may_create": True}
    with writing(engine) as session:
        write(session, "unit", [UNIT], **entered)
        person = {"name": "王小明", "unit": 1, "estab_status": "1", "entry_date": 20060101, "work_start_date": 20050101}
        people = [{**person, "person_code": f"P{n:08d}"} for n in range(1, 41)]
        people[0]["entry_date"] = 20010101
        write(session, "person", people, **entered)


@pytest.fixture
def city(both_engines: Engine, staged: Staged) -> Engine:
    staged(both_engines, forty_people)
    return both_engines


def correct(city: Engine, on: date, **fields: Any) -> None:
    with writing(city) as session:
        write(session, "person", [{"id": 1, **fields}], by="clerk@1", now=at(on, 8), may_write_locked=True)


def t03(city: Engine) -> Any:
    return ticket(city, 1, "T03")


def tickets(city: Engine) -> list[Any]:
    with reading(city) as session:
        return list(session.execute(select(TICKET).order_by(TICKET.c.id)))


def test_a_full_run_finds_opens_and_reports(city: Engine) -> None:
    run = run_check(city, MON, at(MON, 6), kind="full")
    assert (t03(city).light, t03(city).unit_id, t03(city).record_key) == ("yellow", 1, "P00000001")
    assert run.opened == run.findings == len(tickets(city)) > 1
    assert {name: n for name, n in as_json(run)["records"].items() if n} == {"unit": 1, "person": 40}
    with reading(city) as session:
        assert session.execute(select(RULE_RUN.c.error).where(RULE_RUN.c.error.is_not(None))).all() == []


def test_a_second_run_of_the_day_changes_nothing(city: Engine) -> None:
    check_day(city, MON, at(MON, 2), kind="full")
    before = tickets(city)
    again = check_day(city, MON, at(MON, 6)).run
    assert (again.kind, again.opened, again.recurred, again.resolved) == ("incremental", 0, 0, 0)
    assert tickets(city) == before


def test_an_increment_judges_few_and_answers_for_all(city: Engine) -> None:
    standing = run_check(city, MON, at(MON, 6), kind="full").findings
    correct(city, TUE, entry_date=20060101)
    run = run_check(city, TUE, at(TUE, 9))
    assert run.records == {"person": 1, "unit": 1}
    assert (run.opened, run.resolved) == (0, 1)
    assert run.findings == run.still_open == standing - 1
    correct(city, WED, entry_date=20010101)
    run = run_check(city, WED, at(WED, 9))
    assert (run.findings, run.recurred, run.still_open) == (standing, 1, standing - 1)


def test_the_increment_sees_a_fix(city: Engine) -> None:
    run_check(city, MON, at(MON, 6), kind="full")
    correct(city, TUE, entry_date=20060101)
    assert run_check(city, TUE, at(TUE, 9)).kind == "incremental"
    assert (t03(city).light, t03(city).resolved_how) == ("green", "passed")


def test_the_unit_sees_at_once_that_its_fix_worked_and_nothing_else_moves(city: Engine) -> None:
    check_day(city, MON, at(MON, 6), kind="full")
    correct(city, TUE, entry_date=20060101)
    others = [row for row in tickets(city) if row.rule_id != "T03" and row.dataset == "unit"]
    run = run_check(city, TUE, at(TUE, 9), scope={"dataset": "person", "records": [1]}, by="clerk@1")
    assert (run.kind, run.by, t03(city).light) == ("scoped", "clerk@1", "green")
    assert [row for row in tickets(city) if row.rule_id != "T03" and row.dataset == "unit"] == others


def test_a_removed_record_takes_its_tickets_along(city: Engine) -> None:
    run_check(city, MON, at(MON, 6), kind="full")
    with writing(city) as session:
        remove(session, "person", [1], by="clerk@1", now=at(TUE, 8))
    run_check(city, TUE, at(TUE, 9))
    assert (t03(city).light, t03(city).resolved_how) == ("green", "gone")


def test_the_day_counts_the_red_round_and_reminds(city: Engine) -> None:
    check_day(city, MON, at(MON, 6), kind="full")
    friday = date(2026, 3, 6)
    midnight(city, friday)
    day = check_day(city, friday, at(friday, 6))
    assert (day.as_json()["reminders"], day.as_json()["proposals"]) == (1, 0)
    assert check_day(city, friday, at(friday, 7)).as_json()["reminders"] == 0


def test_the_tickets_of_a_rule_no_longer_in_force_close_with_a_full_run(city: Engine) -> None:
    check(city, MON, [finding(2, "ZZ9")], judged=[("ZZ9", "person")])
    run_check(city, TUE, at(TUE, 6), kind="full")
    assert ticket(city, 2, "ZZ9").light == "green"


def test_one_data_set_and_one_unit_can_be_checked_alone(city: Engine) -> None:
    assert set(run_check(city, MON, at(MON, 6), scope={"dataset": "person"}).records) == {"person"}
    assert run_check(city, MON, at(MON, 6), scope={"unit": 1}).records == {"unit": 1, "person": 40}
    with pytest.raises(BadInput, match="没有“people”这个数据集"):
        run_check(city, MON, at(MON, 6), scope={"dataset": "people"})


def test_an_unfinished_run_is_built_on_by_none(city: Engine) -> None:
    run_check(city, MON, at(MON, 6), kind="full")
    with writing(city) as session:
        session.execute(CHECK_RUN.update().values(finished_at=None))
    assert run_check(city, TUE, at(TUE, 6)).kind == "full"
