"""半年交叉检查 on the web: paired, begun, checked record by record, confirmed, struck or upheld, and told by letter to the units (办法10(四))."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from docx import Document
from pypdf import PdfReader
from sqlalchemy import select

from tests.web.conftest import CITY, COUNTY, FAR, NEIGHBOUR, SCHOOL, Town, Visitor
from workflow.db import reading, writing
from workflow.engine.models import CASE
from workflow.periodic.models import PAIR, SAMPLE
from workflow.registry import records
from workflow.registry.dictionary import dictionary

THIRD = "330282103"


@pytest.fixture
def county(town: Town, now: datetime) -> Town:
    """A third department in the county, and people in post in each."""
    in_post = dictionary().codes["estab_status"].by_label["在编"].code
    office: dict[str, Any] = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
    with writing(town.engine) as session:
        records.write(
            session, "unit", [{"unit_code": THIRD, "name": "示例单位三", "district_code": "330282"}], **office
        )
        from tests.casework.test_transfer import unit_ids
        from workflow.access.demonstration import create_demonstration_accounts

        ids = unit_ids(session)
        people = [
            {"name": "李某某", "unit": ids[code], "person_code": f"P2{i}{n:06d}", "estab_status": in_post}
            for i, code in enumerate((COUNTY, NEIGHBOUR, THIRD))
            for n in range(12)
        ]
        records.write(session, "person", people, **office)
        create_demonstration_accounts(session, now=now)
    return town


def take(visitor: Visitor, case: int, do: str, version: int, **more: str) -> int:
    return visitor.post(f"/cases/{case}/steps/{do}", {"version": str(version), **more}).status_code


@pytest.fixture
def begun(county: Town, sign_in: Callable[[str], Visitor]) -> int:
    office, leader = sign_in("reviewer"), sign_in("leader")
    form = {"year": "2026", "half": "1", "focus": "领导职数和在编状态"}
    case = int(office.post("/matters/cross_check", form).location.rsplit("/", 1)[1])
    assert take(office, case, "pair", 1) == 302
    assert "未配对" in office.get(f"/checks/rounds/{case}").get_data(as_text=True)
    assert take(leader, case, "begin", 2) == 302
    return case


def pairs(town: Town) -> list[Any]:
    with reading(town.engine) as session:
        return list(session.execute(select(PAIR).order_by(PAIR.c.id)))


def code_of(town: Town, unit_id: int) -> str:
    with reading(town.engine) as session:
        from workflow.registry.tables import TABLES

        unit = TABLES["unit"].c
        return str(session.scalar(select(unit.unit_code).where(unit.id == unit_id)))


def samples(town: Town, case_id: int) -> list[int]:
    with reading(town.engine) as session:
        return list(session.scalars(select(SAMPLE.c.id).where(SAMPLE.c.case_id == case_id)))


def test_the_county_is_paired_in_a_circle_and_small_pools_are_told(county: Town, begun: int) -> None:
    made = pairs(county)
    assert {code_of(county, p.checker_id) for p in made} == {COUNTY, NEIGHBOUR, THIRD}
    assert {p.pool for p in made} == {"330282"}
    assert all(len(samples(county, p.case_id)) == 1 for p in made)  # 5 % of 12 or 13, rounded up


def test_the_checker_sees_exactly_the_sample_and_only_while_it_is_open(
    county: Town, begun: int, sign_in: Callable[[str], Visitor]
) -> None:
    pair = pairs(county)[0]
    checker, checked = code_of(county, pair.checker_id), code_of(county, pair.checked_id)
    clerk = sign_in(f"clerk@{checker}")
    page = clerk.get(f"/checks/{pair.case_id}").get_data(as_text=True)
    shown = set(re.findall(r"P[0-9]{8}", page))
    assert len(shown) == 1
    key = shown.pop()
    if checked != SCHOOL:
        assert clerk.get(f"/records/person/{key}").status_code == 404
    for other in (CITY, FAR):
        assert sign_in(f"clerk@{other}").get(f"/checks/{pair.case_id}").status_code == 404


def test_the_enlarged_drawing_bears_the_marks_of_the_cases_page(
    county: Town, begun: int, sign_in: Callable[[str], Visitor]
) -> None:
    office = sign_in("reviewer")
    drawn = [
        re.search(r'<svg class="process".*?</svg>', office.get(path).get_data(as_text=True), re.DOTALL)
        for path in (f"/cases/{begun}", f"/processes/cross_check?case={begun}", "/processes/cross_check")
    ]
    here, enlarged, plain = (found.group() if found else "" for found in drawn)
    assert here == enlarged
    for mark in ("✓ 起草中", "✓ 配对待确认", "● 检查中"):
        assert mark in enlarged
        assert mark not in plain


def test_a_finding_goes_from_the_checker_to_a_letter(
    county: Town, begun: int, sign_in: Callable[[str], Visitor]
) -> None:
    reviewer = sign_in("reviewer@330282")
    for number, pair in enumerate(pairs(county)):
        code, (sample,) = code_of(county, pair.checker_id), samples(county, pair.case_id)
        clerk = sign_in(f"clerk@{code}")
        assert take(clerk, pair.case_id, "submit", 1) == 422
        save = f"/checks/{pair.case_id}/samples"
        assert clerk.post(save, {f"result-{sample}": "wrong"}).status_code == 400
        found = {"result": "wrong", "problem": "任免文件为副科长"} if number < 2 else {"result": "right", "problem": ""}
        given = {f"{name}-{sample}": text for name, text in found.items()}
        assert reviewer.post(save, given).status_code == 403
        assert clerk.post(save, given).status_code == 302
        assert take(clerk, pair.case_id, "submit", 1) == 302
        assert clerk.post(save, given).status_code == 403
        assert take(sign_in(f"head@{code}"), pair.case_id, "confirm", 2) == 302
        if number == 1:
            assert reviewer.post(f"{save}/{sample}/strike").status_code == 302
        assert take(reviewer, pair.case_id, "accept", 3) == 302
    office = sign_in("reviewer")
    assert take(office, begun, "letter", 3) == 302
    with reading(county.engine) as session:
        letters = session.execute(select(CASE).where(CASE.c.process == "letter")).all()
    assert [letter.unit_id for letter in letters] == [pairs(county)[0].checked_id]
    page = office.get(f"/checks/rounds/{begun}").get_data(as_text=True)
    assert "未签发" in page
    assert take(sign_in("leader"), begun, "close", 4) == 422
    assert "2026年上半年交叉检查" in office.get("/checks/bulletin?year=2026").get_data(as_text=True)
    assert reviewer.get("/checks/bulletin").status_code == 404


def test_who_sent_a_check_back_confirms_and_accepts_it_when_it_comes_again(
    county: Town, begun: int, sign_in: Callable[[str], Visitor]
) -> None:
    pair = pairs(county)[0]
    code, (sample,) = code_of(county, pair.checker_id), samples(county, pair.case_id)
    clerk, head, reviewer = (sign_in(name) for name in (f"clerk@{code}", f"head@{code}", "reviewer@330282"))
    assert clerk.post(f"/checks/{pair.case_id}/samples", {f"result-{sample}": "right"}).status_code == 302
    assert take(clerk, pair.case_id, "submit", 1) == 302
    assert take(head, pair.case_id, "send_back", 2, reason="再核对档案") == 302
    assert take(clerk, pair.case_id, "submit", 3) == 302
    assert take(head, pair.case_id, "confirm", 4) == 302
    assert take(reviewer, pair.case_id, "send_back", 5, reason="补充说明") == 302
    assert take(clerk, pair.case_id, "submit", 6) == 302
    assert take(head, pair.case_id, "confirm", 7) == 302
    assert take(reviewer, pair.case_id, "accept", 8) == 302


def test_the_bulletin_is_on_paper_for_the_citys_office_alone(
    begun: int, sign_in: Callable[[str], Visitor], reviewer: Visitor
) -> None:
    office = sign_in("reviewer")
    with office.get("/checks/bulletin.docx?year=2026") as sent:
        word = "".join(paragraph.text for paragraph in Document(io.BytesIO(sent.data)).paragraphs)
    with office.get("/checks/bulletin.pdf?year=2026") as sent:
        printed = "".join(page.extract_text() for page in PdfReader(io.BytesIO(sent.data)).pages)
    for text in (word, re.sub(r"\s", "", printed)):
        for told in ("关于2026年实名制数据交叉检查情况的通报", "讨论稿", "配对3对，抽样3条，问题尚未汇总"):
            assert told in text
    assert office.get("/checks/bulletin.docx?year=2025").status_code == 404
    assert office.get("/checks/bulletin.odt?year=2026").status_code == 404
    assert reviewer.get("/checks/bulletin.pdf?year=2026").status_code == 404


def test_county_checks_county_and_the_citys_own_departments_stay_out(
    county: Town, now: datetime, sign_in: Callable[[str], Visitor]
) -> None:
    with writing(county.engine) as session:
        office: dict[str, Any] = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        unit = {"unit_code": "330281101", "name": "余姚市示例局", "district_code": "330281"}
        id_ = records.write(session, "unit", [unit], **office).ids[0]
        records.write(session, "person", [{"name": "李某某", "unit": id_, "person_code": "P30000001"}], **office)
    office_, leader = sign_in("reviewer"), sign_in("leader")
    form = {"year": "2026", "half": "1", "focus": "在编状态", "among": "counties"}
    case = int(office_.post("/matters/cross_check", form).location.rsplit("/", 1)[1])
    assert take(office_, case, "pair", 1) == 302
    assert "2026年上半年交叉检查（区县之间）" in office_.get(f"/checks/rounds/{case}").get_data(as_text=True)
    made = [(code_of(county, p.checker_id), code_of(county, p.checked_id)) for p in pairs(county)]
    assert {checked for _, checked in made} == {COUNTY, NEIGHBOUR, THIRD, FAR, "330281101"}
    ways = {(checker[:6], checked[:6]) for checker, checked in made}
    assert len(ways) == 3
    assert all(one != other and (other, one) not in ways for one, other in ways)
    assert take(leader, case, "begin", 2) == 302
    checker = made[0][0]
    page = sign_in(f"clerk@{checker}" if checker != "330281101" else "reviewer").get(
        f"/checks/{pairs(county)[0].case_id}"
    )
    assert page.status_code == 200
