"""A process with a form needs no page of its own: opened, listed, edited, decided and read through the pages and the API of every process."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from tests.casework.matter_room import wish_book
from tests.web.conftest import COUNTY, FAR, Town, Visitor, counted
from workflow.casework.letters import open_letter
from workflow.db import writing
from workflow.engine.registry import using

GOOD = {"unit": COUNTY, "kind": "many", "count": "3", "why": "人手不足"}
PDF = b"%PDF-1.7 paper"


@pytest.fixture(autouse=True)
def wishes() -> Iterator[None]:
    with using(wish_book()):
        yield


def begin(visitor: Visitor, **more: Any) -> str:
    answer = visitor.post("/matters/wish", GOOD | more)
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return answer.location


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_the_form_opens_a_case_whose_page_shows_it(clerk: Visitor) -> None:
    where = begin(clerk, papers=(io.BytesIO(PDF), "批文.pdf"))
    shown = text(clerk, where)
    assert "人手不足" in shown
    assert "批文.pdf" in shown
    with clerk.get(f"{where}/form/papers/1") as sent:
        assert sent.data == PDF
    assert clerk.get(f"{where}/form/papers/2").status_code == 404
    assert "心愿：示例单位" in text(clerk, "/matters/wish?whose=mine")


def test_a_fault_stands_at_its_field_and_nothing_typed_is_lost(clerk: Visitor) -> None:
    answer = clerk.post("/matters/wish", GOOD | {"count": "77", "unit": FAR})
    page = answer.get_data(as_text=True)
    assert (answer.status_code, "不在您的管理范围内" in page, "人手不足" in page) == (400, True, True)
    answer = clerk.post("/matters/wish", GOOD | {"count": "77"})
    assert "应在 2 至 9 之间" in answer.get_data(as_text=True)
    assert "没有这样的事项" in text(clerk, "/matters/wish")


def test_it_is_edited_sent_and_granted_through_the_case_page(clerk: Visitor, reviewer: Visitor) -> None:
    where = begin(clerk, why="")
    assert clerk.post(f"{where}/steps/submit", {"version": "1"}).status_code == 422
    assert clerk.post(f"{where}/steps/edit", GOOD | {"version": "1"}).status_code == 302
    assert clerk.post(f"{where}/steps/submit", {"version": "2"}).status_code == 302
    assert "同意数量" in text(reviewer, where)
    assert reviewer.post(f"{where}/steps/grant", {"version": "3"}).status_code == 422
    assert reviewer.post(f"{where}/steps/grant", {"version": "3", "places": "2"}).status_code == 302
    assert "已同意" in text(clerk, where)


def test_who_may_not_open_sees_no_form(reviewer: Visitor) -> None:
    assert reviewer.get("/matters/wish/new").status_code == 404
    assert reviewer.post("/matters/wish", GOOD).status_code == 404
    assert "新建" not in text(reviewer, "/matters/wish")


def test_a_neighbour_sees_nothing_of_it(clerk: Visitor, sign_in: Callable[[str], Visitor]) -> None:
    where = begin(clerk)
    other = sign_in(f"clerk@{FAR}")
    assert other.get(where).status_code == 404
    assert "没有这样的事项" in text(other, "/matters/wish")


def test_list_and_case_page_keep_to_their_statements(app: Flask, clerk: Visitor) -> None:
    where = begin(clerk)
    for path in ("/matters/wish", where):
        with counted(app) as statements:
            text(clerk, path)
        assert len(statements) <= 12, (path, statements)


def test_the_api_opens_it_with_values(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    account = {"account": f"clerk@{COUNTY}", "password": "sandeng-demo"}
    token = client.post("/api/v1/session", json=account).json["token"]
    values = {name: value for name, value in GOOD.items() if name != "unit"}

    def ask(unit: str, **more: str) -> Any:
        body = {"unit": unit, "values": values | more}
        return client.post("/api/v1/cases/wish", json=body, headers={"Authorization": f"Bearer {token}"})

    answer = ask(COUNTY)
    assert (answer.status_code, answer.json["data"]["form"]["count"]) == (201, 3)
    assert [ask(COUNTY, papers="x").status_code, ask(COUNTY, count="x").status_code] == [400] * 2
    assert [ask(FAR).status_code, ask("999999999").status_code] == [404] * 2


def test_what_a_step_may_take_is_asked_for_and_kept(town: Town, now: Any, sign_in: Callable[[str], Visitor]) -> None:
    with writing(town.engine) as session:
        found = [{"record": "P00000001", "label": "实有人员", "says": "性别不符"}]
        case = open_letter(session, town.units[COUNTY], found, round_case=None, about="交叉检查", now=now)
    where = f"/cases/{case}"
    assert sign_in("reviewer@330282").post(f"{where}/steps/submit", {"version": "1"}).status_code == 302
    assert sign_in("leader@330282").post(f"{where}/steps/issue", {"version": "2"}).status_code == 302
    head = sign_in(f"head@{COUNTY}")
    assert "回函附件" in text(head, where)
    given = {"version": "3", "answer": "已更正", "papers": (io.BytesIO(PDF), "任免文件.pdf")}
    assert head.post(f"{where}/steps/reply", given).status_code == 302
    assert "任免文件.pdf" in text(head, where)
    with head.get(f"{where}/evidence/1") as sent:
        assert sent.data == PDF
    for form in ("docx", "pdf"):
        with head.get(f"/letters/{case}.{form}") as paper:
            assert paper.status_code == 200
    assert sign_in(f"clerk@{FAR}").get(f"/letters/{case}.pdf").status_code == 404
