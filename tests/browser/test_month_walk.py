"""月报 as its people walk it: opened on the 25th, answered item by item, confirmed, compared, locked under a hash; what comes after needs a request (办法10(三), 办法17)."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.browser.conftest import People, case_on, keep_picture, take
from tests.browser.test_approval_walk import ENTRY
from tests.casework.approval_room import ledger_row
from tests.quality.ticket_room import at, check, finding
from tests.web.conftest import COUNTY, Town, clock_at
from workflow.access.demonstration import create_demonstration_accounts
from workflow.db import writing, ymd
from workflow.periodic.monthly import open_due_months
from workflow.registry import records
from workflow.registry.tree import rebuild

ENTERED, OPENED, CLOSED, AFTER = date(2026, 3, 4), date(2026, 3, 25), date(2026, 4, 7), date(2026, 4, 8)
CLERK, HEAD, OFFICE, LEADER = f"clerk@{COUNTY}", f"head@{COUNTY}", "reviewer@330282", "leader@330282"
ORDER = {"name": "更正依据.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4\ntrailer<<>>\n%%EOF\n"}


@pytest.fixture
def town(engine: Engine, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Town:
    """A bureau with one person who entered in March, a doubt about the record, and a ledger that was added up wrongly."""
    clock = clock_at(at(OPENED), tmp_path, monkeypatch)
    with writing(engine) as session:
        office = {"by": "reviewer@330282", "now": at(ENTERED), "may_write_locked": True, "may_create": True}
        unit = {"unit_code": COUNTY, "name": "慈溪市示例局", "district_code": "330282", "status": "1"}
        unit_id = records.write(session, "unit", [unit], **office).ids[0]
        records.write(session, "ledger", [ledger_row("L1", plus=2, unit=unit_id) | {"balance_after": 3}], **office)
        (inner,) = records.write(
            session, "inner_org", [{"inner_org_code": "N1", "name": "办公室", "unit": unit_id}], **office
        ).ids.values()
        given = {name: text for name, text in ENTRY.items() if not name.startswith("_")}
        for name in ("birth_date", "entry_date", "work_start_date"):
            given[name] = ymd(date.fromisoformat(given[name]))  # type: ignore[assignment]
        row = given | {"person_code": "P00000001", "unit": unit_id, "inner_org": inner, "estab_status": "1"}
        records.write(session, "person", [row], **office)
        create_demonstration_accounts(session, now=now)
        rebuild(session)
    check(engine, OPENED, [finding(1, unit=unit_id)])
    return Town(engine, {COUNTY: unit_id}, clock)


def answered(page: Page) -> None:
    """The clerk goes through each item: the totals are explained, the rest is so."""
    for number, choice in enumerate(page.locator("select[name^=answer-]").all()):
        choice.select_option("true" if number else "explained")
    page.locator("input[name^=text-]").first.fill("台账控编数与累计不符，已报编办核对")
    page.get_by_role("button", name="保存答复").click()
    expect(page.get_by_text("已保存答复。")).to_be_visible()


def corrected(person: People, case_id: int) -> None:
    """The office asks for the correction of one item within three working days; the unit answers, the office accepts."""
    page = person(OFFICE).go(f"/monthly/{case_id}")
    page.locator("tr", has_text="未整改问题").locator("[data-choose]").check()
    page.locator("#demand-reason").fill("请对照档案核实参加工作时间")
    page.locator("#demand-days").fill("3")
    assert not person(OFFICE).barriers()
    page.get_by_role("button", name="责令整改 1 项").click()
    panel = page.locator("section.panel", has=page.get_by_role("heading", name="比对通过", exact=True))
    expect(panel).to_contain_text("还有 1 项整改未办结")
    for account, title, typed in (
        (CLERK, "反馈整改", {"text": "档案所载无误，附档案复印件"}),
        (OFFICE, "复核通过", {}),
    ):
        page = person(account).go(f"/monthly/{case_id}")
        page.get_by_role("link", name="责令整改").click()
        expect(page.get_by_role("main")).to_contain_text("请对照档案核实参加工作时间")
        take(page, title, **typed)


def agreed(town: Town, person: People, case_id: int) -> None:
    """What the ledger was added up to disagrees: seen in the month's sums, put right by the office, and gone."""
    page = person(OFFICE).go(f"/monthly/{case_id}")
    expect(page.get_by_role("button", name="锁定", exact=True)).to_be_disabled()
    expect(page.get_by_role("main")).to_contain_text("台账 L1 控编数 3，历次增减累计 2")
    page.get_by_role("link", name="月报").first.click()
    page.get_by_role("link", name="贯通校验", exact=True).click()
    assert not person(OFFICE).barriers()
    page.get_by_role("link", name="台账 L1 控编数 3").click()
    expect(page).to_have_url(re.compile("/records/ledger/L1$"))
    with writing(town.engine) as session:
        row = {"ledger_no": "L1", "balance_after": 2}
        records.write(session, "ledger", [row], by=OFFICE, now=at(CLOSED), may_write_locked=True)
    expect(person(OFFICE).go("/monthly/consistency?month=2026-03").get_by_text("全部一致")).to_be_visible()


def changed_afterwards(person: People) -> str:
    """The clerk files a change as of the locked month; answers with the address of the filing."""
    page = person(CLERK).go("/filings/new?dataset=person&key=P00000001")
    page.get_by_role("button", name="开始填报").first.click()
    page.locator("[name=_fact_on]").fill("2026-03-31")
    page.locator("[name=native_place]").fill("慈溪")
    page.get_by_role("button", name="提交负责人确认").click()
    page.wait_for_url(re.compile(r"/filings/\d+$"))
    expect(page.get_by_role("main")).to_contain_text("在月报已锁定的 2026-03 更改实有人员 P00000001")
    return page.url.removeprefix(person(CLERK).base)


def test_a_month_is_opened_answered_confirmed_compared_locked_and_then_closed_to_changes(
    town: Town, person: People
) -> None:
    expect(person(CLERK).go("/monthly").get_by_text("没有这样的月报")).to_be_visible()
    with writing(town.engine) as session:
        assert open_due_months(session, at(OPENED, 6)) == 1
    page = person(CLERK).go("/monthly")
    page.get_by_role("link", name="慈溪市示例局").click()
    case_id = int(page.url.rsplit("/", 1)[1])
    expect(page.get_by_role("button", name="报负责人", exact=True)).to_be_disabled()
    assert not person(CLERK).barriers()
    assert person(CLERK).too_wide() <= 0
    answered(page)
    take(page, "报负责人")
    take(person(HEAD).go(f"/monthly/{case_id}"), "确认月报")
    corrected(person, case_id)
    take(person(OFFICE).go(f"/monthly/{case_id}"), "比对通过")
    expect(person(OFFICE).page.get_by_role("main")).to_contain_text("2026-03-31 之后方可锁定")

    person.move(at(CLOSED))
    agreed(town, person, case_id)
    page = person(OFFICE).go(f"/monthly/{case_id}")
    take(page, "锁定")
    snapshot = page.get_by_role("region", name="锁定快照")
    expect(snapshot).to_contain_text("校验一致")
    expect(snapshot).to_contain_text(re.compile("[0-9a-f]{64}"))
    assert not person(OFFICE).barriers()
    assert person(OFFICE).too_wide() <= 0
    keep_picture(page, "monthly")

    person.move(at(AFTER))
    filing = changed_afterwards(person)
    page = person(HEAD).go(filing)
    expect(page.get_by_role("button", name="确认并入库", exact=True)).to_be_disabled()
    expect(page.get_by_role("main")).to_contain_text("属于重要数据调整，须先请示批准")
    page = person(CLERK).go(filing)
    page.get_by_role("link", name="去请示").click()
    assert not person(CLERK).barriers()
    page.locator("[name=why]").fill("漏填籍贯，依据档案补录")
    page.locator("[name=papers]").set_input_files(ORDER)
    page.get_by_role("button", name="提交请示").click()
    request = case_on(page)
    expect(person(HEAD).go(filing).get_by_role("button", name="确认并入库", exact=True)).to_be_disabled()
    take(person(OFFICE).go(f"/cases/{request}"), "审核同意")
    take(person(LEADER).go(f"/cases/{request}"), "批准")
    person(HEAD).go(filing).get_by_role("button", name="确认并入库", exact=True).click()
    expect(person(HEAD).page.get_by_text("已确认并入库。")).to_be_visible()
    expect(person(CLERK).go("/records/person/P00000001").get_by_role("main")).to_contain_text("慈溪")
    expect(person(LEADER).go(f"/cases/{request}").get_by_role("main")).to_contain_text("结果报告")
    expect(person(OFFICE).go(f"/monthly/{case_id}").get_by_role("main")).to_contain_text("锁定后变动 1 条")
