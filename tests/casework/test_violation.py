"""违规线索: verified by one and established by another, a year's hold proposed, the accountable traced from the versions (办法22)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, Held
from workflow.casework.links import linked
from workflow.casework.matters import open_matter
from workflow.casework.models import HOLD
from workflow.casework.standing_guards import no_hold_on_unit_or_above, use_is_not_suspended
from workflow.engine.actors import Person
from workflow.engine.models import CASE, OUTBOX
from workflow.engine.steps import require_moved, take_step
from workflow.errors import NotAllowed, Refused
from workflow.insight.case import case_in_scope
from workflow.insight.matters import MatterFilter, matters
from workflow.registry import records
from workflow.registry.tables import TABLES

REVIEWER, LEADER = Person("reviewer", {"reviewer": None}), Person("leader", {"leader": None})
CLUE = {
    "situation": "false_data",
    "source": "check",
    "what": "人员已离职仍在册",
    "dataset": "person",
    "key": "P00000001",
}


@pytest.fixture
def unit(session: Session, now: datetime) -> int:
    office = {"now": now, "may_write_locked": True, "may_create": True}
    rows = [{"unit_code": "330282101", "name": "示例局", "district_code": "330282"}]
    records.write(session, "unit", rows, by="reviewer", **office)
    unit_id: int = session.scalar(select(TABLES["unit"].c.id))  # type: ignore[assignment]
    person = {"name": "张某某", "unit": unit_id, "person_code": "P00000001"}
    records.write(session, "person", [person], by="clerk", **office)
    records.write(session, "person", [{"person_code": "P00000001", "remark": "已核"}], by="other", **office)
    return unit_id


def step(
    session: Session, case_id: int, do: str, actor: Person, now: datetime, process: str = "violation", **more: Any
) -> None:
    require_moved(take_step(session, process, do, [case_id], now=now, actor=actor, **more))


def verified(session: Session, unit: int, now: datetime) -> int:
    case_id = open_matter(session, "violation", unit, CLUE, now=now, actor=REVIEWER)
    step(session, case_id, "begin", REVIEWER, now)
    step(session, case_id, "conclude", REVIEWER, now, inputs={"findings": "属实"})
    return case_id


def actor(role: str, **place: Any) -> Actor:
    scope = "unit" if "unit_id" in place else "district"
    return Actor(role, "某", "", None, "330282", (Held(role, scope, **place),))


def test_the_accountable_are_read_from_the_versions(session: Session, unit: int, now: datetime) -> None:
    case_id = verified(session, unit, now)
    told = session.scalars(select(CASE.c.data).where(CASE.c.id == case_id)).one()["accountable"]
    assert [(one["who"], one["what"].split("：")[0]) for one in told] == [
        ("clerk", "首录记录"), ("clerk", "首录现值"), ("other", "首录现值"), ("other", "第 2 版更改"),
    ]  # fmt: skip
    assert "备注" in told[2]["what"]


def test_an_established_violation_proposes_a_year_without_use_of_quotas(
    session: Session, unit: int, now: datetime
) -> None:
    case_id = verified(session, unit, now)
    step(session, case_id, "establish", LEADER, now, reason="证据确凿")
    held = linked(session, actor("leader", district="330282"), case_id)
    assert [(one["process"], one["state"], one["tie"]) for one in held] == [("suspension", "proposed", "引出")]
    step(session, held[0]["id"], "confirm", LEADER, now, process="suspension")
    row = session.execute(select(HOLD)).one()
    assert (row.kind, row.until_on) == ("HOLD_USE", date(2027, 3, 2))
    today = date(2026, 3, 3)
    for verdicts in (use_is_not_suspended(session, [unit], today), no_hold_on_unit_or_above(session, [unit], today)):
        assert (verdicts[unit].holds, "2027-03-02" in verdicts[unit].says) == (False, True)
    assert use_is_not_suspended(session, [unit], date(2027, 3, 3))[unit].holds


def test_a_hold_on_applications_does_not_stop_entries(session: Session, unit: int, now: datetime) -> None:
    case_id = verified(session, unit, now)
    step(session, case_id, "establish", LEADER, now, reason="证据确凿")
    held = session.scalars(select(CASE.c.id).where(CASE.c.process == "suspension")).one()
    step(session, held, "confirm", LEADER, now, process="suspension")
    session.execute(HOLD.update().values(kind="HOLD_APPLY"))
    assert use_is_not_suspended(session, [unit], date(2026, 3, 3))[unit].holds


def test_who_verified_does_not_establish(session: Session, unit: int, now: datetime) -> None:
    case_id = verified(session, unit, now)
    for do in ("establish", "dismiss"):
        with pytest.raises(Refused, match="不得再作决定"):
            step(session, case_id, do, Person("reviewer", {"leader": None}), now, reason="x")
        with pytest.raises(NotAllowed):
            step(session, case_id, do, REVIEWER, now, reason="x")


def test_who_sent_it_back_may_establish_it_once_it_comes_again(session: Session, unit: int, now: datetime) -> None:
    case_id = verified(session, unit, now)
    step(session, case_id, "send_back", LEADER, now, reason="补充谈话记录")
    step(session, case_id, "conclude", REVIEWER, now, inputs={"findings": "属实，附谈话记录"})
    step(session, case_id, "establish", LEADER, now, reason="证据确凿")


def test_what_is_not_established_binds_nobody(session: Session, unit: int, now: datetime) -> None:
    case_id = verified(session, unit, now)
    step(session, case_id, "dismiss", LEADER, now, reason="查无实据")
    assert session.scalars(select(CASE.c.process).where(CASE.c.process == "suspension")).all() == []


def test_the_unit_concerned_does_not_see_the_case_but_is_told_what_was_established(
    session: Session, unit: int, now: datetime
) -> None:
    case_id = verified(session, unit, now)
    clerk, reviewer = actor("unit_clerk", unit_id=unit), actor("reviewer", district="330282")
    with pytest.raises(Exception, match="没有找到"):
        case_in_scope(session, clerk, case_id)
    assert case_in_scope(session, reviewer, case_id).id == case_id
    assert [len(matters(session, who, MatterFilter("violation"))[0]) for who in (clerk, reviewer)] == [0, 1]
    step(session, case_id, "establish", LEADER, now, reason="证据确凿")
    notices = [item for payload in session.scalars(select(OUTBOX.c.payload)) for item in payload["items"]]
    told = [n for n in notices if n["kind"] == "violation.established"]
    assert {n["role"] for n in told} == {"unit_head", "unit_clerk"}
    assert {n["link"] for n in told} == {"/units/330282101/standing"}


def test_it_is_referred_and_closed(session: Session, unit: int, now: datetime) -> None:
    case_id = verified(session, unit, now)
    step(session, case_id, "establish", LEADER, now, reason="证据确凿")
    with pytest.raises(Refused, match="须填写移送函号"):
        step(session, case_id, "refer", REVIEWER, now, inputs={"referred_to": "派驻纪检监察组"})
    step(
        session,
        case_id,
        "refer",
        REVIEWER,
        now,
        inputs={"referred_to": "派驻纪检监察组", "letter": "甬编办函〔2026〕3号"},
    )
    step(session, case_id, "close", REVIEWER, now, reason="已反馈处理结果")
    assert session.scalars(select(CASE.c.state).where(CASE.c.id == case_id)).one() == "closed"
