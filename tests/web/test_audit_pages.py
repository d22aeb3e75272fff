"""The auditor's room: search, follow, trace, export and verify the chain; nobody else enters, and no value of a record is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.audit import intruder
from tests.audit.intruder import fill, inside
from tests.web.conftest import COUNTY, Town, Visitor, counted
from tests.web.test_audit_edge import told
from workers.anchoring import Watch, look, verify_on_request
from workflow.db import reading, writing
from workflow.insight.audit_trail import action_title, origin_shown, summary_of
from workflow.insight.audit_words import JOBS, PAGES
from workflow.operations import requests
from workflow.operations.models import JobRequest
from workflow.policy_entries import ENTRIES
from workflow.registry.tables import TABLES


@pytest.fixture
def auditor(sign_in: Callable[[str], Visitor]) -> Visitor:
    """The auditor."""
    return sign_in("auditor")


def a_person(town: Town) -> tuple[str, str]:
    """Key and name of the county bureau's person."""
    person = TABLES["person"].c
    with reading(town.engine) as session:
        row = session.execute(select(person.person_code, person.name).where(person.unit_id == town.units[COUNTY])).one()
    return row[0], row[1]


def test_nobody_but_the_auditor_enters(sign_in: Callable[[str], Visitor]) -> None:
    for account in (f"clerk@{COUNTY}", f"head@{COUNTY}", "reviewer@330282", "leader", "security", "sysadmin"):
        visitor = sign_in(account)
        for path in ("/audit", "/audit.csv", "/audit/record", "/audit/chain", "/audit/chain/daily/2026-03-02"):
            assert visitor.get(path).status_code == 403, (account, path)
        assert visitor.post("/audit/chain/verify").status_code == 403


def test_the_list_narrows_by_what_the_address_says(town: Town, clerk: Visitor, auditor: Visitor) -> None:
    clerk.get("/system")
    every = auditor.get("/audit").get_data(as_text=True)
    assert "登录：开始" in every
    for query, there, not_there in (
        (f"actor=clerk@{COUNTY}", "被拒绝", 'data-label="账号"><a href="/audit?actor=reviewer"'),
        ("action=session", "登录：开始", "记录："),
        ("action=session.begin", "登录：开始", "登录：结束"),
        ("result=refused", "您没有办理此事项的权限", "登录：开始"),
        (f"unit={COUNTY}", COUNTY, "您没有办理此事项的权限"),
        ("since=2026-03-03", "没有符合条件的审计记录", "登录：开始"),
        ("until=2026-03-01", "没有符合条件的审计记录", "登录：开始"),
        ("kind=account&key=auditor", "auditor", "您没有办理此事项的权限"),
    ):
        page = auditor.get(f"/audit?{query}").get_data(as_text=True)
        assert there in page, query
        assert not_there not in page, query


@pytest.mark.parametrize(
    ("kind", "summary", "shown"),
    [
        ("person", {"source": "form", "version": 2}, {"来源": "页面填报", "版次": "2"}),
        ("check_run", {"kind": "scoped", "records": {"person": 3}}, {"方式": "部分", "记录数": "实有人员 3"}),
        (
            "page",
            {"why": "NotAllowed", "guards": ["no_red_light"]},
            {"原因": "您没有办理此事项的权限", "未满足的条件": "没有亮红灯的问题"},
        ),
        ("account", {"how": "superseded", "way": "zzd"}, {"方式": "在另一处登录", "登录方式": "浙政钉"}),
        ("account", {"role": "reviewer", "scope": "district"}, {"角色": "编办审核员", "范围": "本地区"}),
        ("letter", {"inputs": {"answer": "0f"}, "to": ["overdue"]}, {"所填摘要": "整改情况 0f", "至": "逾期未回函"}),
    ],
)
def test_a_summary_speaks_chinese(kind: str, summary: dict[str, Any], shown: dict[str, str]) -> None:
    assert dict(summary_of(SimpleNamespace(object_kind=kind, summary=json.dumps(summary)))) == shown


def test_jobs_commands_and_pages_are_named_in_chinese() -> None:
    for action, title in (
        ("job.full_check", "每日任务：完整校验"), ("cli.audit.verify", "命令行：审计记录"), ("web.filings.save", "页面操作：填报"),
    ):  # fmt: skip
        assert action_title(action) == title
    assert origin_shown("cli root@vm") == "命令行 root@vm"


def test_every_page_and_every_daily_job_has_its_word(app: Flask) -> None:
    assert {name for name in app.blueprints if not name.startswith("api")} <= set(PAGES)
    assert {name.removeprefix("job.") for name in ENTRIES if name.startswith("job.")} <= set(JOBS)


def test_paging_shows_every_entry_once(town: Town, auditor: Visitor) -> None:
    fill(town.engine, 130)
    seen: list[str] = []
    path = "/audit"
    while path:
        page = auditor.get(path).get_data(as_text=True)
        seen += re.findall(r'data-label="序号">(\d+)<', page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        path = found[1].replace("&amp;", "&") if found else ""
    assert sorted(map(int, seen)) == [row.seq for row in told(town)]


def test_a_cursor_that_is_not_ours_is_refused_in_words(auditor: Visitor) -> None:
    for cursor in ("x", "W10", "WyJhIiwiYiJd", "WzFd"):
        assert auditor.get(f"/audit?after={cursor}").status_code == 400


def test_a_record_is_traced_to_everyone_and_shows_no_value(town: Town, auditor: Visitor) -> None:
    key, name = a_person(town)
    page = auditor.get(f"/audit/record?dataset=person&key={key}").get_data(as_text=True)
    assert "首录：reviewer" in page
    assert "姓名" in page
    assert name not in page
    assert auditor.get("/audit/record?dataset=person&key=P0").status_code == 404
    assert auditor.get("/audit/record?dataset=nothing&key=P0").status_code == 404


@pytest.mark.parametrize("path", ["/audit", "/audit/record?dataset=person&key={key}", "/audit/chain"])
def test_a_page_takes_at_most_twelve_statements_and_shows_no_name(
    app: Flask, town: Town, auditor: Visitor, path: str
) -> None:
    key, name = a_person(town)
    with counted(app) as statements:
        page = auditor.get(path.format(key=key))
    assert page.status_code == 200
    assert name not in page.get_data(as_text=True)
    assert len(statements) <= 12, statements


def test_the_export_is_told_and_carries_the_seals(town: Town, auditor: Visitor) -> None:
    text = auditor.get("/audit.csv?action=session").get_data(as_text=True)
    sealed = {row.hash for row in told(town, "session.")}
    assert all(seal in text for seal in sealed)
    last = told(town)[-1]
    assert (last.action, last.actor) == ("audit.export", "auditor")


def test_a_verification_is_asked_for_and_shows_what_it_found(town: Town, app: Flask, auditor: Visitor) -> None:
    with inside(town.engine) as connection:
        intruder.take_away(connection, 3)
    place = auditor.post("/audit/chain/verify").location
    number = int(place.rsplit("/", 1)[1])
    assert "排队中" in auditor.get(place).get_data(as_text=True)
    now = datetime.now(UTC)
    with writing(town.engine) as session:
        made = requests.take(session, number, now=now)
        assert isinstance(made, JobRequest)
    outcome = verify_on_request(town.engine, made, lambda done, total: None)
    with writing(town.engine) as session:
        requests.end(session, number, state="done", now=now, **outcome)
    page = auditor.get(place).get_data(as_text=True)
    assert "第 3 行起缺行" in page
    assert "不符" in auditor.get("/audit/chain").get_data(as_text=True)


def test_the_signed_head_of_a_day_can_be_taken_away(town: Town, app: Flask, auditor: Visitor) -> None:
    settings = app.extensions["sandeng"]
    look(town.engine, settings, Watch(), datetime(2026, 3, 2, 2, 0, tzinfo=UTC))
    page = auditor.get("/audit/chain").get_data(as_text=True)
    assert "/audit/chain/daily/2026-03-02" in page
    taken = json.loads(auditor.get("/audit/chain/daily/2026-03-02").get_data())
    assert (taken["on"], taken["seq"] > 0) == ("2026-03-02", True)
    for missing in ("2026-03-01", "x", "..%2f..%2fdata.key"):
        assert auditor.get(f"/audit/chain/daily/{missing}").status_code == 404
