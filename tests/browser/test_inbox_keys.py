"""The inbox by keyboard: rows, taking on, choosing, one step on the chosen, the help; the badge beside the entry is the list's length."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from tests.browser.conftest import Window
from tests.casework.matter_room import WISH
from tests.web.conftest import COUNTY, Town
from workflow.access.scopes import actor_named
from workflow.casework.bulk import work_off
from workflow.casework.handling_models import BulkStep
from workflow.casework.matters import open_matter
from workflow.db import reading, writing
from workflow.engine import registry
from workflow.engine.definition import read_definition
from workflow.engine.steps import take_step

CASES = 3


@pytest.fixture(autouse=True)
def wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of wishes, for the server's threads too."""
    release = registry.load_all()
    monkeypatch.setitem(release.current, "wish", read_definition(WISH, "wish.yaml"))  # type: ignore[arg-type]


@pytest.fixture
def waiting(town: Town, now) -> list[int]:
    """Three wishes that wait for the county's reviewer."""
    with writing(town.engine) as session:
        clerk = actor_named(session, f"clerk@{COUNTY}", now)
        values = {"kind": "one", "why": "人手不足"}
        ids = [open_matter(session, "wish", town.units[COUNTY], values, now=now, actor=clerk) for _ in range(CASES)]
        take_step(session, "wish", "submit", ids, now=now, actor=clerk)
    return ids


def test_the_inbox_is_worked_through_by_keyboard(town: Town, waiting: list[int], window: Window, now) -> None:
    page = window.sign_in("reviewer@330282")
    window.go("/tasks?process=wish")
    badge = page.locator("[data-badge]")
    badge.filter(has_text=re.compile(r"\d")).wait_for()
    assert int(badge.inner_text()) == int(re.findall(r"共 (\d+) 件轮到您", page.content())[0])

    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.get_by_text("已由您办理").wait_for()
    assert page.get_by_role("button", name="放回").count() == 1
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    assert page.locator("[data-chosen]").inner_text() == "2"
    assert not window.barriers()
    page.get_by_role("button", name="一并办理…").first.click()
    page.get_by_text("可以办理 2 件").wait_for()
    assert not window.barriers()
    page.get_by_label("同意数量").fill("2")
    page.get_by_role("button", name="对 2 件办理“同意”").click()
    page.get_by_role("button", name="停止").wait_for()

    with reading(town.engine) as session:
        bulk_id = session.scalars(select(BulkStep.id)).one()
    work_off(town.engine, bulk_id, progress=lambda _done, _total: None, clock=lambda: now)
    window.go(f"/tasks/bulk/{bulk_id}")
    assert page.get_by_text("已办理", exact=True).count() == 2
    page.keyboard.press("/")
    window.go("/tasks?process=wish")
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.wait_for_url("**/reassign")
    assert not window.barriers()
    assert not window.complaints
