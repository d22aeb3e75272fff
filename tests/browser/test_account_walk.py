"""分级管理、分类赋权 as its people walk it: an account opened and granted by two officers, an alarm seen to (办法16, 办法19)."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from tests.browser.conftest import People, Window, take
from tests.web.conftest import COUNTY, Town
from workflow.db import writing
from workflow.duty.alarms import Alarm, raise_new

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)


def looked_at(window: Window, name: str) -> None:
    """No barrier, nothing wider than a phone; with SANDENG_TEST_SHOTS a picture of both widths."""
    assert window.barriers() == [], name
    assert window.too_wide() == 0, name
    if folder := os.environ.get("SANDENG_TEST_SHOTS"):
        _pictures(window.page, f"{folder}/{name}")


def _pictures(page: Page, path: str) -> None:
    before = page.viewport_size
    page.screenshot(path=f"{path}.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=f"{path}-phone.png", full_page=True)
    if before:
        page.set_viewport_size(before)


def test_an_account_is_opened_by_one_officer_and_given_its_role_by_two(person: People) -> None:
    window, second = person("security"), person("security2")
    page = window.page
    page.get_by_role("link", name="账号和授权").first.click()
    looked_at(window, "accounts")
    page.get_by_role("link", name="开立账号").click()
    for name, text in {"name": f"li@{COUNTY}", "person_name": "李某某", "title": "办公室", "unit": "000"}.items():
        page.locator(f"[name={name}]").fill(text)
    page.get_by_role("button", name="开立", exact=True).click()
    expect(page.get_by_text("没有这个机构").first).to_be_visible()
    window.complaints.clear()  # the console tells of the answer 400
    looked_at(window, "account-new")
    page.locator("[name=unit]").fill(COUNTY)
    page.get_by_role("button", name="开立", exact=True).click()
    expect(page.get_by_text("没有授权").first).to_be_visible()
    page.get_by_text("授予角色").last.click()
    unit = page.locator("[name=at_unit]")
    expect(unit).to_be_hidden()
    page.locator("[name=role]").select_option("reviewer")
    expect(page.locator("[name=district]")).to_be_visible()
    page.locator("[name=role]").select_option("unit_clerk")
    unit.fill(COUNTY)
    page.locator("#grant-why").fill("接替经办")
    looked_at(window, "account-asking")
    page.get_by_role("button", name="提请授权").click()
    expect(page.get_by_text("由另一名数据安全管理员批准后生效").first).to_be_visible()
    expect(page.get_by_text("提出或审核过本事项的人不得再作决定").first).to_be_visible()
    looked_at(window, "grant-change")
    about = page.url
    second.page.goto(about)
    take(second.page, "批准")
    page.goto(f"{window.base}/accounts/li@{COUNTY}")
    expect(page.get_by_text("security2 批准")).to_be_visible()
    looked_at(window, "account")


def test_an_alarm_is_seen_to_in_the_list(town: Town, person: People) -> None:
    with writing(town.engine) as session:
        raise_new(
            session,
            [Alarm("export", "li:parts", "2026-03-02", "账号 li 今日分 5 次导出个人数据。", {"parts": 180})],
            NOW,
        )
    window = person("security")
    page = window.page
    page.get_by_role("link", name="安全告警").first.click()
    looked_at(window, "alarms")
    page.get_by_placeholder("核实情况").fill("年报用数，已核实")
    page.get_by_role("button", name="确认", exact=True).click()
    expect(page.get_by_text("年报用数，已核实")).to_be_visible()
    page.get_by_role("link", name="报告安全事件").click()
    expect(page.locator("[name=alarm]")).to_have_value("export:li:parts:2026-03-02")
