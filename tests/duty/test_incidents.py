"""安全事件 (办法19): who reports, who does what in which order and time, who may not judge the own work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.duty.duty_room import MORNING, at, case, settle, step, who
from workflow.calendar.calendar import shipped_calendar
from workflow.calendar.deadline import deadline
from workflow.casework.matters import open_matter
from workflow.casework.seeing import readable
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.duty.incidents import PROCESS
from workflow.engine.models import CASE, OUTBOX
from workflow.engine.timers import fire_due
from workflow.errors import NotAllowed, Refused
from workflow.policy import shipped_policies

REPORT = {"kind": "leak", "level": "serious", "source": "report", "found_on": "2026-04-01", "what": "名册被拍照外传"}
STEPS: dict[str, dict[str, Any]] = {
    "contain": {"contained_how": "停用账号"},
    "eradicate": {"cause": "屏幕外露", "eradicated_how": "收回授权"},
    "recover": {"recovered_how": "恢复账号，未丢数据"},
    "review": {"lessons": "培训"},
}


@pytest.fixture
def house(session: Session) -> Session:
    settle(session)
    return session


def reported(session: Session, by: str = "guard1", **more: str) -> int:
    return open_matter(session, PROCESS, None, REPORT | more, now=MORNING, actor=who(session, by))


def brought_to(session: Session, last: str, by: str = "guard1") -> int:
    about = reported(session)
    for do in STEPS:
        if do == last:
            break
        step(session, about, do, by, inputs=STEPS[do])
    return about


def test_an_incident_is_contained_removed_recovered_and_reviewed_with_what_was_done(house: Session) -> None:
    about = brought_to(house, "review")
    step(house, about, "review", "auditor", inputs=STEPS["review"])
    kept = case(house, about)
    assert (kept.state, kept.title) == ("reviewed", "安全事件（较大）：数据泄露 2026-04-01")
    assert [(one["title"], one["by"], [text for _, text in one["told"]]) for one in kept.data["handling"]] == [
        ("控制", "guard1", ["停用账号"]),
        ("消除", "guard1", ["屏幕外露", "收回授权"]),
        ("恢复", "guard1", ["恢复账号，未丢数据"]),
        ("复盘", "auditor", ["培训"]),
    ]


@pytest.mark.parametrize(("do", "lacking"), [(do, name) for do, given in STEPS.items() for name in given])
def test_no_step_is_taken_without_saying_what_was_done(house: Session, do: str, lacking: str) -> None:
    about = brought_to(house, do)
    with pytest.raises(Refused, match="须填写"):
        step(house, about, do, "auditor" if do == "review" else "guard1", inputs=STEPS[do] | {lacking: " "})


@pytest.mark.parametrize("name", ["guard1", "guard2", "auditor"])
def test_every_security_officer_and_the_auditor_report(house: Session, name: str) -> None:
    assert case(house, reported(house, name)).inbox == "security"


@pytest.mark.parametrize("name", ["reviewer", "admin"])
def test_others_do_not_report(house: Session, name: str) -> None:
    with pytest.raises(NotAllowed):
        reported(house, name)


def test_business_does_not_see_it(house: Session) -> None:
    about = reported(house)
    seen = [
        house.scalar(select(func.count()).where(CASE.c.id == about, readable(who(house, name))))
        for name in ("guard2", "auditor", "admin", "reviewer")
    ]
    assert seen == [1, 1, 1, 0]


def test_whoever_handled_it_does_not_review_it_and_whoever_reported_it_may(house: Session) -> None:
    about = reported(house, "guard2")
    for do in ("contain", "eradicate", "recover"):
        step(house, about, do, "admin" if do == "recover" else "guard1", inputs=STEPS[do])
    for name in ("guard1", "admin"):
        with pytest.raises((Refused, NotAllowed)):
            step(house, about, "review", name, inputs=STEPS["review"])
    with pytest.raises(Refused, match="不得自己复盘"):
        step(house, about, "review", "guard1", inputs=STEPS["review"])
    step(house, about, "review", "guard2", inputs=STEPS["review"])


def test_whoever_reported_it_does_not_dismiss_it(house: Session) -> None:
    about = reported(house)
    with pytest.raises(Refused, match="申请人不得"):
        step(house, about, "dismiss", "guard1", reason="误报")
    step(house, about, "dismiss", "auditor", reason="误报")
    assert case(house, about).state == "dismissed"


def test_an_incident_from_an_alarm_names_it_before_it_is_contained(house: Session) -> None:
    about = reported(house, source="alarm")
    with pytest.raises(Refused, match="告警编号"):
        step(house, about, "contain", "guard1", inputs=STEPS["contain"])


def test_what_happens_again_begins_again_and_keeps_what_was_done(house: Session) -> None:
    about = brought_to(house, "recover")
    step(house, about, "reopen", "auditor", reason="又见一处外传")
    step(house, about, "contain", "guard2", inputs={"contained_how": "封停接口"})
    kept = case(house, about)
    assert (kept.state, [one["title"] for one in kept.data["handling"]]) == ("contained", ["控制", "消除", "控制"])


@pytest.mark.parametrize("do", STEPS)
def test_each_step_has_its_term_and_what_is_late_is_kept(both_engines: Engine, do: str) -> None:
    with writing(both_engines) as session:
        settle(session)
        about = brought_to(session, do)
        due = case(session, about).due_at
    term = shipped_policies().city.term(f"incident.{do}")
    last = deadline(business_date(MORNING), term.n, shipped_calendar()).due_on
    assert last is not None
    assert due == at(last + timedelta(1), 0)
    for moment, late in ((due - timedelta(minutes=1), None), (due, business_date(due).isoformat())):
        fire_due(both_engines, moment)
        with reading(both_engines) as session:
            assert case(session, about).data.get("late_on") == late
    with reading(both_engines) as session:
        assert session.scalar(select(func.count()).where(OUTBOX.c.key.contains(f"{PROCESS}.late"))) == 1
