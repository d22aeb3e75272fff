"""填报 on the web: from a ticket to a green light by three people; nobody sees another's; few statements a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select

from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, Town, Visitor, counted
from tests.web.test_record_page import filled
from workflow.access.models import Account
from workflow.audit.models import ROW as AUDIT
from workflow.db import reading, writing
from workflow.registry import records
from workflow.registry.queries import find_by_key

MINE, THEIRS = "P00000002", "P00000005"


@pytest.fixture
def head(sign_in: Callable[[str], Visitor]) -> Visitor:
    """The county bureau's head."""
    return sign_in(f"head@{COUNTY}")


def begun(clerk: Visitor, **sent: str) -> str:
    """A new draft's address."""
    answer = clerk.post("/filings", sent or {"dataset": "person", "key": MINE})
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return re.sub(r"/edit.*", "", answer.headers["Location"])


def typed(clerk: Visitor, place: str, **values: str) -> dict[str, str]:
    """The form of a draft as the page holds it, with some values typed over."""
    return (
        filled(clerk.get(f"{place}/edit").get_data(as_text=True).replace("recordform filingform", "recordform"))
        | values
    )


def steps_of(visitor: Visitor, place: str) -> dict[str, str]:
    """The hidden version that a step's form sends."""
    found = re.search(r'name="version" value="(\d+)"', visitor.get(place).get_data(as_text=True))
    assert found
    return {"version": found[1]}


def ticket_of(town: Town, part: str) -> int:
    return next(t.id for t in town.tickets(COUNTY) if t.rule_id == "F01" and t.part == part and t.dataset == "person")


def test_from_a_ticket_through_three_people_to_a_green_light(
    clerk: Visitor, head: Visitor, reviewer: Visitor, town: Town
) -> None:
    ticket = ticket_of(town, "birth_date")
    assert "通过填报更正" in clerk.get(f"/tickets/{ticket}").get_data(as_text=True)
    place = begun(clerk, ticket=str(ticket))
    edit = clerk.get(f"{place}/edit?field=birth_date").get_data(as_text=True)
    assert 'id="focus"' in edit
    answer = clerk.post(f"{place}/edit", typed(clerk, place, birth_date="1985-06-15") | {"then": "submit"})
    assert answer.status_code == 302, answer.get_data(as_text=True)
    assert "待负责人确认" in clerk.get(place).get_data(as_text=True)
    assert "填报" in head.get("/tasks").get_data(as_text=True)
    page = head.get(place).get_data(as_text=True)
    assert "确认并报审" in page
    assert "确认并入库</h2>" not in page
    assert head.post(f"{place}/steps/confirm", steps_of(head, place)).status_code == 302
    assert "1985-06-15" in reviewer.get(place).get_data(as_text=True)
    done = reviewer.post(f"{place}/steps/accept", steps_of(reviewer, place), follow_redirects=True).get_data(
        as_text=True
    )
    assert "项问题已整改亮绿灯" in done
    assert not next(t for t in town.tickets(COUNTY) if t.id == ticket).present
    record = clerk.get(f"/records/person/{MINE}").get_data(as_text=True)
    assert "1985-06-15" in record
    assert f"办理事项 {place.rsplit('/', 1)[1]}" in record
    assert clerk.get(place.replace("filings", "cases")).headers["Location"].endswith(place)


def test_a_form_shows_old_beside_new_and_keeps_what_cannot_be_stored(clerk: Visitor, town: Town) -> None:
    place = begun(clerk)
    page = clerk.post(
        f"{place}/edit", typed(clerk, place, name="张三丰", grad_date="昨天"), follow_redirects=True
    ).get_data(as_text=True)
    assert "原值：<del>张某某</del>" in page
    assert "“昨天”不是日期" in page
    refused = clerk.post(f"{place}/edit", typed(clerk, place) | {"then": "submit"}, follow_redirects=True)
    assert "还不能提交" in refused.get_data(as_text=True)
    with reading(town.engine) as session:
        told = session.execute(select(AUDIT.c.action, AUDIT.c.result, AUDIT.c.actor).where(AUDIT.c.result == "refused"))
        assert told.all() == [("web.filings.save", "refused", f"clerk@{COUNTY}")]
    assert "“昨天”不是日期" in refused.get_data(as_text=True)


def test_a_draft_is_kept_while_one_types_and_judged_when_asked(clerk: Visitor) -> None:
    place = begun(clerk)
    saved = clerk.post(f"{place}/autosave", typed(clerk, place, name="张三丰")).get_data(as_text=True)
    assert 'name="_revision" value="2"' in saved
    assert 'value="张三丰"' in clerk.get(f"{place}/edit").get_data(as_text=True)
    assert "保存后尚未校验" in clerk.get(place).get_data(as_text=True)
    clerk.post(f"{place}/edit", {"then": "look"})
    assert "保存后尚未校验" not in clerk.get(place).get_data(as_text=True)


def test_two_windows_on_one_draft_are_told_apart(clerk: Visitor) -> None:
    place = begun(clerk)
    old = typed(clerk, place, name="张三")
    assert clerk.post(f"{place}/edit", old).status_code == 302
    answer = clerk.post(f"{place}/edit", old | {"name": "张四"})
    assert answer.status_code == 409
    assert f"clerk@{COUNTY} 已于" in answer.get_data(as_text=True)


def test_corrections_are_offered_and_taken_over(clerk: Visitor) -> None:
    place = begun(clerk)
    clerk.post(f"{place}/edit", typed(clerk, place, entry_doc_no="甬编办[2026]3号", id_no="330282198506150013"))
    page = clerk.get(f"{place}/edit").get_data(as_text=True)
    assert "甬编办〔2026〕3号" in page
    assert "依身份证号填写" in page
    assert "330282198506150013" not in page
    taken = clerk.post(f"{place}/corrections", {"field": ["entry_doc_no", "birth_date"]}, follow_redirects=True)
    assert "已采纳 2 项自动修正" in taken.get_data(as_text=True)
    assert "自动修正：文号年份改用六角括号" in clerk.get(place).get_data(as_text=True)


def test_a_head_sends_it_back_with_a_reason_at_the_field(clerk: Visitor, head: Visitor) -> None:
    place = begun(clerk)
    clerk.post(f"{place}/edit", typed(clerk, place, name="张三丰") | {"then": "submit"})
    assert head.post(f"{place}/steps/send_back", steps_of(head, place)).status_code == 422
    back = steps_of(head, place) | {"why-name": "与身份证不符"}
    assert head.post(f"{place}/steps/send_back", back).status_code == 302
    assert "退回理由：与身份证不符" in clerk.get(f"{place}/edit").get_data(as_text=True)


def test_who_was_faster_is_named(clerk: Visitor, head: Visitor) -> None:
    place = begun(clerk)
    clerk.post(f"{place}/edit", typed(clerk, place, name="张三丰") | {"then": "submit"})
    seen = steps_of(head, place)
    clerk.post(f"{place}/steps/recall", steps_of(clerk, place))
    answer = head.post(f"{place}/steps/confirm", seen)
    assert answer.status_code == 409
    assert "取回修改" in answer.get_data(as_text=True)


def test_a_record_changed_meanwhile_is_told_and_the_draft_put_on_top(clerk: Visitor, town: Town, now: datetime) -> None:
    place = begun(clerk)
    clerk.post(f"{place}/edit", typed(clerk, place, name="张三丰"))
    with writing(town.engine) as session:
        row = {"person_code": MINE, "major": "法学"}
        records.write(session, "person", [row], by="reviewer@330282", now=now, may_write_locked=True)
    assert "reviewer@330282 于" in clerk.get(place).get_data(as_text=True)
    assert "已更新到现存版本" in clerk.post(f"{place}/rebase", follow_redirects=True).get_data(as_text=True)
    assert clerk.post(f"{place}/steps/submit", steps_of(clerk, place)).status_code == 302


def test_nobody_sees_or_touches_the_filing_of_a_unit_out_of_scope(
    clerk: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    place = begun(clerk)
    for account in (f"clerk@{NEIGHBOUR}", f"head@{FAR}", "reviewer@330203"):
        other = sign_in(account)
        for path in (place, f"{place}/print"):
            assert other.get(path).status_code == 404
        assert other.post(f"{place}/steps/withdraw").status_code == 404
        assert f'href="{place}"' not in other.get("/filings").get_data(as_text=True)
    neighbour = sign_in(f"clerk@{NEIGHBOUR}")
    assert neighbour.get(f"{place}/edit").status_code == 404
    for do in ("edit", "autosave", "corrections", "rebase"):
        assert neighbour.post(f"{place}/{do}").status_code == 404
    assert clerk.post("/filings", {"dataset": "person", "key": THEIRS}).status_code == 404
    assert clerk.post("/filings", {"dataset": "person", "unit": NEIGHBOUR}).status_code == 404


def test_only_the_units_clerk_drafts(reviewer: Visitor, head: Visitor, clerk: Visitor) -> None:
    sent = {"dataset": "person", "key": MINE}
    assert reviewer.post("/filings", sent).status_code == 403
    assert head.post("/filings", sent).status_code == 403
    assert reviewer.get("/filings/new").status_code == 403
    place = begun(clerk)
    assert reviewer.get(f"{place}/edit").status_code == 403
    assert reviewer.post(f"{place}/edit", {"name": "某"}).status_code == 403
    assert "填报变更" not in reviewer.get(f"/records/person/{MINE}").get_data(as_text=True)
    assert "填报变更" in clerk.get(f"/records/person/{MINE}").get_data(as_text=True)


def test_an_exit_a_post_and_a_new_person_begin_filled_in(clerk: Visitor) -> None:
    leaving = begun(clerk, dataset="person", key=MINE, leaving="1")
    assert typed(clerk, leaving)["estab_status"] == "3"
    assert "出编登记" in clerk.get(leaving).get_data(as_text=True)
    post = begun(clerk, dataset="position", unit=COUNTY, person=MINE)
    assert (typed(clerk, post)["person"], typed(clerk, post)["unit"]) == (MINE, COUNTY)
    entry = begun(clerk, dataset="person", unit=COUNTY)
    assert (typed(clerk, entry)["estab_status"], typed(clerk, entry)["unit"]) == ("1", COUNTY)


@pytest.mark.parametrize("dataset", ["unit", "contract", "school", "ledger", "inner_org", "hospital"])
def test_every_data_set_takes_a_filing(clerk: Visitor, dataset: str) -> None:
    sent = {"dataset": dataset, "key": COUNTY} if dataset == "unit" else {"dataset": dataset, "unit": COUNTY}
    place = begun(clerk, **sent)
    assert clerk.post(f"{place}/edit", typed(clerk, place, remark="说明")).status_code == 302
    assert "备注" in clerk.get(place).get_data(as_text=True)


def test_the_list_filters_counts_and_says_when_there_is_none(clerk: Visitor, town: Town) -> None:
    assert "没有填报" in clerk.get("/filings").get_data(as_text=True)
    place = begun(clerk)
    for query in (
        "",
        "?kind=change",
        "?state=draft",
        "?whose=mine",
        f"?unit={COUNTY}",
        f"?text={MINE}",
        "?dataset=person",
    ):
        assert f'href="{place}"' in clerk.get(f"/filings{query}").get_data(as_text=True), query
    with reading(town.engine) as session:
        name = session.get_one(Account, f"clerk@{COUNTY}").person_name
    assert f"{name}（clerk@{COUNTY}）" in clerk.get("/filings").get_data(as_text=True)
    for query in ("?kind=exit", "?state=accepted", "?late=yes", "?text=P9", "?dataset=unit"):
        assert f'href="{place}"' not in clerk.get(f"/filings{query}").get_data(as_text=True), query


def test_a_sheet_to_print_names_no_whole_id_number(clerk: Visitor) -> None:
    place = begun(clerk)
    clerk.post(f"{place}/edit", typed(clerk, place, id_no="330282198506150013"))
    sheet = clerk.get(f"{place}/print").get_data(as_text=True)
    assert "填报表" in sheet
    assert "身份证号" in sheet
    assert "330282198506150013" not in sheet


def test_nothing_is_in_the_register_before_it_is_accepted(clerk: Visitor, town: Town) -> None:
    place = begun(clerk)
    clerk.post(f"{place}/edit", typed(clerk, place, name="张三丰") | {"then": "submit"})
    with reading(town.engine) as session:
        found = find_by_key(session, "person", MINE)
        assert found is not None
        assert found.values["name"] == "张某某"


def test_a_roster_leads_the_clerk_and_nobody_else_to_a_filing(clerk: Visitor, reviewer: Visitor) -> None:
    for dataset in ("person", "ledger"):
        assert f"/filings/new?dataset={dataset}" in clerk.get(f"/roster/{dataset}").get_data(as_text=True)
        assert "/filings/new" not in reviewer.get(f"/roster/{dataset}").get_data(as_text=True)


def test_every_page_takes_at_most_twelve_statements(
    app: Flask, clerk: Visitor, head: Visitor, reviewer: Visitor
) -> None:
    place = begun(clerk)
    clerk.post(f"{place}/edit", typed(clerk, place, name="张三丰"))

    def count(visitor: Visitor, path: str) -> int:
        visitor.get(path)
        with counted(app) as statements:
            assert visitor.get(path).status_code == 200
        return len(statements)

    taken = {
        path: count(clerk, path) for path in ("/filings", "/filings/new", place, f"{place}/edit", f"{place}/print")
    }
    clerk.post(f"{place}/steps/submit", steps_of(clerk, place))
    taken["head"] = count(head, place)
    head.post(f"{place}/steps/confirm", steps_of(head, place))
    taken["reviewer"] = count(reviewer, place)
    assert max(taken.values()) <= 12, taken


def test_a_filing_says_the_shortest_way_and_marks_what_was_passed_and_what_is_refused(
    clerk: Visitor, head: Visitor
) -> None:
    place = begun(clerk)
    refused = clerk.get(place).get_data(as_text=True)
    assert "“提交确认”为什么办不了，怎样能办" in refused
    assert re.search(r"由单位经办人办理", refused.split('id="why-submit"')[1])
    assert "do-stopped" in refused
    clerk.post(f"{place}/edit", typed(clerk, place, name="张三丰") | {"then": "submit"})
    passed = head.get(place).get_data(as_text=True)
    assert "为什么办不了" not in passed
    assert "✓ 起草中" in passed


def test_what_cannot_be_submitted_yet_stays_saved_and_says_why(clerk: Visitor) -> None:
    place = begun(clerk)
    sent = typed(clerk, place, name="张三丰", birth_date="1990-02-31") | {"then": "submit"}
    assert clerk.post(f"{place}/edit", sent).headers["Location"] == place
    page = clerk.get(place).get_data(as_text=True)
    assert "草稿已保存，但还不能提交" in page
    assert "张三丰" in page
    assert "起草中" in page
