"""暂停办理 as its people walk it: red three rounds long, reminded, suspended with the school below, refused with reasons, free again on the day (办法21)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from tests.browser.conftest import People, apply_for_one, keep_picture, take
from tests.casework.approval_room import ledger_row
from tests.quality.ticket_room import at, check, days, finding, midnight, rounds
from tests.web.conftest import COUNTY, SCHOOL, Town, clock_at
from workflow.access.demonstration import create_demonstration_accounts
from workflow.db import writing
from workflow.registry import records
from workflow.registry.tree import rebuild

FOUND = date(2026, 3, 2)  # Monday; in Cixi red after two working days, a round is three
FIRST, SECOND, THIRD = date(2026, 3, 5), date(2026, 3, 10), date(2026, 3, 13)
FIXED, OVER, LAST = date(2026, 3, 16), date(2026, 6, 11), date(2026, 9, 13)
FREE = LAST + timedelta(1)


@pytest.fixture
def town(engine: Engine, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Town:
    """A bureau with one problem and its faultless school, each with two heads approved, on Monday 2 March 2026 at nine."""
    clock = clock_at(at(FOUND), tmp_path, monkeypatch)
    with writing(engine) as session:
        office = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        names = {COUNTY: "慈溪市示例局", SCHOOL: "慈溪市示例学校"}
        rows = [{"unit_code": code, "name": name, "district_code": "330282"} for code, name in names.items()]
        units = dict(zip(names, records.write(session, "unit", rows, **office).ids.values(), strict=True))
        records.write(session, "unit", [{"unit_code": SCHOOL, "parent": units[COUNTY]}], **office)
        quotas = [ledger_row(f"L{n}", plus=2, unit=id_) for n, id_ in enumerate(units.values(), 1)]
        records.write(session, "ledger", quotas, **office)
        people = [{"name": "张某某", "unit": units[COUNTY], "person_code": "P00000001"}]
        records.write(session, "person", people, **office)
        create_demonstration_accounts(session, now=now)
        rebuild(session)
    check(engine, FOUND, [finding(1, unit=units[COUNTY])])
    return Town(engine, units, clock)


def live_until(town: Town, person: People, first: date, last: date) -> None:
    """The mornings of these days: timers, then the count of red rounds; it is nine o'clock of the last."""
    for day in days(first, last):
        midnight(town.engine, day)
        rounds(town.engine, day)
    person.move(at(last))


def applied(person: People, code: str) -> int:
    """The unit's clerk drafts an application for one post; answers with the case."""
    return apply_for_one(person(f"clerk@{code}").go("/matters/approval/new"))


def refused(person: People, code: str, case_id: int, *reasons: str) -> None:
    """The unit's application cannot go on, and its page says why."""
    page = person(f"clerk@{code}").go(f"/cases/{case_id}")
    panel = page.locator("section.panel", has=page.get_by_role("heading", name="报负责人确认", exact=True))
    expect(panel.get_by_role("button", name="报负责人确认", exact=True)).to_be_disabled()
    for reason in reasons:
        expect(panel).to_contain_text(reason)


def decided(person: People, town: Town, months: str, last: date) -> None:
    """The leader sees whom the proposal would bind until when, and confirms it."""
    window = person("leader@330282")
    page = window.go("/suspensions?state=proposed")
    page.get_by_role("link", name=re.compile(f"{months}个月")).click()
    preview = page.get_by_role("region", name="如今日决定")
    expect(preview.locator("tbody tr")).to_have_count(2)
    for name in ("慈溪市示例局", "慈溪市示例学校"):
        expect(preview.locator("tbody tr", has_text=name)).to_contain_text(last.isoformat())
    expect(preview).to_contain_text("机构编制申请事项 2 项")
    assert not window.barriers()
    assert window.too_wide() <= 0
    take(page, "照准建议")
    expect(page.get_by_role("main")).to_contain_text(f"暂停至 {last}，及于 2 个单位")


def test_a_unit_red_for_three_rounds_is_suspended_with_its_school_until_the_day(town: Town, person: People) -> None:
    mine, schools = applied(person, COUNTY), applied(person, SCHOOL)

    live_until(town, person, FOUND, FIRST)
    head = person(f"head@{COUNTY}")
    head.go("/").get_by_role("link", name="亮红灯提醒（第1次）").click()
    expect(head.page.get_by_role("main")).to_contain_text("连续第 1 次亮红灯")
    assert not head.barriers()
    assert head.too_wide() <= 0
    take(head.page, "签收")
    expect(person("leader@330282").go("/suspensions").get_by_text("没有这样的事项")).to_be_visible()

    live_until(town, person, FIRST, SECOND)
    decided(person, town, "3", date(2026, 6, 10))
    refused(person, COUNTY, mine, "亮红灯的问题 1 项", "暂停办理机构编制申请事项至 2026-06-10")
    refused(person, SCHOOL, schools, "由上级单位的暂停及于本单位", "本单位没有红灯")

    live_until(town, person, SECOND, THIRD)
    decided(person, town, "6", LAST)
    keep_picture(person("leader@330282").page, "suspension")
    office = person("reviewer@330282")
    expect(office.go("/suspensions").locator("tr", has_text="6个月")).to_contain_text(LAST.isoformat())
    expect(office.go(f"/units/{SCHOOL}/standing").get_by_role("main")).to_contain_text("慈溪市示例局")
    assert not office.barriers()

    check(town.engine, FIXED, [], hour=9)
    live_until(town, person, OVER, OVER)  # the three months are over, the six govern
    for code, case_id in ((COUNTY, mine), (SCHOOL, schools)):
        refused(person, code, case_id, f"暂停办理机构编制申请事项至 {LAST}")
    live_until(town, person, LAST, LAST)
    refused(person, COUNTY, mine, f"暂停办理机构编制申请事项至 {LAST}")
    live_until(town, person, FREE, FREE)
    expect(person("leader@330282").go("/suspensions").locator("tr", has_text="期满恢复办理")).to_have_count(2)
    for code, case_id in ((COUNTY, mine), (SCHOOL, schools)):
        take(person(f"clerk@{code}").go(f"/cases/{case_id}"), "报负责人确认")
        take(person(f"head@{code}").go(f"/cases/{case_id}"), "确认并申报")
