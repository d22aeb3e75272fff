"""月排查 and 季更新 in the browser: the security officer's list, the check with the platform's facts, the auditor's confirmation (办法15)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from tests.web.conftest import COUNTY, Town, Visitor, counted
from workflow.db import reading, writing
from workflow.duty.checking import MONTHLY, open_due_checks
from workflow.duty.facts import READERS
from workflow.engine.models import CASE
from workflow.engine.registry import book

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
ITEMS = [field.name for field in book().process(MONTHLY).form if field.name in READERS]


@pytest.fixture
def check(town: Town) -> int:
    with writing(town.engine) as session:
        open_due_checks(session, date(2026, 3, 1), NOW)
        found: int = session.scalars(select(CASE.c.id).where(CASE.c.process == MONTHLY)).one()
    return found


def state(town: Town, case_id: int) -> tuple[str, int]:
    with reading(town.engine) as session:
        return tuple(session.execute(select(CASE.c.state, CASE.c.version).where(CASE.c.id == case_id)).one())  # type: ignore[return-value]


def step(town: Town, visitor: Visitor, case_id: int, do: str, **data: str) -> int:
    form = {"version": str(state(town, case_id)[1]), **data}
    return visitor.post(f"/cases/{case_id}/steps/{do}", form).status_code


def test_a_check_goes_from_the_officers_inbox_to_the_auditors_confirmation(
    town: Town, check: int, sign_in: Callable[[str], Visitor]
) -> None:
    security, auditor = sign_in("security"), sign_in("auditor")
    for page in ("/tasks", f"/matters/{MONTHLY}"):
        assert f"/cases/{check}" in security.get(page).get_data(as_text=True), page
    shown = security.get(f"/cases/{check}").get_data(as_text=True)
    assert "平台数据（2026-02-01 至 2026-02-28）" in shown
    assert "备份：28 天中完成 0 天" in shown
    filled = {f"{name}_note": "已核对" for name in ITEMS} | dict.fromkeys(ITEMS, "fine")
    assert step(town, security, check, "edit", **filled | {"backup_drill": "odd"}) == 302
    assert step(town, security, check, "submit") == 422
    assert (
        step(town, security, check, "edit", **filled | {"backup_drill": "odd", "backup_drill_measure": "本周恢复"})
        == 302
    )
    assert step(town, security, check, "submit") == 302
    assert step(town, security, check, "confirm") == 422
    assert f"/cases/{check}" in auditor.get("/tasks").get_data(as_text=True)
    assert step(town, auditor, check, "confirm") == 302
    assert "异常 1 项：备份演练" in auditor.get(f"/cases/{check}").get_data(as_text=True)
    assert state(town, check)[0] == "confirmed"


def test_business_neither_sees_nor_is_led_to_it(check: int, sign_in: Callable[[str], Visitor]) -> None:
    for name in (f"clerk@{COUNTY}", "reviewer", "leader"):
        visitor = sign_in(name)
        assert visitor.get(f"/cases/{check}").status_code == 404
        assert visitor.get(f"/matters/{MONTHLY}").status_code == 404
        assert MONTHLY not in visitor.get("/notices").get_data(as_text=True)


def test_those_who_guard_the_platform_open_no_page_of_business(
    town: Town, check: int, sign_in: Callable[[str], Visitor]
) -> None:
    with reading(town.engine) as session:
        business = list(session.scalars(select(CASE.c.id).where(CASE.c.process != MONTHLY).limit(5)))
    assert business
    for name in ("security", "auditor", "sysadmin"):
        visitor = sign_in(name)
        for case_id in business:
            for path in ("", "/beside"):
                assert visitor.get(f"/cases/{case_id}{path}").status_code == 404, (name, path)
            assert visitor.post(f"/cases/{case_id}/comments", {"text": "x"}).status_code == 404, name
        for process in ("transfer", "approval", "violation", "report_request", "weekly_audit"):
            assert visitor.get(f"/matters/{process}").status_code == 404, (name, process)
            assert visitor.post(f"/matters/{process}", {}).status_code == 404, (name, process)
        for view in ("", "all", "office", "done", "free"):
            shown = visitor.get(f"/tasks?view={view}").get_data(as_text=True)
            assert not [case_id for case_id in business if f'/cases/{case_id}"' in shown], (name, view)


def test_its_pages_read_little(app: Flask, check: int, sign_in: Callable[[str], Visitor]) -> None:
    security = sign_in("security")
    for path in ("/tasks", f"/matters/{MONTHLY}", f"/cases/{check}"):
        security.get(path)
        with counted(app) as statements:
            assert security.get(path).status_code == 200
        assert len(statements) <= 12, (path, statements)


def test_an_auditor_reports_an_incident_with_what_an_alarm_filled_in_and_the_officer_takes_it_on(
    app: Flask, town: Town, sign_in: Callable[[str], Visitor]
) -> None:
    auditor, security = sign_in("auditor"), sign_in("security")
    shown = auditor.get("/matters/incident/new?kind=chain&source=alarm&alarm=chain:2026-03-02").get_data(as_text=True)
    assert 'value="chain:2026-03-02"' in shown
    assert '<option value="chain" selected>' in shown
    report = {
        "kind": "chain",
        "level": "grave",
        "source": "alarm",
        "alarm": "chain:2026-03-02",
        "found_on": "2026-03-02",
    }
    assert auditor.post("/matters/incident", report | {"what": "第8行缺失"}).status_code == 302
    with reading(town.engine) as session:
        about = session.scalars(select(CASE.c.id).where(CASE.c.process == "incident")).one()
    assert f"/cases/{about}" in security.get("/tasks").get_data(as_text=True)
    assert step(town, security, about, "contain", contained_how="停写并保全") == 302
    with counted(app) as statements:
        page = security.get(f"/cases/{about}").get_data(as_text=True)
    assert len(statements) <= 12, statements
    assert "安全事件（重大）：审计链不相符 2026-03-02" in page
    assert "控制措施：停写并保全" in page
    assert sign_in("reviewer").get(f"/cases/{about}").status_code == 404
    assert sign_in("reviewer").get("/matters/incident/new").status_code == 404
    assert sign_in("sysadmin").get("/matters/incident/new").status_code == 404
