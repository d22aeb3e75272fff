"""One record on the web: who entered what, as of any day; its form blocks new blocking problems, tells conflicts, and turns lights green."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, Town, Visitor, counted
from workflow.db import reading, writing
from workflow.registry import records
from workflow.registry.queries import find_by_key

MINE, THEIRS = "P00000002", "P00000005"
FIELD = re.compile(r"<(input|select|textarea)\b([^>]*)>")


def filled(page: str) -> dict[str, str]:
    """What the form of a page holds, as a browser would send it."""
    form = page[page.index('class="recordform"') :]
    held: dict[str, str] = {}
    for found in FIELD.finditer(form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', found[2]))
        name = attributes.get("name")
        if not name:
            continue
        inner = form[found.end() :]
        if found[1] == "input":
            held[name] = html.unescape(attributes.get("value", ""))
        elif found[1] == "textarea":
            held[name] = html.unescape(inner[: inner.index("</textarea>")])
        else:
            chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', inner[: inner.index("</select>")])
            held[name] = "" if chosen is None else chosen[2] if chosen[1] is None else chosen[1]
    return held


@pytest.fixture
def wrong(town: Town, now: datetime) -> str:
    """A person of the county bureau, without any problem but a major that is no word."""
    whole = {
        "person_code": "P90000001", "name": "王小明", "unit": town.units[COUNTY], "sex": "1", "ethnic": "01", "native_place": "浙江宁波",
    }  # fmt: skip
    with writing(town.engine) as session:
        records.write(session, "person", [whole], by="clerk@330282101", now=now, may_write_locked=True, may_create=True)
    return "P90000001"


def test_a_page_tells_values_first_recorder_and_versions(clerk: Visitor, wrong: str) -> None:
    page = clerk.get(f"/records/person/{wrong}").get_data(as_text=True)
    assert "王小明" in page
    assert "汉族" in page
    assert "首录人员" in page
    assert "clerk@330282101" in page
    assert "首次录入" in page


def test_a_record_out_of_scope_is_not_there(clerk: Visitor, reviewer: Visitor) -> None:
    for visitor in (clerk, reviewer):
        assert visitor.get(f"/records/person/{THEIRS}").status_code == 404
        assert visitor.get(f"/records/person/{THEIRS}/edit").status_code == 404
    assert clerk.get(f"/records/unit/{NEIGHBOUR}").status_code == 404
    assert clerk.get(f"/records/unit/{FAR}").status_code == 404


def test_a_head_reads_but_is_offered_no_form(sign_in, wrong: str) -> None:  # type: ignore[no-untyped-def]
    head = sign_in(f"head@{COUNTY}")
    page = head.get(f"/records/person/{wrong}").get_data(as_text=True)
    assert "/edit" not in page
    assert head.get(f"/records/person/{wrong}/edit").status_code == 403


def test_a_form_offers_a_clerk_no_locked_field_and_a_reviewer_all(
    clerk: Visitor, reviewer: Visitor, wrong: str
) -> None:
    of_clerk = filled(clerk.get(f"/records/person/{wrong}/edit").get_data(as_text=True))
    of_reviewer = filled(reviewer.get(f"/records/person/{wrong}/edit").get_data(as_text=True))
    assert "name" not in of_clerk
    assert "id_no" not in of_clerk
    assert "school" in of_clerk
    assert of_reviewer["name"] == "王小明"
    assert "retire_month" not in of_reviewer
    assert "person_code" not in of_reviewer


def test_a_locked_field_that_a_clerk_sends_all_the_same_is_passed_over(clerk: Visitor, town: Town, wrong: str) -> None:
    sent = filled(clerk.get(f"/records/person/{wrong}/edit").get_data(as_text=True)) | {"name": "李四"}
    clerk.post(f"/records/person/{wrong}/edit", sent)
    with reading(town.engine) as session:
        found = find_by_key(session, "person", wrong)
        assert found is not None
        assert found.values["name"] == "王小明"


def test_a_save_writes_a_version_with_basis_and_is_judged_at_once(clerk: Visitor, town: Town, wrong: str) -> None:
    sent = filled(clerk.get(f"/records/person/{wrong}/edit").get_data(as_text=True))
    answer = clerk.post(
        f"/records/person/{wrong}/edit", sent | {"native_place": "浙江余姚", "basis": "个人档案"}, follow_redirects=True
    )
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "已保存。即时复核" in page
    assert "<del>浙江宁波</del> <ins>浙江余姚</ins>" in page
    assert "依据：个人档案" in page


def test_a_fix_turns_its_light_green_at_once(reviewer: Visitor, town: Town) -> None:
    before = [t for t in town.tickets(COUNTY) if t.present and t.dataset == "person"]
    assert any(t.rule_id == "F01" and t.part == "sex" for t in before)
    sent = filled(reviewer.get(f"/records/person/{MINE}/edit").get_data(as_text=True)) | {"sex": "1"}
    page = reviewer.post(f"/records/person/{MINE}/edit", sent, follow_redirects=True).get_data(as_text=True)
    assert "项问题已整改亮绿灯" in page
    after = [t for t in town.tickets(COUNTY) if t.present and t.dataset == "person"]
    assert {(t.rule_id, t.part) for t in before} - {(t.rule_id, t.part) for t in after} == {("F01", "sex")}


@pytest.mark.parametrize(
    ("day", "says"),
    [
        ("2099-01-01", "「生效日期」2099-01-01 晚于今天"),
        ("0001-01-01", "「生效日期」0001-01-01 早于该记录最早的版本"),
        ("gestern", "「生效日期」“gestern”不是 YYYY-MM-DD 格式"),
    ],
)
def test_values_hold_no_earlier_than_their_record_and_no_later_than_today(
    clerk: Visitor, town: Town, wrong: str, day: str, says: str
) -> None:
    sent = filled(clerk.get(f"/records/person/{wrong}/edit").get_data(as_text=True))
    answer = clerk.post(f"/records/person/{wrong}/edit", sent | {"native_place": "浙江余姚", "effective_on": day})
    page = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422
    assert says in page
    assert filled(page)["native_place"] == "浙江余姚"
    with reading(town.engine) as session:
        record = find_by_key(session, "person", wrong)
        assert record is not None
        assert record.values["native_place"] != "浙江余姚"


def test_a_new_blocking_problem_keeps_the_save_out_and_says_why(reviewer: Visitor, town: Town, wrong: str) -> None:
    sent = filled(reviewer.get(f"/records/person/{wrong}/edit").get_data(as_text=True)) | {"grad_date": "2031-01-01"}
    answer = reviewer.post(f"/records/person/{wrong}/edit", sent)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "未保存" in page
    assert "T07" in page
    assert 'value="2031-01-01"' in page
    with reading(town.engine) as session:
        found = find_by_key(session, "person", wrong)
        assert found is not None
        assert found.version == 1
        assert found.values["grad_date"] is None


def test_what_cannot_be_stored_is_told_at_its_field(clerk: Visitor, wrong: str) -> None:
    sent = filled(clerk.get(f"/records/person/{wrong}/edit").get_data(as_text=True))
    answer = clerk.post(f"/records/person/{wrong}/edit", sent | {"unit": "999", "grad_date": "昨天"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "没有编码为“999”的机构" in page
    assert "“昨天”不是日期" in page


def test_who_was_slower_sees_theirs_and_the_own_side_by_side(clerk: Visitor, reviewer: Visitor, wrong: str) -> None:
    mine = filled(clerk.get(f"/records/person/{wrong}/edit").get_data(as_text=True))
    theirs = filled(reviewer.get(f"/records/person/{wrong}/edit").get_data(as_text=True))
    assert reviewer.post(f"/records/person/{wrong}/edit", theirs | {"major": "法学"}).status_code == 302
    answer = clerk.post(f"/records/person/{wrong}/edit", mine | {"major": "史学"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "法学" in page
    assert 'value="史学"' in page
    assert "reviewer@330282" in page
    again = clerk.post(f"/records/person/{wrong}/edit", {"version": "2", "major": "史学"}, follow_redirects=True)
    assert "史学" in again.get_data(as_text=True)


def test_a_day_in_the_past_shows_what_held_then(reviewer: Visitor, town: Town, wrong: str, now: datetime) -> None:
    later = now + timedelta(days=3)
    with writing(town.engine) as session:
        records.write(
            session,
            "person",
            [{"person_code": wrong, "major": "法学"}],
            by="reviewer",
            now=later,
            may_write_locked=True,
        )
    town.set_clock(later + timedelta(hours=1))
    reviewer.post("/sign-in", {"account": "reviewer@330282", "password": "sandeng-demo"})
    today = reviewer.get(f"/records/person/{wrong}").get_data(as_text=True)
    then = reviewer.get(f"/records/person/{wrong}?as_of=2026-03-03").get_data(as_text=True)
    before = reviewer.get(f"/records/person/{wrong}?as_of=2026-02-01").get_data(as_text=True)
    assert "法学</span>" in today
    assert "法学</span>" not in then
    assert "王小明" in then
    assert "尚无本记录" in before


def test_a_clerk_makes_a_person_and_the_rules_judge_it(clerk: Visitor, town: Town) -> None:
    form = filled(clerk.get(f"/records/person/new?unit={COUNTY}").get_data(as_text=True))
    assert form["unit"] == COUNTY
    refused = clerk.post("/records/person/new", form | {"name": "新来人"})
    assert refused.status_code == 422
    assert "身份证号" in refused.get_data(as_text=True)
    blocked = clerk.post("/records/person/new", form | {"name": "新来人", "id_no": "330282198506150011"})
    assert blocked.status_code == 422
    assert "必须先改正" in blocked.get_data(as_text=True)


def test_a_clerk_cannot_make_a_unit_nor_a_person_of_another_unit(clerk: Visitor) -> None:
    assert clerk.get("/records/unit/new").status_code == 403
    answer = clerk.post(
        "/records/person/new", {"name": "某", "unit": NEIGHBOUR, "id_no": "330282198506150011", "version": "0"}
    )
    assert answer.status_code == 422
    assert "不在您可维护的单位范围内" in answer.get_data(as_text=True)


def test_only_a_reviewer_removes_and_only_with_a_reason(
    clerk: Visitor, reviewer: Visitor, town: Town, wrong: str
) -> None:
    assert clerk.post(f"/records/person/{wrong}/remove", {"reason": "重复"}).status_code == 403
    assert reviewer.post(f"/records/person/{wrong}/remove", {"reason": " "}).status_code == 400
    page = reviewer.post(f"/records/person/{wrong}/remove", {"reason": "重复登记"}, follow_redirects=True).get_data(
        as_text=True
    )
    assert "移除，只供查阅" in page
    assert "依据：重复登记" in page
    assert reviewer.get(f"/records/person/{wrong}/edit").status_code == 422


def test_a_record_that_others_refer_to_stays(reviewer: Visitor) -> None:
    answer = reviewer.post(f"/records/unit/{COUNTY}/remove", {"reason": "撤销"})
    assert answer.status_code == 422
    assert "条记录引用它" in answer.get_data(as_text=True)


def test_references_are_offered_within_scope(clerk: Visitor) -> None:
    offered = clerk.get("/records/options/unit?f-words=示例单位").get_data(as_text=True)
    assert COUNTY in offered
    assert NEIGHBOUR not in offered


@pytest.mark.parametrize("path", ["", "?as_of=2026-03-01", "/edit"])
def test_a_record_takes_at_most_twelve_statements(app: Flask, reviewer: Visitor, wrong: str, path: str) -> None:
    with counted(app) as statements:
        assert reviewer.get(f"/records/person/{wrong}{path}").status_code == 200
    assert len(statements) <= 12, "\n".join(statements)
