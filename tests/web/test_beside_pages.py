"""Beside the steps of any case: comments with names in them, files, urging once a day, copies with receipts, the way out, the drawing."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.casework.matter_room import wish_book
from tests.web.conftest import COUNTY, FAR, SCHOOL, Town, Visitor, counted
from workflow.db import reading
from workflow.engine.models import Outbox
from workflow.engine.registry import using

GOOD = {"unit": COUNTY, "kind": "one", "why": "人手不足"}
PDF = b"%PDF-1.7 paper"


@pytest.fixture(autouse=True)
def wishes() -> Iterator[None]:
    with using(wish_book()):
        yield


@pytest.fixture
def case(clerk: Visitor) -> str:
    """The address of a wish that waits for the reviewer."""
    where = clerk.post("/matters/wish", GOOD).location
    assert clerk.post(f"{where}/steps/submit", {"version": "1"}).status_code == 302
    return where


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def told(town: Town, kind: str) -> list[dict[str, Any]]:
    with reading(town.engine) as session:
        rows = session.scalars(select(Outbox.payload).where(Outbox.topic == "notice").order_by(Outbox.id)).all()
    return [item for row in rows for item in row.get("items", [row]) if item["kind"] == kind]


def test_a_comment_tells_whom_it_names(town: Town, case: str, clerk: Visitor, reviewer: Visitor) -> None:
    said = clerk.post(f"{case}/comments", {"text": "请看附件 @reviewer@330282，谢谢"})
    assert said.status_code == 302
    assert [item["account"] for item in told(town, "case.mention")] == ["reviewer@330282"]
    assert "请看附件" in text(reviewer, f"{case}/beside")


def test_who_may_not_read_the_case_is_not_told_of_it(town: Town, case: str, clerk: Visitor) -> None:
    for words in (f"@clerk@{FAR} 看", "@nobody@999999 看", "@security 看", " ", "长" * 2001):
        assert clerk.post(f"{case}/comments", {"text": words}).status_code == 400, words
    assert told(town, "case.mention") == []


def test_a_file_is_known_by_its_digest_and_kept_once(case: str, clerk: Visitor, reviewer: Visitor) -> None:
    for _ in range(2):
        sent = {"files": (io.BytesIO(PDF), "依据.pdf")}
        assert clerk.post(f"{case}/attachments", sent).status_code == 302
    shown = text(reviewer, f"{case}/beside")
    assert shown.count("依据.pdf") == 1
    with reviewer.get(f"{case}/attachments/1") as answer:
        assert answer.data == PDF
    assert clerk.post(f"{case}/attachments", {"files": (io.BytesIO(b"MZ"), "x.pdf")}).status_code == 400
    assert clerk.post(f"{case}/attachments", {}).status_code == 400


def test_whose_turn_it_is_is_urged_once_a_day(town: Town, case: str, clerk: Visitor, reviewer: Visitor) -> None:
    assert clerk.post(f"{case}/urge").status_code == 302
    second = reviewer.post(f"{case}/urge")
    assert (second.status_code, "今天已催办过" in second.get_data(as_text=True)) == (409, True)
    (item,) = told(town, "case.urge")
    assert (item["role"], item["district"]) == ("reviewer", "330282")
    reviewer.post(f"{case}/steps/grant", {"version": "2", "places": "1"})
    assert clerk.post(f"{case}/urge").status_code == 409


def test_a_copy_is_signed_for_by_whom_it_went_to(town: Town, case: str, clerk: Visitor, leader: Visitor) -> None:
    assert clerk.post(f"{case}/copies", {"to": "leader@330282"}).status_code == 302
    assert clerk.post(f"{case}/copies", {"to": "leader@330282"}).status_code == 409
    assert clerk.post(f"{case}/copies", {"to": COUNTY}).status_code == 302
    for other in (SCHOOL, FAR, f"clerk@{FAR}", "nobody"):
        assert clerk.post(f"{case}/copies", {"to": other}).status_code == 400
    assert [item.get("account") or item["role"] for item in told(town, "case.copy")] == [
        "leader@330282", "unit_head", "unit_clerk",
    ]  # fmt: skip
    assert "未签收" in text(clerk, f"{case}/beside")
    assert clerk.post(f"{case}/copies/1/sign").status_code == 404
    assert leader.post(f"{case}/copies/1/sign").status_code == 302
    assert leader.post(f"{case}/copies/1/sign").status_code == 404
    mine = re.search(r"/copies/(\d+)/sign", text(clerk, f"{case}/beside"))  # a refused copy may have used up a number
    assert mine
    assert clerk.post(f"{case}/copies/{mine[1]}/sign").status_code == 302
    assert "leader@330282" in text(clerk, f"{case}/beside")
    assert "未签收" not in text(clerk, f"{case}/beside")


def test_a_stranger_reaches_none_of_it(case: str, clerk: Visitor, sign_in: Callable[[str], Visitor]) -> None:
    clerk.post(f"{case}/attachments", {"files": (io.BytesIO(PDF), "依据.pdf")})
    other = sign_in(f"clerk@{FAR}")
    assert other.get(f"{case}/beside").status_code == 404
    assert other.get(f"{case}/attachments/1").status_code == 404
    for path, sent in (("comments", {"text": "x"}), ("urge", {}), ("copies", {"to": COUNTY})):
        assert other.post(f"{case}/{path}", sent).status_code == 404


def test_the_page_says_why_not_and_how_and_where_the_case_has_been(clerk: Visitor, reviewer: Visitor) -> None:
    where = clerk.post("/matters/wish", GOOD | {"why": ""}).location
    page = text(clerk, where)
    assert "“提交”为什么办不了，怎样能办" in page
    assert "还须填写：事由" in page
    assert "⊘ 提交" in page
    clerk.post(f"{where}/steps/edit", GOOD | {"version": "1"})
    clerk.post(f"{where}/steps/submit", {"version": "2"})
    page = text(reviewer, where)
    assert ("✓ 起草中" in page, "● 待审核" in page) == (True, True)
    assert "data-print" in page
    assert f'hx-get="{where}/beside"' in page


def test_every_kind_of_case_page_has_the_piece(town: Town, clerk: Visitor) -> None:
    ticket = town.tickets(COUNTY)[0]
    assert f'hx-get="/cases/{ticket.case_id}/beside"' in text(clerk, f"/tickets/{ticket.id}")


def test_the_piece_keeps_to_its_statements(app: Flask, case: str, clerk: Visitor) -> None:
    with counted(app) as statements:
        text(clerk, f"{case}/beside")
    assert len(statements) <= 12, statements
