"""A draft that saves itself never gets in the way of its own form: whichever of the two is slow, what was typed is kept and nothing complains."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import Window
from tests.web.conftest import COUNTY, Town


def opened(window: Window) -> Page:
    """A new change of a person, with a draft that was just typed into."""
    window.sign_in(f"clerk@{COUNTY}")
    page = window.go("/filings/new?dataset=person&key=P00000002")
    page.get_by_role("button", name="开始填报").first.click()
    page.wait_for_url("**/edit")
    return page


def late(seconds: float) -> Callable[[Route], None]:
    """A way through that takes its time."""

    def through(route: Route) -> None:
        time.sleep(seconds)
        route.continue_()

    return through


def test_a_draft_on_its_way_is_waited_for(town: Town, window: Window) -> None:
    page = opened(window)
    page.route("**/autosave", late(1.0))
    with page.expect_request("**/autosave"):
        page.locator("[name=native_place]").fill("慈溪")
        page.locator("[name=native_place]").press("Tab")
    page.get_by_role("button", name="保存并校验").click()
    expect(page.locator(".flash")).to_contain_text("草稿已保存")
    expect(page.locator("[name=native_place]")).to_have_value("慈溪")
    assert window.complaints == []


def test_no_draft_is_sent_after_its_form(town: Town, window: Window) -> None:
    page = opened(window)
    page.route("**/edit", late(1.5))
    drafts: list[Request] = []
    page.on("request", lambda request: drafts.append(request) if "autosave" in request.url else None)
    page.locator("[name=native_place]").fill("慈溪")
    page.get_by_role("button", name="保存并校验").click()
    expect(page.locator(".flash")).to_contain_text("草稿已保存")
    assert drafts == []
    assert window.complaints == []
