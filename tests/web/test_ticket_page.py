"""The main path on a ticket: put right, re-checked, green; explained and approved by somebody else; voided by a second person."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.web.conftest import COUNTY, Town, Visitor
from workflow.clock import business_date
from workflow.db import writing
from workflow.engine.timers import fire_due
from workflow.quality.models import Ticket
from workflow.quality.run import run_check
from workflow.registry import records

PDF = b"%PDF-1.7 evidence"


def ticket_about(town: Town, field: str) -> Ticket:
    return next(t for t in town.tickets(COUNTY) if t.field == field and t.dataset == "person")


def put_right(town: Town, ticket: Ticket, now: datetime, **values: object) -> None:
    """The office corrects the record."""
    with writing(town.engine) as session:
        row = {"id": ticket.record_id, **values}
        records.write(session, ticket.dataset, [row], by="reviewer", now=now, may_write_locked=True)


def first_case(page: str) -> int:
    """The first case that a page leads to."""
    found = re.search(r'href="/cases/([0-9]+)"', page)
    assert found
    return int(found[1])


def test_a_problem_that_was_put_right_turns_green_in_the_click(town: Town, clerk: Visitor, now: datetime) -> None:
    ticket = ticket_about(town, "sex")
    put_right(town, ticket, now, sex="1")
    page = clerk.post(f"/tickets/{ticket.id}/recheck", follow_redirects=True).get_data(as_text=True)
    assert "复核通过，问题已整改，亮绿灯。" in page
    assert "复核通过</strong> → 已整改" in page


def test_a_problem_that_is_still_there_stays_as_it_is(town: Town, clerk: Visitor) -> None:
    ticket = ticket_about(town, "sex")
    page = clerk.post(f"/tickets/{ticket.id}/recheck", follow_redirects=True).get_data(as_text=True)
    assert "复核未通过，问题仍在" in page
    assert not [t for t in town.tickets(COUNTY) if not t.present]


def test_the_page_says_what_is_wrong_and_counts_the_days_to_the_deadline(town: Town, clerk: Visitor) -> None:
    page = clerk.get(f"/tickets/{ticket_about(town, 'sex').id}").get_data(as_text=True)
    assert "性别是必填项，现为空" in page
    assert "2026年3月4日 周三" in page, "two working days in 慈溪: stricter than the city's three (办法23)"
    assert "第2个工作日" in page


def test_the_light_is_yellow_on_the_last_day_and_red_the_day_after(town: Town, clerk: Visitor, now: datetime) -> None:
    path = f"/tickets/{ticket_about(town, 'sex').id}"
    assert "lamp-yellow" in clerk.get(path).get_data(as_text=True)
    town.set_clock(now + timedelta(days=2, hours=14))
    fire_due(town.engine, now + timedelta(days=2, hours=14))
    with_new_session = clerk.post("/sign-in", {"account": f"clerk@{COUNTY}", "password": "sandeng-demo"})
    assert with_new_session.status_code == 302
    assert "亮红灯</strong>" not in clerk.get(path).get_data(as_text=True)
    fire_due(town.engine, now + timedelta(days=2, hours=15))
    assert "亮红灯</strong> → 红灯" in clerk.get(path).get_data(as_text=True)


@pytest.fixture
def doubtful(town: Town, now: datetime) -> Ticket:
    """A W-level ticket of the county bureau."""
    found = next((t for t in town.tickets(COUNTY) if t.level == "W"), None)
    assert found is not None, {(t.rule_id, t.level) for t in town.tickets(COUNTY)}
    return found


def test_a_doubt_is_explained_with_evidence_and_approved_by_somebody_else(
    town: Town, clerk: Visitor, sign_in: Callable[[str], Visitor], doubtful: Ticket
) -> None:
    given = {"text": "档案认定与证件不同，附认定文件", "evidence": (io.BytesIO(PDF), "认定.pdf")}
    page = clerk.post(f"/tickets/{doubtful.id}/explain", given, follow_redirects=True).get_data(as_text=True)
    assert "说明已提交审核" in page
    reviewer = sign_in("reviewer@330282")
    assert "情况说明" in reviewer.get("/tasks").get_data(as_text=True)
    case = first_case(page)
    shown = reviewer.get(f"/cases/{case}").get_data(as_text=True)
    assert "档案认定与证件不同" in shown
    assert "审核人不是提交人" in shown
    version = shown.split('name="version" value="')[1].split('"')[0]
    assert clerk.post(f"/cases/{case}/steps/approve", {"version": version}).status_code == 403
    done = reviewer.post(f"/cases/{case}/steps/approve", {"version": version}, follow_redirects=True)
    assert "已核准" in done.get_data(as_text=True)
    assert "核准不作问题" in clerk.get(f"/tickets/{doubtful.id}").get_data(as_text=True)
    with clerk.get(f"/cases/{case}/evidence/1") as handed_in:
        assert handed_in.data == PDF
    again = reviewer.post(f"/cases/{case}/steps/approve", {"version": version})
    assert again.status_code == 409


def test_a_term_that_stands_is_told_as_such_and_not_counted_as_due(clerk: Visitor, doubtful: Ticket) -> None:
    ticket = doubtful
    due_to = f"/tickets?light=yellow&due_to={ticket.deadline_on}&rule={ticket.rule_id}&unit={COUNTY}&own=yes"
    assert f"/tickets/{ticket.id}" in clerk.get(due_to).get_data(as_text=True)
    handed = {"text": "姓名如证件所载", "evidence": (io.BytesIO(PDF), "证件.pdf")}
    clerk.post(f"/tickets/{ticket.id}/explain", handed, content_type="multipart/form-data")
    assert f"/tickets/{ticket.id}" not in clerk.get(due_to).get_data(as_text=True)
    for path in (f"/tickets?text={ticket.id}", "/tasks", f"/records/{ticket.dataset}/{ticket.record_key}"):
        assert "暂停计算" in clerk.get(path).get_data(as_text=True), path


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.exe", b"MZ"), ("x.pdf", b"not a pdf"), ("x.png", PDF), ("x.pdf", PDF + b"0" * 1000)],
)
def test_evidence_that_is_not_what_it_says_is_refused(
    clerk: Visitor, doubtful: Ticket, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    monkeypatch.setattr("web.uploads.LARGEST", 500)
    given = {"text": "长长的说明", "evidence": (io.BytesIO(content), name)}
    answer = clerk.post(f"/tickets/{doubtful.id}/explain", given)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert name in page
    assert ">长长的说明</textarea>" in page, "what was typed is not lost"
    assert "说明已提交审核" not in clerk.get(f"/tickets/{doubtful.id}").get_data(as_text=True)


def test_a_rule_that_could_not_be_judged_is_told_as_such(
    town: Town, clerk: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = ticket_about(town, "sex")
    monkeypatch.setattr("web.pages.ticket.failed_in", lambda _session, run, *rule: rule == (ticket.rule_id, "person"))
    page = clerk.post(f"/tickets/{ticket.id}/recheck", follow_redirects=True).get_data(as_text=True)
    assert "规则本次未能执行，工单维持原状" in page
    assert f"/processes/rectification?case={ticket.case_id}" in page


def test_a_light_is_voided_by_a_second_person_and_not_by_the_first(
    town: Town, reviewer: Visitor, leader: Visitor, clerk: Visitor
) -> None:
    ticket = ticket_about(town, "sex")
    assert clerk.post(f"/tickets/{ticket.id}/void", {"reason": "误"}).status_code == 403
    page = reviewer.post(f"/tickets/{ticket.id}/void", {"reason": "平台误判"}, follow_redirects=True)
    case = first_case(page.get_data(as_text=True))
    assert reviewer.post(f"/cases/{case}/steps/confirm", {"version": "1"}).status_code == 403
    assert leader.post(f"/cases/{case}/steps/confirm", {"version": "1"}).status_code == 302
    assert "误亮已撤销" in clerk.get(f"/tickets/{ticket.id}").get_data(as_text=True)


def test_work_is_claimed_by_one_and_stays_in_everybodys_list(
    town: Town, clerk: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    case = ticket_about(town, "sex").case_id
    assert "已由您办理" in clerk.post(f"/cases/{case}/hold", {"do": "claim"}, follow_redirects=True).get_data(
        as_text=True
    )
    assert "我办理中" in clerk.get("/tasks?whose=mine").get_data(as_text=True)
    other = sign_in(f"clerk@{COUNTY}")
    assert f"clerk@{COUNTY}" in other.get("/tasks").get_data(as_text=True)
    clerk.post(f"/cases/{case}/hold", {"do": "release"})
    assert "没有待办" in clerk.get("/tasks?whose=mine").get_data(as_text=True)


def test_a_filter_is_kept_under_a_name_and_forgotten_again(clerk: Visitor, reviewer: Visitor) -> None:
    clerk.post("/tickets/filters", {"name": "红灯人员", "light": "red", "dataset": "person"})
    page = clerk.get("/tickets").get_data(as_text=True)
    assert "红灯人员" in page
    assert "红灯人员" not in reviewer.get("/tickets").get_data(as_text=True)
    number = page.split("/tickets/filters/")[1].split("/")[0]
    assert reviewer.post(f"/tickets/filters/{number}/forget").status_code == 404
    clerk.post(f"/tickets/filters/{number}/forget")
    assert "红灯人员" not in clerk.get("/tickets").get_data(as_text=True).split("已删除筛选条件")[1]


def test_a_problem_that_comes_back_soon_says_that_its_old_term_goes_on(
    town: Town, clerk: Visitor, now: datetime
) -> None:
    ticket = ticket_about(town, "sex")
    for day, sex in ((1, "1"), (2, None)):
        then = now + timedelta(days=day)
        put_right(town, ticket, then, sex=sex)
        run_check(town.engine, business_date(then), then)
    page = clerk.get(f"/tickets/{ticket.id}").get_data(as_text=True)
    assert "整改后于 <strong>2026年3月4日 周三</strong> 再次出现，接续原期限" in page
    assert "整改后于" not in clerk.get(f"/tickets/{ticket_about(town, 'ethnic').id}").get_data(as_text=True)
