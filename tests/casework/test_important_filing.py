"""Important fields of a record that stands change on an approved request, used up by the very filing (请示报告, 办法17)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Engine, insert, select

from tests.casework.test_filing import (
    BASIS,
    CLERK,
    HEAD,
    REVIEWER,
    TUE,
    city,  # noqa: F401  (the fixture of the same town)
    opened,
    person,
    saved,
    says,
    state,
    step,
    submitted,
)
from tests.quality.ticket_room import at
from workflow.casework.models import Filing
from workflow.casework.report_operations import filing_operation
from workflow.casework.reporting import ask_approval
from workflow.db import writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.periodic.models import MonthlyReport, MonthSnapshot

LEADER, SECTION = Person("leader", {"leader": None}), Person("section", {"reviewer": None})
PAPER = {"name": "批文.pdf", "file": "x", "sha256": "ab", "bytes": 1}
CHANGE = {"notice_no": "甬编核〔2026〕1号"}


def reviewing(town: Engine) -> int:
    case_id = submitted(town, CHANGE | BASIS)
    step(town, case_id, "confirm", HEAD)
    return case_id


def approved(town: Engine, filing_case: int) -> int:
    with writing(town) as session:
        operation = filing_operation(session, session.get_one(Filing, filing_case), TUE)
        assert operation is not None
        assert "核准通知单号 空 → 甬编核〔2026〕1号" in operation.says
        form = {"what": operation.says, "why": "补录", "papers": [PAPER]}
        case_id = ask_approval(session, operation, 1, form, now=at(TUE), actor=CLERK)
        for do, who in (("submit", CLERK), ("endorse", SECTION), ("approve", LEADER)):
            require_moved(take_step(session, "report_request", do, [case_id], now=at(TUE), actor=who))
        return case_id


def request(town: Engine, case_id: int) -> Any:
    with writing(town) as session:
        return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def test_without_a_request_it_is_not_accepted_and_the_way_is_told(city: Engine) -> None:  # noqa: F811
    case_id = reviewing(city)
    assert "须先请示批准" in says(city, case_id, "accept", REVIEWER)
    assert state(city, case_id) == "reviewing"


def test_with_the_approved_request_it_is_accepted_and_reported(city: Engine) -> None:  # noqa: F811
    case_id = reviewing(city)
    asked = approved(city, case_id)
    step(city, case_id, "accept", REVIEWER)
    assert person(city).values["notice_no"] == CHANGE["notice_no"]
    found = request(city, asked)
    assert found.state == "reported"
    assert f"填报 {case_id}" in found.data["report"][-1]


def test_another_filing_does_not_use_the_request(city: Engine) -> None:  # noqa: F811
    case_id = reviewing(city)
    asked = approved(city, case_id)
    step(city, case_id, "recall", CLERK)
    step(city, case_id, "withdraw", CLERK)
    other = opened(city)
    saved(city, other, CHANGE | BASIS)
    step(city, other, "submit", CLERK)
    step(city, other, "confirm", HEAD)
    assert "须先请示批准" in says(city, other, "accept", REVIEWER)
    assert request(city, asked).state == "approved"


def test_a_change_in_a_locked_month_is_asked_for_whatever_it_changes(city: Engine) -> None:  # noqa: F811
    case_id = submitted(city, {"native_place": "慈溪"})
    with writing(city) as session:
        filing = session.get_one(Filing, case_id)
        filing.fact_on = date(2026, 2, 27)
        assert filing_operation(session, filing, TUE) is None
        report = {"case_id": case_id, "unit_id": 1, "month": "2026-02", "since_version": 0, "until_version": 0}
        days = {"confirm_by": at(TUE).date(), "compare_by": at(TUE).date(), "figures": {}, "before": {}}
        session.execute(insert(MonthlyReport).values(report | days))
        locked = {"case_id": case_id, "unit_id": 1, "month": "2026-02", "content": "{}", "sha256": "0" * 64}
        session.execute(insert(MonthSnapshot).values(locked | {"locked_at": at(TUE), "locked_by": "reviewer"}))
        operation = filing_operation(session, filing, TUE)
        assert operation is not None
        assert (operation.kind, operation.month) == ("locked_month", "2026-02")
    assert "须先请示批准" in says(city, case_id, "settle", HEAD)
