"""The city's office moves open cases to a new version: the mapping at fault, put right, tried and asked for, at a desk and on a phone."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import DESK, PHONE, Window
from tests.web.test_migration_pages import first  # noqa: F401  (fixture)

PAPER = {"name": "批文.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 order"}
GOOD = "states: {draft: draft}\ntimers:\n  draft: {remind: remind, overdue: overdue}\n"


def barriers(window: Window) -> list[Any]:
    """What stands in the way on a phone and at a desk."""
    window.page.set_viewport_size(PHONE)
    found = window.barriers()
    window.page.set_viewport_size(DESK)
    return found + window.barriers()


def test_a_mapping_is_put_right_tried_and_asked_for(window: Window, first: Any) -> None:  # noqa: F811
    page = window.page
    window.sign_in("reviewer")
    window.go("/migrations")
    assert not barriers(window)
    page.get_by_role("link", name="拟定对应表").click()
    page.locator("#m-mapping").fill("states: {drafty: draft}")
    page.get_by_role("button", name="试运行").click()
    page.get_by_text("states.draft：有 1 件停在“起草中”，没有写明去向").wait_for()
    assert not barriers(window)
    page.locator("#m-mapping").fill(GOOD)
    page.get_by_role("button", name="试运行").click()
    page.get_by_text("试运行：逐件结果").wait_for()
    assert not barriers(window)
    page.locator("[name=why]").fill("占用编制须凭核准通知单")
    page.locator("[name=papers]").set_input_files([PAPER])  # type: ignore[list-item]
    page.get_by_role("button", name="提交请示").click()
    page.get_by_text("请示已提交").wait_for()
    assert page.get_by_role("button", name="执行迁移").count() == 0
    assert not barriers(window)
    assert [said for said in window.complaints if "/migrations/try" not in said] == []  # the refused try answers 400
