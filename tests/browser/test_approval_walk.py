"""用编 from application to entry, as its people walk it: blocked by a red light, cleared, audited, approved, entered on the notice, booked in the ledger."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, select

from tests.browser.conftest import People, apply_for_one, keep_picture, take
from tests.casework.approval_room import QUOTA, RECRUITED, ledger_row
from tests.quality.ticket_room import at, check, finding, midnight
from tests.web.conftest import COUNTY, Town, clock_at
from workflow.access.demonstration import create_demonstration_accounts
from workflow.access.scopes import actor_named
from workflow.casework.filing_drafting import Opening, open_filing, save_draft
from workflow.db import reading, writing
from workflow.engine.models import CASE
from workflow.registry import records
from workflow.registry.models import COUNTER, NOTICE
from workflow.registry.tree import rebuild

FOUND, TODAY = date(2026, 3, 2), date(2026, 3, 5)  # red in Cixi after two working days
ENTRY = {
    "name": "李明", "id_no": "330282198506150013", "sex": "1", "ethnic": "01", "quota_type": QUOTA, "entry_way": RECRUITED,
    "birth_date": "1985-06-15", "entry_doc_no": "慈人社〔2026〕3号", "entry_date": "2026-03-04", "inner_org": "N1",
    "work_start_date": "2008-08-01", "post_category": "2", "onpost_status": "01", "position_name": "科员",
    "_doc_no": "慈人社〔2026〕3号", "_doc_on": "2026-03-04",
}  # fmt: skip


@pytest.fixture
def town(engine: Engine, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Town:
    """One bureau with two heads approved and one problem that has turned red, on Thursday 5 March 2026 at nine."""
    clock = clock_at(at(TODAY), tmp_path, monkeypatch)
    with writing(engine) as session:
        office = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        unit = {"unit_code": COUNTY, "name": "慈溪市示例局", "district_code": "330282"}
        unit_id = records.write(session, "unit", [unit], **office).ids[0]
        records.write(session, "ledger", [ledger_row("L1", plus=2, unit=unit_id)], **office)
        records.write(session, "inner_org", [{"inner_org_code": "N1", "name": "办公室", "unit": unit_id}], **office)
        records.write(session, "person", [{"name": "张某某", "unit": unit_id, "person_code": "P00000001"}], **office)
        create_demonstration_accounts(session, now=now)
        rebuild(session)
    check(engine, FOUND, [finding(1, unit=unit_id)])
    midnight(engine, TODAY)
    return Town(engine, {COUNTY: unit_id}, clock)


def filed(person: People, filing: int) -> None:
    """A filing through clerk, head and office on its page."""
    for account, title in (
        (f"clerk@{COUNTY}", "提交确认"),
        (f"head@{COUNTY}", "确认并报审"),
        ("reviewer@330282", "审核通过入库"),
    ):
        page = person(account).go(f"/filings/{filing}")
        page.get_by_role("button", name=title, exact=True).first.click()
        expect(page.get_by_text(f"已{title}。")).to_be_visible()


def entry_drafted(town: Town, number: str) -> int:
    """The clerk's draft of the entry, on the notice."""
    with writing(town.engine) as session:
        clerk = actor_named(session, f"clerk@{COUNTY}", at(TODAY))
        case_id = open_filing(
            session, Opening("person", town.units[COUNTY], fact_on=date(2026, 3, 4)), actor=clerk, now=at(TODAY)
        )
        filing = save_draft(session, case_id, ENTRY | {"notice_no": number}, actor=clerk, now=at(TODAY))
        assert [f["says"] for f in filing.findings if f["blocks"]] == []
    return case_id


def test_an_application_from_the_red_light_to_the_ledger(town: Town, person: People) -> None:
    clerk, head = f"clerk@{COUNTY}", f"head@{COUNTY}"
    page = person(clerk).go("/matters/approval/new")
    expect(page.get_by_role("heading", name="编制余额")).to_be_visible()
    assert not person(clerk).barriers()
    case_id = apply_for_one(page)
    expect(page.get_by_role("button", name="报负责人确认", exact=True)).to_be_disabled()
    expect(page.get_by_role("heading", name="“报负责人确认”为什么办不了，怎样能办")).to_be_visible()
    page.get_by_text("见上方“怎样能办”").click()
    expect(page.get_by_text("亮红灯的问题 1 项").first).to_be_visible()
    assert not person(clerk).barriers()
    keep_picture(page, "approval")
    check(town.engine, TODAY, [], hour=9)  # the re-check finds it put right
    take(person(clerk).go(f"/cases/{case_id}"), "报负责人确认")
    take(person(head).go(f"/cases/{case_id}"), "确认并申报")
    office = person("reviewer@330282")
    take(office.go(f"/cases/{case_id}"), "受理")
    expect(office.page.get_by_text("周审核为“待审核”").first).to_be_visible()
    office.page.get_by_role("link", name=re.compile(f"{COUNTY}:2026-W10")).click()
    take(office.page, "审核通过")
    for title, typed in (("周审核通过转处室", {}), ("处室审核同意", {}), ("室务会通过", {"meeting_on": "2026-03-05"})):
        take(office.go(f"/cases/{case_id}"), title, **typed)
    take(person("leader@330282").go(f"/cases/{case_id}"), "核准并签发通知单")
    with reading(town.engine) as session:
        number = session.scalar(select(NOTICE.c.number).where(NOTICE.c.case_id == case_id))
        ledger = session.scalars(select(CASE.c.data).where(CASE.c.id == case_id)).one()["ledger_filing"]
    assert number == "慈编办核〔2026〕1号"
    expect(person(clerk).go(f"/approvals/{case_id}/notice").get_by_text(number).first).to_be_visible()
    assert not person(clerk).barriers()
    filed(person, ledger)
    filed(person, entry_drafted(town, number))
    with reading(town.engine) as session:
        row = session.execute(select(COUNTER.c.used, COUNTER.c.reserved).where(COUNTER.c.quota_type == QUOTA)).one()
        assert (row.used, row.reserved) == (1, 0)
        assert session.scalar(select(CASE.c.state).where(CASE.c.id == case_id)) == "done"
