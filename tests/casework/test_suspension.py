"""暂停办理: proposed by rounds, decided by a leader, ended by the calendar, lifted by two, taken back with its light (办法21)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine, func, select, update

from tests.casework.suspended_room import (
    FIRST,
    HEAD,
    LEADER,
    NOISE,
    OTHER,
    REVIEWER,
    SECOND,
    THIRD,
    case,
    held_until,
    proposal,
    red_city,
    spans,
    step,
)  # fmt: skip
from tests.conftest import Staged
from tests.quality.ticket_room import OFFICE, SCHOOL, at, midnight, ticket
from workflow.casework.models import HOLD
from workflow.casework.preview import preview
from workflow.casework.voiding import request_void
from workflow.db import reading, writing
from workflow.engine.actors import CLOCK, Person
from workflow.engine.models import CASE, OUTBOX
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, NotAllowed, Refused
from workflow.registry.tables import TABLES
from workflow.registry.tree import rebuild

JUNE_16 = date(2026, 6, 16)


@pytest.fixture
def city(engine: Engine, staged: Staged) -> Engine:
    staged(engine, red_city)
    return engine


def move_school_away(city: Engine) -> None:
    unit = TABLES["unit"]
    with writing(city) as session:
        session.execute(update(unit).where(unit.c.id == SCHOOL).values(parent_id=None))
        rebuild(session)


def test_a_confirmed_proposal_binds_the_unit_and_its_subordinates_and_nobody_else(city: Engine) -> None:
    step(city, proposal(city), "confirm", THIRD)
    assert (held_until(city, THIRD), held_until(city, THIRD, SCHOOL)) == (JUNE_16, JUNE_16)
    assert [span.inherited for span in spans(city, SCHOOL)] == [True]
    assert spans(city, NOISE) == []


def test_a_subordinate_decided_on_does_not_bind_its_superior(city: Engine) -> None:
    with writing(city) as session:
        session.execute(update(CASE).where(CASE.c.id == proposal(city)).values(unit_id=SCHOOL))
    step(city, proposal(city), "confirm", THIRD)
    assert held_until(city, THIRD, SCHOOL) == JUNE_16
    assert spans(city, OFFICE) == []


def test_it_ends_at_the_midnight_after_its_last_day_and_not_before(city: Engine) -> None:
    case_id = proposal(city)
    step(city, case_id, "confirm", THIRD)
    midnight(city, JUNE_16)
    assert (case(city, case_id).state, held_until(city, JUNE_16)) == ("in_force", JUNE_16)
    midnight(city, date(2026, 6, 17))
    assert (case(city, case_id).state, held_until(city, date(2026, 6, 17))) == ("ended", None)


def test_the_month_is_clipped_where_the_day_does_not_exist(city: Engine) -> None:
    case_id = proposal(city)
    step(city, case_id, "confirm", date(2026, 11, 30))
    assert held_until(city, date(2026, 11, 30)) == date(2027, 2, 28)
    assert "取月末" in case(city, case_id).data["derivation"]


def test_six_months_decided_during_three_reach_from_the_later_decision(city: Engine) -> None:
    step(city, proposal(city, 3), "confirm", THIRD)
    decided = date(2026, 4, 1)
    step(city, proposal(city, 6), "confirm", decided)
    assert held_until(city, decided) == max(JUNE_16, date(2026, 10, 1)) == date(2026, 10, 1)


def test_an_earlier_longer_hold_governs_a_later_shorter_one(city: Engine) -> None:
    step(city, proposal(city, 6), "confirm", THIRD)
    step(city, proposal(city, 3), "confirm", date(2026, 4, 1))
    assert held_until(city, date(2026, 4, 1)) == date(2026, 9, 16)


def test_a_leader_changes_the_months_or_the_end_with_a_reason(city: Engine) -> None:
    step(city, proposal(city, 3), "change", THIRD, inputs={"months": "1"}, reason="已整改大半")
    assert held_until(city, THIRD) == date(2026, 4, 16)
    step(city, proposal(city, 6), "set_end", THIRD, inputs={"ends_on": "2026-05-08"}, reason="整改期限届满日")
    assert held_until(city, THIRD) == date(2026, 5, 8)
    assert case(city, proposal(city, 6)).data["decided_reason"] == "整改期限届满日"


@pytest.mark.parametrize("inputs", [{"months": "0"}, {"months": "13"}, {"months": "三"}, {"months": "-1"}])
def test_months_out_of_bounds_are_refused(city: Engine, inputs: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="月数"):
        step(city, proposal(city), "change", THIRD, inputs=inputs, reason="x")
    assert spans(city) == []


@pytest.mark.parametrize("end", ["2026-03-16", "2027-03-17", "16.5.2026"])
def test_an_end_date_out_of_bounds_is_refused(city: Engine, end: str) -> None:
    with pytest.raises(BadInput, match="截止日期"):
        step(city, proposal(city), "set_end", THIRD, inputs={"ends_on": end}, reason="x")


def test_waiving_needs_a_reason_and_binds_nobody(city: Engine) -> None:
    with pytest.raises(Refused, match="须填写理由"):
        step(city, proposal(city), "waive", THIRD)
    step(city, proposal(city), "waive", THIRD, reason="当日已整改，视情不予暂停")
    assert (case(city, proposal(city)).state, spans(city)) == ("waived", [])


def test_nobody_but_a_leader_decides(city: Engine) -> None:
    for actor in (REVIEWER, HEAD, CLOCK, Person("l", {"leader": frozenset({NOISE})})):
        with pytest.raises(NotAllowed):
            step(city, proposal(city), "confirm", THIRD, actor)


def test_an_early_end_takes_two_people(city: Engine) -> None:
    case_id, day = proposal(city), date(2026, 4, 1)
    step(city, case_id, "confirm", THIRD)
    step(city, case_id, "request_lift", day, reason="整改完毕，用编紧急")
    with pytest.raises(Refused, match="提请人不得自行决定"):
        step(city, case_id, "lift", day)
    with pytest.raises(Refused, match="提请人不得自行决定"):
        step(city, case_id, "lift", day, OTHER, on_behalf_of="leader")
    assert held_until(city, day) == JUNE_16
    step(city, case_id, "lift", day, OTHER)
    assert (case(city, case_id).state, held_until(city, day), held_until(city, day, SCHOOL)) == ("lifted", None, None)
    assert held_until(city, date(2026, 3, 31)) == date(2026, 3, 31)


def test_a_refused_request_leaves_the_end_where_it_was(city: Engine) -> None:
    case_id = proposal(city)
    step(city, case_id, "confirm", THIRD)
    step(city, case_id, "request_lift", date(2026, 4, 1), REVIEWER, reason="x")
    with pytest.raises(Refused, match="只有提请人可以撤回"):
        step(city, case_id, "retract_lift", date(2026, 4, 1), OTHER)
    step(city, case_id, "refuse_lift", date(2026, 4, 2), reason="问题尚未改完")
    step(city, case_id, "request_lift", date(2026, 4, 3), REVIEWER, reason="y")
    step(city, case_id, "retract_lift", date(2026, 4, 3), REVIEWER)
    assert (case(city, case_id).state, held_until(city, date(2026, 4, 3))) == ("in_force", JUNE_16)
    midnight(city, date(2026, 6, 17))
    assert case(city, case_id).state == "ended"


def test_it_ends_on_its_day_also_while_an_early_end_is_asked_for(city: Engine) -> None:
    case_id = proposal(city)
    step(city, case_id, "confirm", THIRD)
    step(city, case_id, "request_lift", date(2026, 6, 10), reason="x")
    midnight(city, date(2026, 6, 17))
    assert case(city, case_id).state == "ended"


def test_lifting_one_of_two_leaves_what_the_other_says(city: Engine) -> None:
    for months in (3, 6):
        step(city, proposal(city, months), "confirm", THIRD)
    step(city, proposal(city, 6), "request_lift", date(2026, 4, 1), REVIEWER, reason="x")
    step(city, proposal(city, 6), "lift", date(2026, 4, 1))
    assert held_until(city, date(2026, 4, 1)) == JUNE_16


def void(city: Engine, record: int, on: date) -> None:
    with writing(city) as session:
        asked = request_void(session, ticket(city, record).id, "规则有误", now=at(on), actor=REVIEWER)
        require_moved(take_step(session, "void_light", "confirm", [asked], now=at(on, 10), actor=LEADER))


def test_a_hold_whose_lights_were_wrong_is_taken_back(city: Engine) -> None:
    step(city, proposal(city, 3), "confirm", THIRD)
    void(city, 1, date(2026, 4, 1))
    assert held_until(city, date(2026, 4, 1)) == JUNE_16  # the second light still stands
    void(city, 2, date(2026, 4, 1))
    assert case(city, proposal(city, 3)).state == case(city, proposal(city, 6)).state == "withdrawn"
    assert (held_until(city, date(2026, 4, 1)), held_until(city, date(2026, 4, 1), SCHOOL)) == (None, None)


def test_a_waived_or_ended_suspension_is_history_whatever_is_voided_later(city: Engine) -> None:
    step(city, proposal(city, 3), "confirm", THIRD)
    step(city, proposal(city, 6), "waive", THIRD, reason="x")
    midnight(city, date(2026, 6, 17))
    void(city, 1, date(2026, 7, 1))
    void(city, 2, date(2026, 7, 1))
    assert (case(city, proposal(city, 3)).state, case(city, proposal(city, 6)).state) == ("ended", "waived")


def test_who_is_bound_is_what_the_tree_was_on_the_day_of_decision(city: Engine) -> None:
    step(city, proposal(city, 3), "confirm", THIRD)
    move_school_away(city)
    assert held_until(city, date(2026, 4, 1), SCHOOL) == JUNE_16
    step(city, proposal(city, 6), "confirm", date(2026, 4, 1))
    assert held_until(city, date(2026, 4, 1), SCHOOL) == JUNE_16  # no longer below


def test_the_preview_tells_what_the_decision_then_does(city: Engine) -> None:
    step(city, proposal(city, 3), "confirm", THIRD)
    waiting, today = case(city, proposal(city, 6)), date(2026, 4, 1)
    with reading(city) as session:
        seen = preview(session, waiting.unit_id, waiting.data, today)
    assert [(unit.unit_id, unit.held_until, unit.governing_on) for unit in seen.units] == [
        (OFFICE, JUNE_16, date(2026, 10, 1)),
        (SCHOOL, JUNE_16, date(2026, 10, 1)),
    ]
    assert {m.process: (m.count, m.stops) for m in seen.matters} == {
        "approval": (0, True), "weekly_audit": (0, True), "rectification": (2, False), "reminder": (1, False)
    }  # fmt: skip
    step(city, proposal(city, 6), "confirm", today)
    assert held_until(city, today) == seen.governing_on


def test_every_unit_bound_is_told(city: Engine) -> None:
    step(city, proposal(city), "confirm", THIRD)
    with reading(city) as session:
        row = session.execute(select(OUTBOX).where(OUTBOX.c.key.like("suspension.in_force:%"))).one()
    told = {(item["unit_id"], item["role"]): item for item in row.payload["items"]}
    assert set(told) == {(unit, role) for unit in (OFFICE, SCHOOL) for role in ("unit_head", "unit_clerk")}
    assert told[OFFICE, "unit_head"]["title"] == "暂停办理机构编制申请事项，2026-03-16 起至 2026-06-16"
    assert told[SCHOOL, "unit_head"]["link"] == "/units/33020002/standing"


def test_a_reminder_is_signed_for_or_shown_as_overdue(engine: Engine) -> None:
    city = red_city(engine, FIRST)
    with reading(city) as session:
        case_id = session.scalars(select(CASE.c.id).where(CASE.c.process == "reminder")).one()
    midnight(city, SECOND)  # Monday, Tuesday, Wednesday: the third working day has only begun
    assert case(city, case_id).state == "sent"
    midnight(city, date(2026, 3, 12))
    assert (case(city, case_id).state, case(city, case_id).inbox) == ("overdue", "unit_head")
    with pytest.raises(NotAllowed):
        step(city, case_id, "acknowledge", date(2026, 3, 12), process="reminder")
    step(city, case_id, "acknowledge", date(2026, 3, 12), HEAD, process="reminder")
    signed = case(city, case_id)
    assert (signed.state, signed.data["received_on"], signed.data["received_late"]) == (
        "acknowledged", "2026-03-12", True
    )  # fmt: skip


def test_a_receipt_in_time_is_not_late(engine: Engine) -> None:
    city = red_city(engine, FIRST)
    with reading(city) as session:
        case_id = session.scalars(select(CASE.c.id).where(CASE.c.process == "reminder")).one()
    step(city, case_id, "acknowledge", SECOND, HEAD, process="reminder")
    midnight(city, date(2026, 3, 12))
    assert (case(city, case_id).state, case(city, case_id).data["received_late"]) == ("acknowledged", False)
    with reading(city) as session:
        assert session.scalar(select(func.count()).select_from(HOLD)) == 0
