"""请示报告: two other people approve, the operation is carried out once within its term, the result is on file (办法17)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from workflow.casework.reporting import (
    Operation,
    ask_approval,
    carried_out,
    newest_request,
    request_verdict,
    require_approval,
)
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import BadInput, NotAllowed, Refused
from workflow.registry import records
from workflow.registry.tables import TABLES

BATCH = Operation("batch:7", "batch", "导入“名册.xlsx”：新增 30 条", 30, "/imports/7")
PAPER = {"name": "批文.pdf", "file": "x", "sha256": "ab", "bytes": 1}
GOOD = {"what": "导入名册", "why": "机构改革划转", "papers": [PAPER]}
CLERK = Person("clerk", {"unit_clerk": None})
REVIEWER, LEADER = Person("reviewer", {"reviewer": None}), Person("leader", {"leader": None})


@pytest.fixture
def unit(session: Session, now: datetime) -> int:
    rows = [{"unit_code": "330282101", "name": "示例局", "district_code": "330282"}]
    records.write(session, "unit", rows, by="reviewer", now=now, may_write_locked=True, may_create=True)
    return session.scalar(select(TABLES["unit"].c.id))  # type: ignore[return-value]


def asked(session: Session, unit: int, now: datetime, **texts: Any) -> int:
    return ask_approval(session, BATCH, unit, GOOD | texts, now=now, actor=CLERK)


def step(session: Session, case_id: int, do: str, actor: Person, now: datetime, **more: Any) -> None:
    require_moved(take_step(session, "report_request", do, [case_id], now=now, actor=actor, **more))


def approved(session: Session, unit: int, now: datetime) -> int:
    case_id = asked(session, unit, now)
    step(session, case_id, "submit", CLERK, now)
    step(session, case_id, "endorse", REVIEWER, now)
    step(session, case_id, "approve", LEADER, now)
    return case_id


def case(session: Session, case_id: int) -> Any:
    return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def test_an_approved_operation_is_carried_out_once_and_reported(session: Session, unit: int, now: datetime) -> None:
    case_id = approved(session, unit, now)
    assert require_approval(session, BATCH, "/reports/batch/7") == case_id
    assert carried_out(session, BATCH.key, "已导入 30 行", now=now) == case_id
    found = case(session, case_id)
    assert found.state == "reported"
    report = "\n".join(found.data["report"])
    for told in ("批量操作", "导入名册", "请示：clerk", "处室审核：reviewer", "领导批准：leader", "已导入 30 行"):
        assert told in report
    with pytest.raises(Refused, match="须先请示批准"):
        require_approval(session, BATCH, "/reports/batch/7")
    assert carried_out(session, BATCH.key, "又一次", now=now) is None


def test_before_it_is_approved_the_verdict_says_whose_turn_it_is(session: Session, unit: int, now: datetime) -> None:
    verdict = request_verdict(session, BATCH, "/reports/batch/7")
    assert (verdict.holds, verdict.link) == (False, "/reports/batch/7")
    case_id = asked(session, unit, now)
    turns = []
    for do, actor in (("submit", CLERK), ("endorse", REVIEWER), ("approve", LEADER)):
        verdict = request_verdict(session, BATCH, "/reports/batch/7")
        turns.append((verdict.holds, verdict.clears_by, verdict.link == f"/cases/{case_id}"))
        step(session, case_id, do, actor, now)
    assert turns == [(False, "unit_clerk", True), (False, "reviewer", True), (False, "leader", True)]
    assert request_verdict(session, BATCH, "").holds


def test_nobody_approves_their_own_request_nor_twice(session: Session, unit: int, now: datetime) -> None:
    everything = Person("clerk", {"unit_clerk": None, "reviewer": None, "leader": None})
    case_id = asked(session, unit, now)
    step(session, case_id, "submit", CLERK, now)
    with pytest.raises(Refused, match="申请人不得"):
        step(session, case_id, "endorse", everything, now)
    both = Person("both", {"reviewer": None, "leader": None})
    step(session, case_id, "endorse", both, now)
    with pytest.raises(Refused, match="不得再作决定"):
        step(session, case_id, "approve", both, now)
    with pytest.raises(Refused, match="不得再作决定"):
        step(session, case_id, "approve", LEADER, now, on_behalf_of="both")


def test_without_the_document_nothing_is_submitted(session: Session, unit: int, now: datetime) -> None:
    case_id = ask_approval(session, BATCH, unit, GOOD | {"papers": []}, now=now, actor=CLERK)
    with pytest.raises(Refused, match="还须填写：依据文件"):
        step(session, case_id, "submit", CLERK, now)


def test_somebody_else_does_not_go_on_with_it(session: Session, unit: int, now: datetime) -> None:
    case_id = asked(session, unit, now)
    with pytest.raises(Refused, match="由发起人 clerk 办理"):
        step(session, case_id, "submit", Person("colleague", {"unit_clerk": None}), now)


def test_what_the_platform_carries_out_nobody_reports_by_hand(session: Session, unit: int, now: datetime) -> None:
    case_id = approved(session, unit, now)
    with pytest.raises(Refused, match="执行完毕自动报告"):
        step(session, case_id, "report", CLERK, now, inputs={"result": "做完了"})
    with pytest.raises(NotAllowed):
        step(session, case_id, "execute", LEADER, now, inputs={"result": "做完了"})


def test_an_approval_lapses_after_its_term_and_not_before(
    engine: Engine, session: Session, unit: int, now: datetime
) -> None:
    case_id = approved(session, unit, now)
    due = case(session, case_id).due_at
    assert due.date() == date(2026, 3, 30)  # twenty working days after Monday 2 March end with the 30th, Shanghai
    session.commit()
    fire_due(engine, due - timedelta(minutes=1))
    assert case(session, case_id).state == "approved"
    session.rollback()
    fire_due(engine, due)
    assert case(session, case_id).state == "expired"
    assert newest_request(session, BATCH.key) is None


def test_the_operation_speaks_for_itself(session: Session, unit: int, now: datetime) -> None:
    case_id = asked(session, unit, now, kind="restore", rows="1")
    form = case(session, case_id).data["form"]
    assert (form["kind"], form["rows"]) == ("batch", 30)


def test_a_locked_month_is_named(session: Session, unit: int, now: datetime) -> None:
    with pytest.raises(BadInput, match="不是月份"):
        ask_approval(
            session,
            Operation("m:1", "locked_month", "改", 0, ""),
            unit,
            GOOD | {"month": "2026年1月"},
            now=now,
            actor=CLERK,
        )
