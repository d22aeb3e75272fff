"""每周审核 (办法10(二)): on Mondays for whoever applies, on demand for who comes later, in force for its week only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from tests.casework.approval_room import (
    CLERK,
    MON,
    NEXT_MON,
    OFFICE,
    REVIEWER,
    TUE,
    WED,
    audit,
    brought_to,
    case,
    settle,
    step,
)
from tests.quality.ticket_room import at
from workflow.casework.weekly_audit import open_weeks_audits, week_of
from workflow.db import writing
from workflow.engine.models import CASE
from workflow.engine.timers import fire_due
from workflow.errors import BadInput, NotAllowed, Refused


@pytest.fixture
def city(engine: Engine) -> Engine:
    settle(engine)
    return engine


def opened(city: Engine, day: object) -> int:
    with writing(city) as session:
        return open_weeks_audits(session, day, at(day))  # type: ignore[arg-type]


def test_on_monday_every_unit_with_an_application_under_way_is_audited_once(city: Engine) -> None:
    brought_to(city, "receive")
    brought_to(city, "receive")
    assert opened(city, TUE) == 0
    assert [opened(city, NEXT_MON) for _ in range(2)] == [1, 0]
    assert audit(city, NEXT_MON).subject == "330200101:2026-W11"


def test_a_draft_and_a_decided_application_ask_for_no_audit(city: Engine) -> None:
    brought_to(city, "submit")
    brought_to(city, "confirm")
    assert opened(city, NEXT_MON) == 0


def test_a_late_application_has_its_unit_audited_on_demand_and_a_second_one_shares_it(city: Engine) -> None:
    brought_to(city, "audit", WED)
    assert audit(city, WED).state == "due"
    brought_to(city, "audit", WED)
    with writing(city) as session:
        assert session.scalar(select(func.count()).where(CASE.c.process == "weekly_audit")) == 1


def test_rectification_within_days_fails_at_its_end_and_may_pass_before(city: Engine) -> None:
    brought_to(city, "audit", MON)
    about = audit(city).id
    with pytest.raises(BadInput, match="应在 1 至 10 之间"):
        step(city, about, "rectify", REVIEWER, process="weekly_audit", inputs={"days": "11"}, reason="x")
    step(city, about, "rectify", REVIEWER, process="weekly_audit", inputs={"days": "2"}, reason="人员信息不全")
    due = case(city, about).due_at
    assert due == at(WED + timedelta(1), 0)
    fire_due(city, due - timedelta(minutes=1))
    assert case(city, about).state == "rectifying"
    fire_due(city, due)
    assert case(city, about).state == "failed"
    step(city, about, "reopen", REVIEWER, WED + timedelta(1), process="weekly_audit", reason="已改正")
    step(city, about, "pass", REVIEWER, WED + timedelta(1), process="weekly_audit")
    kept = case(city, about).data
    assert (kept["result"], kept["audited_by"], kept["figures"]) == (
        "审核通过", "reviewer", {"red": 0, "yellow": 0, "applications": 1, "letters": 0}
    )  # fmt: skip


def test_the_week_ends_with_its_sunday(city: Engine) -> None:
    brought_to(city, "approve")
    about = audit(city).id
    fire_due(city, at(NEXT_MON, 0) - timedelta(minutes=1))
    assert case(city, about).state == "passed"
    fire_due(city, at(NEXT_MON, 0))
    assert (case(city, about).state, week_of(NEXT_MON)) == ("over", "2026-W11")


def test_the_unit_audits_nothing_itself(city: Engine) -> None:
    brought_to(city, "audit")
    with pytest.raises(NotAllowed):
        step(city, audit(city).id, "pass", CLERK, process="weekly_audit")
    with pytest.raises(Refused, match="须填写理由"):
        step(city, audit(city).id, "fail", REVIEWER, process="weekly_audit")
    assert OFFICE == 1
