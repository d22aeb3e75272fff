"""The navigation: every entry leads to a page that opens, to those who may enter it and nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.web.conftest import COUNTY, Visitor

LINK = re.compile(r'<li><a href="([^"]*)"')
PEOPLE = [
    f"clerk@{COUNTY}",
    f"head@{COUNTY}",
    "reviewer",
    "leader@330282",
    "security",
    "security@330282",
    "auditor",
    "sysadmin",
]


@pytest.mark.parametrize("account", PEOPLE)
def test_every_entry_opens_its_page_and_marks_itself(account: str, sign_in: Callable[[str], Visitor]) -> None:
    visitor = sign_in(account)
    page = visitor.get("/notices").get_data(as_text=True)
    links = LINK.findall(
        page[page.index('aria-label="主导航"') : page.index("</nav>", page.index('aria-label="主导航"'))]
    )
    assert len(links) >= 2
    for link in links:
        answer = visitor.get(link)
        assert answer.status_code == 200, link
        assert f'<a href="{link}" class="on" aria-current="page">' in answer.get_data(as_text=True), link


def test_a_clerk_is_not_led_to_violations(sign_in: Callable[[str], Visitor]) -> None:
    assert "/matters/violation" not in sign_in(f"clerk@{COUNTY}").get("/notices").get_data(as_text=True)
    assert "/matters/violation" in sign_in("reviewer").get("/notices").get_data(as_text=True)
    assert sign_in(f"clerk@{COUNTY}").get("/matters/violation").status_code == 404
