"""半年交叉检查 as its people walk it: paired, checked record by record, told by a numbered letter, answered late, closed and published (办法10(四))."""

from __future__ import annotations

import io
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from playwright.sync_api import Page, expect
from pypdf import PdfReader
from sqlalchemy import Engine, select

from tests.browser.conftest import People, case_on, keep_picture, take
from tests.quality.ticket_room import at, midnight
from tests.web.conftest import COUNTY, NEIGHBOUR, Town, clock_at
from workflow.access.demonstration import create_demonstration_accounts
from workflow.db import reading, writing
from workflow.periodic.models import PAIR
from workflow.registry import records
from workflow.registry.dictionary import dictionary
from workflow.registry.tree import rebuild

BEGUN, DUE, LATE = date(2026, 3, 2), date(2026, 3, 23), date(2026, 3, 24)  # fifteen working days for a reply
THIRD = "330282103"
NAMES = {COUNTY: "慈溪市示例一局", NEIGHBOUR: "慈溪市示例二局", THIRD: "慈溪市示例三局"}
PEOPLE = 12
OFFICE, LEADER = "reviewer@330282", "leader@330282"


@pytest.fixture
def town(engine: Engine, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Three bureaus of a county, each with twelve people in post and one leader; the city's own pool is empty."""
    clock = clock_at(at(BEGUN), tmp_path, monkeypatch)
    codes = dictionary().codes
    in_post, current = codes["estab_status"].by_label["在编"].code, codes["position_status"].by_label["现任"].code
    with writing(engine) as session:
        office: dict[str, Any] = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        units = [{"unit_code": code, "name": name, "district_code": "330282"} for code, name in NAMES.items()]
        ids = dict(zip(NAMES, records.write(session, "unit", units, **office).ids.values(), strict=True))
        people = [
            {"name": "李某某", "unit": id_, "person_code": f"P{i}{n:07d}", "estab_status": in_post}
            for i, id_ in enumerate(ids.values(), 1) for n in range(PEOPLE)
        ]  # fmt: skip
        made = records.write(session, "person", people, **office).ids
        posts = [
            {"position_code": f"Z{i}", "person": made[i * PEOPLE], "unit": id_, "name": "局长", "is_leader": True, "status": current}
            for i, id_ in enumerate(ids.values())
        ]  # fmt: skip
        records.write(session, "position", posts, **office)
        create_demonstration_accounts(session, now=now)
        rebuild(session)
    return Town(engine, ids, clock)


def pairs(town: Town) -> list[Any]:
    """The pairs as they were drawn."""
    with reading(town.engine) as session:
        return list(session.execute(select(PAIR).order_by(PAIR.c.id)))


def begun(person: People) -> int:
    """The city's office draws the pairs of the half-year, its leader confirms them; answers with the round."""
    office = person("reviewer")
    page = office.go("/matters/cross_check/new")
    page.locator("[name=year]").fill("2026")
    page.locator("[name=half]").select_option("1")
    page.locator("[name=focus]").fill("领导职数和在编状态")
    page.get_by_role("button", name="保存", exact=True).click()
    case_id = case_on(page)
    take(page, "生成配对")
    page.get_by_role("link", name="查看配对、进度和函告").click()
    expect(page.get_by_role("region", name="配对").locator("tbody tr")).to_have_count(len(NAMES))
    assert not office.barriers()
    take(person("leader").go(f"/cases/{case_id}"), "确认配对并开始")
    return case_id


def checked(person: People, code: str, case_id: int, *, finds: bool) -> None:
    """The checking unit judges each sampled record, its head confirms."""
    clerk = person(f"clerk@{code}")
    page = clerk.go(f"/checks/{case_id}")
    expect(page.get_by_role("button", name="提交检查结果", exact=True)).to_be_disabled()
    assert not clerk.barriers()
    assert clerk.too_wide() <= 0
    results = page.locator("select[name^=result-]")
    expect(results).to_have_count(2)  # one of twelve people, and the leader's post
    for number, result in enumerate(results.all()):
        result.select_option("wrong" if finds and number == 0 else "right")
    if finds:
        page.locator("input[name^=problem-]").first.fill("任免文件为副科长，登记为科员")
    page.get_by_role("button", name="保存核对结果").click()
    take(page, "提交检查结果")
    take(person(f"head@{code}").go(f"/checks/{case_id}"), "确认")


def downloaded(page: Page, name: str) -> bytes:
    """The file behind a link."""
    with page.expect_download() as download:
        page.get_by_role("link", name=name, exact=True).click()
    return Path(download.value.path()).read_bytes()


def on_paper(page: Page) -> tuple[str, str]:
    """What the Word document and the PDF behind the page's links say, without white space."""
    word = "".join(paragraph.text for paragraph in Document(io.BytesIO(downloaded(page, "下载 Word"))).paragraphs)
    sheets = PdfReader(io.BytesIO(downloaded(page, "下载 PDF"))).pages
    return word, re.sub(r"\s", "", "".join(sheet.extract_text() for sheet in sheets))


def signed(person: People, round_id: int, unit: str) -> int:
    """The county's office hands the one letter of the round to its leader, who signs it; answers with the letter."""
    page = person(OFFICE).go("/matters/letter")
    page.get_by_role("link", name=f"关于2026年上半年交叉检查发现问题的函（{unit}）").click()
    letter = case_on(page)
    take(page, "送签")
    expect(page.get_by_role("button", name="签发", exact=True)).to_have_count(0)
    page = person(LEADER).go(f"/cases/{letter}")
    take(page, "签发")
    assert not person(LEADER).barriers()
    for text in on_paper(page):
        for told in ("慈编办函〔2026〕1号", f"{unit}：", "任免文件为副科长，登记为科员", "2026年3月2日"):
            assert told in text
    return letter


def test_a_half_year_is_checked_told_by_letter_answered_late_and_published(town: Town, person: People) -> None:
    round_id = begun(person)
    codes = {id_: code for code, id_ in town.units.items()}
    first, second, third = pairs(town)
    for pair in (first, second, third):
        checked(person, codes[pair.checker_id], pair.case_id, finds=pair is not third)
        page = person(OFFICE).go(f"/checks/{pair.case_id}")
        if pair is second:
            page.get_by_role("button", name="不采纳").click()
            expect(page.get_by_text("未采纳")).to_be_visible()
        take(page, "核定")
    take(person("reviewer").go(f"/cases/{round_id}"), "汇总发函")
    told = codes[first.checked_id]
    letter = signed(person, round_id, NAMES[told])

    midnight(town.engine, DUE)
    person.move(at(DUE))
    assert "逾期" not in person("reviewer").go(f"/checks/rounds/{round_id}").get_by_role("main").inner_text()
    midnight(town.engine, LATE)
    person.move(at(LATE))
    office = person("reviewer")
    page = office.go(f"/checks/rounds/{round_id}")
    expect(page.get_by_role("region", name="函告").locator("tr.edge-red")).to_contain_text("逾期未回函")
    assert not office.barriers()
    assert office.too_wide() <= 0
    keep_picture(page, "crosscheck")
    expect(
        person("leader").go(f"/cases/{round_id}").get_by_role("button", name="通报办结", exact=True)
    ).to_be_disabled()
    head = person(f"head@{told}")
    head.go("/").get_by_role("link", name=re.compile("发现问题的函")).click()
    expect(head.page.get_by_role("main")).to_contain_text("逾期未回函")
    assert not head.barriers()
    assert head.too_wide() <= 0
    take(head.page, "回函", answer="已按任免文件更正，并核对了全部人员")
    take(person(OFFICE).go(f"/cases/{letter}"), "核实办结")
    take(person("leader").go(f"/cases/{round_id}"), "通报办结")

    page = person("leader").go("/matters/cross_check")
    page.get_by_role("link", name="年度通报").click()
    expect(page.get_by_role("region", name="函告整改").locator("tbody tr")).to_contain_text(f"{LATE} 逾期")
    assert not person("leader").barriers()
    for text in on_paper(page):
        for said in ("配对3对，抽样6条，发现问题1个，不符率16.7%；发函1份，已办结1份", NAMES[told], f"{LATE}回函"):
            assert said in text
