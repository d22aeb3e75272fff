"""The list of alarms (办法19): who sees it, who acknowledges, the incident reported from one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from tests.web.conftest import COUNTY, Town, Visitor, counted
from workflow.access.models import SecurityAlarm
from workflow.db import reading, writing
from workflow.duty.alarms import Alarm, raise_new
from workflow.engine.models import CASE

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
SignIn = Callable[[str], Visitor]


@pytest.fixture
def alarm(town: Town) -> int:
    with writing(town.engine) as session:
        raise_new(
            session, [Alarm("export", "li:volume", "2026-03-02", "账号 li 今日导出 900 条。", {"volume": 900})], NOW
        )
        found: int = session.scalars(select(SecurityAlarm.id)).one()
    return found


def text(visitor: Visitor, path: str = "/alarms") -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_an_alarm_is_acknowledged_once_with_what_it_was(town: Town, alarm: int, sign_in: SignIn) -> None:
    officer, auditor = sign_in("security"), sign_in("auditor")
    assert "账号 li 今日导出 900 条" in text(officer)
    assert officer.post(f"/alarms/{alarm}/acknowledge", {"remark": " "}).status_code == 400
    assert officer.post(f"/alarms/{alarm}/acknowledge", {"remark": "年报用数，已核实"}).status_code == 302
    assert "年报用数，已核实" in text(auditor)
    assert auditor.post(f"/alarms/{alarm}/acknowledge", {"remark": "再次"}).status_code == 409
    assert "没有告警" in text(officer, "/alarms?state=open")
    assert officer.post("/alarms/999/acknowledge", {"remark": "x"}).status_code == 404


def test_an_incident_is_reported_from_an_alarm_and_listed_beside_it(town: Town, alarm: int, sign_in: SignIn) -> None:
    officer = sign_in("security")
    link = re.search(r'href="(/matters/incident/new[^"]+)"', text(officer))
    assert link
    form = text(officer, link[1].replace("&amp;", "&"))
    assert '<option value="reading" selected>' in form
    assert 'value="export:li:volume:2026-03-02"' in form
    assert "账号 li 今日导出 900 条" in form
    sent = {"kind": "reading", "level": "general", "source": "alarm", "alarm": "export:li:volume:2026-03-02"}
    assert officer.post("/matters/incident", sent | {"found_on": "2026-03-02", "what": "核实"}).status_code == 302
    with reading(town.engine) as session:
        incident = session.scalars(select(CASE.c.id).where(CASE.c.process == "incident")).one()
    page = text(sign_in("auditor"))
    assert f'href="/cases/{incident}"' in page
    assert "待控制" in page
    assert "/matters/incident/new" not in page


def test_the_system_administrator_reads_and_acknowledges_nothing_and_others_see_nothing(
    alarm: int, sign_in: SignIn
) -> None:
    admin = sign_in("sysadmin")
    assert "未确认" in text(admin)
    assert admin.post(f"/alarms/{alarm}/acknowledge", {"remark": "x"}).status_code == 403
    for name in ("security@330282", f"clerk@{COUNTY}", "reviewer", "leader"):
        assert sign_in(name).get("/alarms").status_code == 403, name


def test_the_list_narrows_and_pages_and_reads_little(app: Flask, town: Town, alarm: int, sign_in: SignIn) -> None:
    with writing(town.engine) as session:
        raise_new(session, [Alarm("lockout", "", f"2026-03-02T{n}", "集中锁定。") for n in range(60)], NOW)
    officer = sign_in("security")
    assert text(officer, "/alarms?cause=export").count("<tr data-row") == 1
    assert text(officer, "/alarms?text=li:volume").count("<tr data-row") == 1
    first = text(officer, "/alarms?cause=lockout")
    assert first.count("<tr data-row") == 50
    after = re.search(r"after=([\w-]+)", first)
    assert after
    assert text(officer, f"/alarms?cause=lockout&after={after[1]}").count("<tr data-row") == 10
    with counted(app) as statements:
        text(officer)
    assert len(statements) <= 8, statements


def test_the_first_page_tells_what_waits(app: Flask, town: Town, alarm: int, sign_in: SignIn) -> None:
    officer, county = sign_in("security"), sign_in("security@330282")
    grant = {"kind": "grant", "role": "unit_head", "at_unit": COUNTY, "why": "兼任"}
    assert officer.post(f"/accounts/clerk@{COUNTY}/changes", grant).status_code == 302
    figures = re.compile(r'href="([^"]+)"[^>]*>\s*<div class="tile-label">[^<]+</div><div class="tile-figure">(\d+)')
    shown = dict(figures.findall(text(officer, "/")))
    assert shown == {
        "/alarms?state=open": "1",
        "/matters/incident?whose=open": "0",
        "/matters/grant_change?whose=open": "1",
    }
    assert dict(figures.findall(text(county, "/"))) == {"/matters/grant_change?whose=open": "1"}
    assert "/alarms?state=open" in text(sign_in("auditor"), "/")
    with counted(app) as statements:
        text(officer, "/")
    assert len(statements) <= 10, statements


def test_two_networks_are_an_alarm_at_once(town: Town, sign_in: SignIn) -> None:
    from workers.jobs import TOPICS
    from workflow.access.sessions import begin_session
    from workflow.engine.models import Outbox
    from workflow.operations.models import Notice

    night = datetime(2026, 3, 1, 18, tzinfo=UTC)  # two o'clock of a Monday morning
    with writing(town.engine) as session:
        begin_session(session, f"clerk@{COUNTY}", now=night, address="10.1.1.1")
        begin_session(session, f"clerk@{COUNTY}", now=night, address="10.2.2.2")
        TOPICS["notice"](
            session, list(session.scalars(select(Outbox).where(Outbox.key.contains("session_networks")))), night
        )
        shown = session.scalars(
            select(Notice).where(Notice.role == "security", Notice.kind == "session_networks")
        ).one()
        assert shown.show_at == night
        assert session.scalars(select(SecurityAlarm.cause)).all() == ["networks"]
    assert "先后在 10.1.1.1 和 10.2.2.2 使用" in text(sign_in("security"))
