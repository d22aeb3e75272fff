"""申请事项 on screen: the list by kind, the balance beside the form, verdicts and audit on the case page, the notice as a sheet; within scope."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import insert
from sqlalchemy.orm import Session

from tests.casework.approval_room import PAPER, QUOTA, RECRUITED, ledger_row
from tests.web.conftest import COUNTY, FAR, Town, Visitor, counted
from workflow.access.scopes import actor_named
from workflow.casework.matters import open_matter
from workflow.casework.models import HOLD, HOLD_APPLY
from workflow.casework.weekly_audit import audits_of_week
from workflow.clock import present
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.steps import require_moved, take_step
from workflow.registry.records import write

USE = {
    "kind": "use",
    "what": "公开招聘",
    "why": "缺员",
    "quota_type": QUOTA,
    "n": "1",
    "entry_way": RECRUITED,
    "request": [PAPER],
}


@pytest.fixture
def applied(town: Town) -> int:
    """A draft of the county bureau, with two heads approved."""
    with writing(town.engine) as session:
        office = {"by": "reviewer", "now": present(), "may_write_locked": True, "may_create": True}
        write(session, "ledger", [ledger_row("L1", plus=2, unit=town.units[COUNTY])], **office)
        clerk = actor_named(session, f"clerk@{COUNTY}", present())
        return open_matter(session, "approval", town.units[COUNTY], USE, now=present(), actor=clerk)


EVERYBODY = [Person(name, dict.fromkeys(("unit_clerk", "unit_head", "reviewer", "leader"))) for name in "abcdefg"]
ROAD = ("submit", "confirm", "receive", "audit", "pass_audit", "endorse", "discuss", "approve")


def went(town: Town, case_id: int, *only: str) -> None:
    """The application through the steps named, each by another person; all of them where none is named."""
    people = dict(zip(ROAD, [*EVERYBODY, Person("z", {"leader": None})], strict=True))
    for do in only or ROAD:
        actor = people[do]
        with writing(town.engine) as session:
            inputs = {"meeting_on": "2026-03-02"} if do == "discuss" else {}
            process, about = "approval", case_id
            if do == "audit":
                process, do, about = "weekly_audit", "pass", audit_of(session, town)
            require_moved(take_step(session, process, do, [about], now=present(), actor=actor, inputs=inputs))


def audit_of(session: Session, town: Town) -> int:
    """The audit of this week of the county bureau."""
    unit = town.units[COUNTY]
    return int(audits_of_week(session, [unit], present().date())[unit].id)


def test_the_list_is_narrowed_by_kind(applied: int, clerk: Visitor) -> None:
    assert "公开招聘" in clerk.get("/matters/approval?kind=use").get_data(as_text=True)
    assert "公开招聘" not in clerk.get("/matters/approval?kind=plan").get_data(as_text=True)


def test_the_balance_stands_beside_the_form_of_the_own_unit_only(
    applied: int, clerk: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    assert "全额事业编制" in clerk.get("/matters/approval/new").get_data(as_text=True)
    other = sign_in(f"clerk@{FAR}").get(f"/matters/approval/new?unit={COUNTY}")
    assert "全额事业编制</td>" not in other.get_data(as_text=True)


def test_the_notice_is_a_sheet_within_scope_and_only_once_it_is_issued(
    town: Town, applied: int, clerk: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    assert clerk.get(f"/approvals/{applied}/notice").status_code == 404
    went(town, applied)
    sheet = clerk.get(f"/approvals/{applied}/notice").get_data(as_text=True)
    for told in ("核准使用编制通知单", "甬编办核〔2026〕1号", "核准人数", "事业单位公开招聘"):
        assert told in sheet
    assert sign_in(f"clerk@{FAR}").get(f"/approvals/{applied}/notice").status_code == 404


def test_the_pages_take_few_statements(town: Town, applied: int, app: Flask, clerk: Visitor, reviewer: Visitor) -> None:
    went(town, applied)
    taken = {}
    for visitor, path in ((clerk, "/matters/approval"), (clerk, "/matters/approval/new"), (clerk, f"/approvals/{applied}/notice"), (reviewer, "/matters/weekly_audit")):  # fmt: skip
        visitor.get(path)
        with counted(app) as statements:
            assert visitor.get(path).status_code == 200
        taken[path] = len(statements)
    assert max(taken.values()) <= 12, taken


@pytest.fixture
def bound(town: Town, applied: int) -> None:
    """The applicant suspended until the summer, by its own decision: the page names it, with a link."""
    with writing(town.engine) as session:
        days = {"from_on": date(2026, 3, 1), "until_on": date(2026, 6, 30), "kind": HOLD_APPLY, "written_at": present()}
        ours = {"case_id": applied, "unit_id": town.units[COUNTY], "source_unit_id": town.units[COUNTY]}
        session.execute(insert(HOLD), [days | ours])


def test_a_case_takes_at_most_twelve_statements_in_every_state(
    town: Town, applied: int, app: Flask, sign_in: Callable[[str], Visitor]
) -> None:
    taken: dict[str, int] = {}
    people = [sign_in(name) for name in (f"clerk@{COUNTY}", f"head@{COUNTY}", "reviewer@330282", "leader@330282")]
    for do in ("draft", *ROAD):
        if do != "draft":
            went(town, applied, do)
        with reading(town.engine) as session:
            paths = [
                f"/cases/{applied}",
                *([f"/cases/{audit_of(session, town)}"] if do in ("receive", "audit") else []),
            ]
        for number, path in itertools.product(range(len(people)), paths):
            with counted(app) as statements:
                assert people[number].get(path).status_code == 200
            taken[f"{do}, {path}, person {number}"] = len(statements)
    assert max(taken.values()) <= 12, taken


def test_the_step_along_the_main_way_stands_out(town: Town, applied: int, reviewer: Visitor) -> None:
    went(town, applied, *ROAD[: ROAD.index("endorse")])
    page = reviewer.get(f"/cases/{applied}").get_data(as_text=True)
    assert re.findall(r'btn-primary btn-sm" type="submit" data-confirm="确定办理“(.*?)”', page) == ["处室审核同意"]
    assert "● 待处室审核" in page
    assert re.search(r"待处室审核</li><li[^>]*>待室务会</li>", page)


def test_a_case_of_a_suspended_unit_takes_at_most_twelve_statements(
    town: Town, applied: int, bound: None, app: Flask, clerk: Visitor
) -> None:
    with counted(app) as statements:
        page = clerk.get(f"/cases/{applied}").get_data(as_text=True)
    assert "暂停办理机构编制申请事项至 2026-06-30" in page
    assert len(statements) <= 12, statements


def test_without_a_quota_type_no_figure_is_told_and_a_refusal_stands_in_the_open_once(
    town: Town, clerk: Visitor
) -> None:
    with writing(town.engine) as session:
        actor = actor_named(session, f"clerk@{COUNTY}", present())
        bare = {name: text for name, text in USE.items() if name != "quota_type"}
        case_id = open_matter(session, "approval", town.units[COUNTY], bare, now=present(), actor=actor)
    page = clerk.get(f"/cases/{case_id}").get_data(as_text=True)
    assert "填写编制类型后核对编制余额" in page
    assert "核定 0 名" not in page
    step = page.split('id="step-submit"')[1].split("</section>")[0]
    assert "<details" in step.split("</h2>")[1].split("<strong>不满足</strong>")[0]


def test_a_small_file_is_told_in_bytes(applied: int, clerk: Visitor) -> None:
    page = clerk.get(f"/cases/{applied}").get_data(as_text=True)
    assert f"{PAPER['bytes']} 字节" in page
    assert "0 KB" not in page


def test_the_text_of_a_rule_is_for_who_changes_rules_or_runs_the_system(
    town: Town, clerk: Visitor, reviewer: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    for path in ("/rules", "/rules/T03"):
        assert "技术细节" not in clerk.get(path).get_data(as_text=True)
        assert "definitions/" not in clerk.get(path).get_data(as_text=True)
        assert "技术细节" in sign_in("sysadmin").get(path).get_data(as_text=True)
        assert "技术细节" in reviewer.get(path).get_data(as_text=True)
