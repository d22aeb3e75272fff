"""流程换版 in the browser: a mapping is written, tried, asked for, approved by two others and carried out by a worker."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.web.conftest import CITY, COUNTY, Town, Visitor, counted
from workers.kinds import KINDS
from workflow.access.accounts import create_account, grant
from workflow.casework.filing_drafting import Opening, open_filing
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.definition import FOLDER, read_definition
from workflow.engine.models import CASE
from workflow.engine.registry import book, load_all, using
from workflow.operations.models import JobRequest

SECRET = "second-pass-2026"
GOOD = """
states: {draft: draft}
timers:
  draft: {remind: remind, overdue: {drop: 新版另行计算}}
begin: {}
"""
KEEP = GOOD.replace("{drop: 新版另行计算}", "overdue")
CLERK = Person(f"clerk@{COUNTY}", {"unit_clerk": None})


@pytest.fixture
def first(town: Town, now: datetime) -> Any:
    """One filing that began under the first version; returns that version."""
    old = read_definition((FOLDER / "filing.yaml").read_text(encoding="utf-8"), "filing.yaml")
    release = load_all()
    with (
        using(replace(release, current={**release.current, "filing": old}, pinned={})),
        writing(town.engine) as session,
    ):
        open_filing(
            session, Opening("person", town.units[COUNTY], None, fact_on=date(2026, 2, 27)), actor=CLERK, now=now
        )
    return old


@pytest.fixture
def office(sign_in: Callable[[str], Visitor]) -> Visitor:
    """The city's reviewer, who asks."""
    return sign_in("reviewer")


@pytest.fixture
def second(sign_in: Callable[..., Visitor], town: Town, now: datetime) -> Visitor:
    """Another reviewer of the city."""
    with writing(town.engine) as session:
        new = {"name": "second", "person_name": "副某", "district": "330200"}
        create_account(session, password=SECRET, by="test", now=now, **new)
        place = {"scope": "district", "district": "330200"}
        grant(session, account="second", role_name="reviewer", by="test", now=now, **place)
    return sign_in("second", SECRET)


def versions(old: Any, mapping: str = KEEP) -> dict[str, Any]:
    return {"process": "filing", "from": old.hash, "to": book().process("filing").hash, "mapping": mapping}


def ask(visitor: Visitor, old: Any, mapping: str = KEEP, **more: Any) -> Any:
    paper = {"papers": (io.BytesIO(b"%PDF-1.7 order"), "批文.pdf")}
    return visitor.post(
        "/migrations/ask", versions(old, mapping) | {"unit": CITY, "what": "换版", "why": "须凭通知单"} | paper | more
    )


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def take(visitor: Visitor, case: str, do: str) -> None:
    version = re.search(r'name="version" value="(\d+)"', text(visitor, case))
    assert version
    assert visitor.post(f"{case}/steps/{do}", {"version": version[1]}).status_code == 302


def test_the_old_version_and_a_mapping_with_equal_names_are_offered(first: Any, office: Visitor) -> None:
    page = text(office, "/migrations")
    assert "第 1 版" in page
    link = re.search(r'href="(/migrations/new/filing\?[^"]+)"', page)
    assert link
    form = text(office, link[1].replace("&amp;", "&"))
    assert "draft: draft" in form
    assert "overdue: overdue" in form


def test_a_mapping_at_fault_comes_back_with_every_row_and_nothing_changed(
    town: Town, first: Any, office: Visitor
) -> None:
    answer = office.post("/migrations/try", versions(first, "states: {drafty: draft}"))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert "states.drafty：第 1 版没有状态“drafty”" in page
    assert "states.draft：有 1 件停在“起草中”，没有写明去向" in page
    assert "states: {drafty: draft}" in page


def test_a_dry_run_shows_each_case_with_its_dates_and_the_conditions_that_change(
    town: Town, first: Any, office: Visitor
) -> None:
    page = office.post("/migrations/try", versions(first, GOOD)).get_data(as_text=True)
    assert "<s>逾期提醒</s>（新版另行计算）" in page
    assert re.search(r"临期提醒 <span class=\"sub nowrap\">2026-03-\d\d 00:00</span>", page)
    assert "更正日期、提交确认、撤回" in page
    assert re.search(r"提交确认：[^<]+<span class=\"sub\">不要求 → 满足", page)


def test_it_is_asked_approved_by_two_others_and_carried_out_by_a_worker(
    town: Town, first: Any, office: Visitor, second: Visitor, leader: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    answer = ask(office, first)
    assert answer.status_code == 302, answer.get_data(as_text=True)
    where = answer.location
    case = re.search(r'class="more" href="(/cases/\d+)"', text(office, where))
    assert case
    assert "请示尚未批准" in text(office, where)
    assert office.post(f"{where}/run").status_code == 422
    take(second, case[1], "endorse")
    take(sign_in("leader"), case[1], "approve")
    assert "执行迁移" in text(office, where)
    assert "执行迁移" not in text(sign_in("leader"), where)
    assert office.post(f"{where}/run").status_code == 302
    office.post(f"{where}/run")  # twice is once
    with reading(town.engine) as session:
        (job,) = session.scalars(select(JobRequest).where(JobRequest.kind == "migrate_cases"))
        session.expunge(job)
    assert KINDS[job.kind](town.engine, job, lambda *_: None)["result"] == {"moved": 1, "left": 0}
    with reading(town.engine) as session:
        moved = session.execute(select(CASE).where(CASE.c.process == "filing")).one()
    assert moved.definition == book().process("filing").hash
    assert "改用新版流程" in text(office, f"/filings/{moved.id}")
    assert f"/filings/{moved.id}" not in text(office, "/tasks?view=done")  # no act of theirs in it
    assert "已执行并报告" in text(office, where)
    assert "没有仍按旧版办理的事项" in text(office, "/migrations")


def test_without_its_paper_or_in_the_name_of_a_county_nothing_is_asked(town: Town, first: Any, office: Visitor) -> None:
    assert ask(office, first, papers=(io.BytesIO(b""), "")).status_code == 400
    answer = ask(office, first, unit=COUNTY)
    assert (answer.status_code, "须由市本级的单位名义请示" in answer.get_data(as_text=True)) == (400, True)
    with reading(town.engine) as session:
        assert session.scalars(select(CASE.c.id).where(CASE.c.process == "report_request")).all() == []


def test_a_county_is_told_that_the_city_does_it(first: Any, reviewer: Visitor) -> None:
    assert "由市级机构编制部门办理" in text(reviewer, "/migrations")
    assert reviewer.post("/migrations/try", versions(first)).status_code == 403
    assert ask(reviewer, first).status_code in (400, 403)


def test_the_pages_take_at_most_twelve_statements(app: Flask, first: Any, office: Visitor) -> None:
    where = ask(office, first).location
    link = re.search(r'href="(/migrations/new/filing\?[^"]+)"', text(office, "/migrations"))
    assert link
    for path in ("/migrations", link[1].replace("&amp;", "&"), where):
        text(office, path)
        with counted(app) as statements:
            text(office, path)
        assert len(statements) <= 12, (path, len(statements), statements)
