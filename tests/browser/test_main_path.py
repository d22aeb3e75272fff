"""The main path as people walk it: sign in, see the lamp, open a problem with the keyboard, put it right by form, see it green; explain and approve."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, PHONE, Window
from tests.web.conftest import COUNTY, Town
from workflow.quality.models import Ticket
from workflow.registry.dictionary import dictionary

PAGES = {
    f"clerk@{COUNTY}": [
        "/", "/tasks", "/tickets", "/tickets?by=cause", "/notices", "/roster", "/units", "/imports", "/quality", "/red", "/rules",
        "/calendar", "/calendar?year=2027", "/processes", "/processes/rectification", "/processes/approval", "/search?q=P0", "/tickets?light=green",
        f"/units/{COUNTY}", f"/units/{COUNTY}?as_of=2026-02-01", f"/units/{COUNTY}/standing", "/records/person/P00000002",
        "/records/person/P00000002/edit", "/records/person/new", "/exports", "/filings", "/filings/new", "/rules/F01", "/matters/approval", "/matters/approval/new", "/matters/weekly_audit",
    ],
    "reviewer@330282": [
        "/", "/tasks", "/tickets", "/quality", "/red", "/units", "/units?lamp=lit", "/roster/unit", "/processes/explanation",
        "/records/unit/330282101", "/suspensions", "/negative", "/simulation", "/imports?dataset=unit", "/monthly",
        "/monthly/consistency", "/matters/letter",
    ],
    "reviewer": ["/matters/cross_check", "/matters/cross_check/new", "/checks/bulletin"],
    "leader": ["/", "/tasks", "/tickets"],
    "security": ["/", "/notices"],
    "auditor": ["/"],
    "sysadmin": ["/", "/system", "/rules"],
}  # fmt: skip
ON_THE_PHONE_TOO = (
    "/",
    "/sign-in",
    "/tasks",
    "/tickets",
    "/roster",
    "/quality",
    "/processes/approval",
)  # all are measured, these searched


def free_ticket(town: Town) -> Ticket:
    """A problem that the unit's clerk may put right: a required code that is missing and not locked."""
    fields = dictionary()["person"].fields
    return next(
        t for t in town.tickets(COUNTY)
        if t.dataset == "person" and t.rule_id == "F01" and not fields[t.field].locked and fields[t.field].type == "code"
    )  # fmt: skip


def test_a_clerk_puts_a_problem_right_by_form_and_sees_it_turn_green(town: Town, window: Window) -> None:
    page = window.sign_in(f"clerk@{COUNTY}")
    expect(page.locator(".biglamp")).to_contain_text("黄灯")
    ticket = free_ticket(town)
    label = dictionary()["person"].fields[ticket.field].label
    window.go(f"/tickets/{ticket.id}")
    expect(page.locator(".wrong")).to_contain_text(f"{label}是必填项，现为空")
    expect(page.locator(".days .due")).to_contain_text("3月4日")
    page.get_by_role("link", name="打开记录").click()
    page.get_by_role("link", name="修改").first.click()
    page.get_by_label(label, exact=False).first.select_option(index=1)
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".flash")).to_contain_text("亮绿灯")
    window.go(f"/tickets/{ticket.id}")
    expect(page.locator(".lamp-green").first).to_contain_text("绿灯")
    assert window.complaints == []


def test_a_list_is_worked_with_the_keyboard_alone(town: Town, window: Window) -> None:
    page = window.sign_in(f"clerk@{COUNTY}")
    window.go("/tickets")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator("[data-chosen]")).to_have_text("1")
    page.keyboard.press("o")
    page.wait_for_url("**/tickets/*")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type(COUNTY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text(f"示例单位{COUNTY}号")
    assert window.complaints == []


def test_an_explanation_goes_from_the_clerk_to_the_reviewer(town: Town, window: Window, other_window: Window) -> None:
    doubt = next(t for t in town.tickets(COUNTY) if t.level == "W")
    page = window.sign_in(f"clerk@{COUNTY}")
    window.go(f"/tickets/{doubt.id}")
    page.get_by_label("说明 *").fill("姓名确如身份证件所载，附证件复印件")
    page.get_by_label("证明材料 *").set_input_files(
        files=[{"name": "证件.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 x"}]
    )
    page.get_by_role("button", name="提交审核").click()
    expect(page.locator(".flash")).to_contain_text("说明已提交审核")
    theirs = other_window.sign_in("reviewer@330282")
    theirs.get_by_role("link", name="情况说明").first.click()
    expect(theirs.get_by_role("main")).to_contain_text("姓名确如身份证件所载")
    theirs.get_by_role("button", name="核准", exact=True).click()
    expect(theirs.locator(".flash")).to_contain_text("已办理")
    expect(theirs.locator(".state-here")).to_contain_text("已核准")
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("核准不作问题")
    assert window.complaints == other_window.complaints == []


def looked_at(window: Window, path: str) -> dict[str, object]:
    """Open a page on a phone and widen the window to a desk's: what is too wide or a barrier at either size."""
    page, found = window.page, {}
    page.set_viewport_size(PHONE)
    window.go(path)
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        barriers = window.barriers() if size is DESK or path in ON_THE_PHONE_TOO else []
        if wide > 0 or barriers:
            found[f"{path} at {size['width']}"] = f"{wide} pixels too wide" if wide > 0 else barriers
    return found


def test_the_door_has_no_serious_barrier(phone_window: Window) -> None:
    assert looked_at(phone_window, "/sign-in") == {}
    assert phone_window.complaints == []


@pytest.mark.parametrize("account", PAGES)
def test_no_page_has_a_serious_barrier_or_breaks_its_own_policy(town: Town, phone_window: Window, account: str) -> None:
    phone_window.sign_in(account)
    ticket = [f"/tickets/{town.tickets(COUNTY)[0].id}"] if account.startswith("clerk") else []
    found: dict[str, object] = {}
    for path in [*PAGES[account], *ticket]:
        found |= looked_at(phone_window, path)
    assert found == {}
    assert phone_window.complaints == []
