"""安全职责 as its people walk it: the month's check filled in and confirmed by another, an alarm that becomes an incident (办法15, 办法19)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from playwright.sync_api import expect

from tests.browser.conftest import Window
from tests.web.conftest import Town
from workflow.db import writing
from workflow.duty.alarms import Alarm, raise_new
from workflow.duty.checking import MONTHLY, open_due_checks
from workflow.duty.facts import READERS
from workflow.engine.registry import book

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
ITEMS = [field.name for field in book().process(MONTHLY).form if field.name in READERS]


def test_the_officer_fills_in_the_months_check_and_the_auditor_confirms_it(
    town: Town, window: Window, other_window: Window
) -> None:
    with writing(town.engine) as session:
        open_due_checks(session, date(2026, 3, 1), NOW)
    page = window.sign_in("security")
    page.get_by_role("link", name="月排查").first.click()
    page.get_by_role("link", name="月排查（2026年2月）").click()
    expect(page.get_by_text("备份：28 天中完成 0 天")).to_be_visible()
    assert window.barriers() == []
    assert window.too_wide() == 0
    for name in ITEMS:
        page.locator(f"[name={name}]").select_option("fine")
        page.locator(f"[name={name}_note]").fill("已与平台数据核对")
    measure = page.locator("[name=backup_drill_measure]")
    expect(measure).to_be_hidden()
    page.locator("[name=backup_drill]").select_option("odd")
    measure.fill("三月起每日备份，系统管理员负责")
    page.get_by_role("button", name="保存修改", exact=True).click()
    page.get_by_role("button", name="提交确认").click()
    expect(page.get_by_text("待确认").first).to_be_visible()
    expect(page.get_by_text("不得自己确认").first).to_be_visible()
    about = page.url
    second = other_window.sign_in("auditor")
    second.goto(about)
    second.get_by_role("button", name="确认", exact=True).click()
    expect(second.get_by_text("异常 1 项：备份演练")).to_be_visible()
    assert other_window.barriers() == []
    assert window.complaints == other_window.complaints == []


def test_an_alarm_leads_to_an_incident_with_what_is_known(town: Town, window: Window) -> None:
    with writing(town.engine) as session:
        raise_new(session, [Alarm("chain", "", "2026-03-02", "第 8 行起缺行，共 1 处。", {"problems": 1})], NOW)
    page = window.sign_in("security")
    window.go("/notices").get_by_role("link", name="安全告警：审计链不相符").click()
    expect(page.locator("[name=alarm]")).to_have_value("chain:2026-03-02")
    page.locator("[name=level]").select_option("grave")
    page.locator("[name=found_on]").fill("2026-03-02")
    page.locator("[name=what]").fill("第8行缺失")
    page.get_by_role("button", name="保存", exact=True).click()
    page.wait_for_url(re.compile(r"/cases/\d+$"))
    page.locator("[name=contained_how]").fill("停用可疑账号，保全数据库")
    page.get_by_role("button", name="控制", exact=True).click()
    expect(page.get_by_text("控制措施：停用可疑账号，保全数据库")).to_be_visible()
    assert window.barriers() == []
    assert window.too_wide() == 0
    assert window.complaints == []
