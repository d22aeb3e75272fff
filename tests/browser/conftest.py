"""A real browser on the town's pages. Needs Chromium; where there is none, every test here says so and is skipped."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from werkzeug.serving import make_server

from tests.casework.approval_room import QUOTA, RECRUITED
from tests.web.conftest import Town, app, built_once, house, town  # noqa: F401  (fixtures)

DESK, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
PDF = {"name": "用编申请.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4\ntrailer<<>>\n%%EOF\n"}
AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
VIOLATIONS = (
    "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI))"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@dataclass
class Window:
    """One person's browser window; `complaints` are errors of its console, script errors and policy violations."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a page; it must answer with success."""
        answer = self.page.goto(self.base + path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        return self.page

    def sign_in(self, account: str) -> Page:
        """Choose a demonstration account from the list and sign in."""
        self.go(f"/sign-in?find={account}")
        self.page.get_by_role("button", name=account).first.click()
        self.page.get_by_role("button", name="登录", exact=True).click()
        self.page.wait_for_url(self.base + "/")
        return self.page

    def barriers(self) -> list[dict[str, Any]]:
        """What axe-core finds serious or critical on the present page."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
        return [
            {"rule": f["id"], "impact": f["impact"], "nodes": [n["html"][:160] for n in f["nodes"]][:4]}
            for f in found
            if f["impact"] in ("serious", "critical")
        ]

    def too_wide(self) -> int:
        """By how many pixels the present page is wider than a phone."""
        before = self.page.viewport_size
        assert before is not None
        self.page.set_viewport_size({"width": 390, "height": 844})
        over = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        self.page.set_viewport_size(before)
        return int(over)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Chromium, without a window."""
    path = os.environ.get("SANDENG_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: install chromium or set SANDENG_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def server(app: Flask) -> Iterator[str]:  # noqa: F811
    """The address at which the town's application answers."""
    running = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def open_window(chromium: Browser, server: str, size: ViewportSize = DESK) -> Window:
    """A window of that size, whose complaints are kept."""
    context = chromium.new_context(viewport=size, locale="zh-CN")
    context.add_init_script(VIOLATIONS)
    window = Window(context.new_page(), server)
    window.page.on(
        "console",
        lambda told: window.complaints.append(f"{told.text} {told.location}") if told.type == "error" else None,
    )
    window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
    window.page.on("dialog", lambda dialog: dialog.accept())
    return window


def _window(chromium: Browser, server: str, size: ViewportSize = DESK) -> Iterator[Window]:
    window = open_window(chromium, server, size)
    yield window
    window.page.context.close()


@pytest.fixture
def window(chromium: Browser, server: str) -> Iterator[Window]:
    """A window at a desk."""
    yield from _window(chromium, server)


@pytest.fixture
def other_window(chromium: Browser, server: str) -> Iterator[Window]:
    """Another person's window."""
    yield from _window(chromium, server)


@pytest.fixture
def phone_window(chromium: Browser, server: str) -> Iterator[Window]:
    """A window on a phone."""
    yield from _window(chromium, server, PHONE)


class People:
    """Gives each account a window of its own, signed in anew where the clock has moved: `person("clerk@330282101")`."""

    def __init__(self, chromium: Browser, server: str, town: Town) -> None:  # noqa: F811
        self._chromium, self._server, self._town = chromium, server, town
        self.windows: dict[str, Window] = {}
        self._since: dict[str, str] = {}

    def __call__(self, account: str) -> Window:
        present = self._town.clock.read_text(encoding="utf-8")
        if account not in self.windows:
            self.windows[account] = open_window(self._chromium, self._server)
        window = self.windows[account]
        if self._since.get(account) != present:  # sessions end after hours
            window.page.context.clear_cookies()
            window.sign_in(account)
            self._since[account] = present
        return window

    def move(self, moment: datetime) -> None:
        """Move the present, once no window waits for an answer of the old one."""
        for window in self.windows.values():
            window.page.wait_for_load_state("networkidle")
        self._town.set_clock(moment)


@pytest.fixture
def person(chromium: Browser, server: str, town: Town) -> Iterator[People]:  # noqa: F811
    """The people of a walk; at its end no window of theirs may have complained."""
    people = People(chromium, server, town)
    yield people
    complaints = {account: window.complaints for account, window in people.windows.items() if window.complaints}
    for window in people.windows.values():
        window.page.context.close()
    assert complaints == {}, complaints


def take(page: Page, title: str, **typed: str) -> None:
    """Take a step of the case that the page shows."""
    panel = page.locator("section.panel", has=page.get_by_role("heading", name=title, exact=True))
    for name, text in typed.items():
        panel.locator(f"[name={name}]").fill(text)
    panel.get_by_role("button", name=title, exact=True).click()
    expect(page.get_by_text("已办理。")).to_be_visible()


def case_on(page: Page) -> int:
    """The case to which a form has led."""
    page.wait_for_url(re.compile(r"/cases/\d+$"))
    return int(page.url.rsplit("/", 1)[1])


def apply_for_one(page: Page) -> int:
    """Fill in the form of an application for one post, which the page shows; answers with the case."""
    page.locator("[name=kind]").select_option("use")
    page.locator("[name=what]").fill("面向社会公开招聘事业编制人员1名")
    page.locator("[name=why]").fill("缺员，业务量增加")
    page.locator("[name=quota_type]").select_option(QUOTA)
    page.locator("[name=n]").fill("1")
    page.locator("[name=entry_way]").select_option(RECRUITED)
    page.locator("[name=request]").set_input_files(PDF)
    page.get_by_role("button", name="保存", exact=True).click()
    return case_on(page)


def keep_picture(page: Page, name: str) -> None:
    """The page as the README shows it, where SANDENG_SCREENSHOTS names a folder."""
    if target := os.environ.get("SANDENG_SCREENSHOTS"):
        page.screenshot(path=f"{target}/{name}.jpg", type="jpeg", quality=60)
