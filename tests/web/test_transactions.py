"""One transaction a request: pages write nothing, refusals keep nothing, lists stay within twelve statements."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.web.conftest import COUNTY, SCHOOL, Town, Visitor, counted
from tests.web.test_permissions import PEOPLE, plain_pages
from workflow.db import Base, reading

LISTS = [
    "/",
    "/tickets",
    "/tickets?by=cause",
    "/tickets?state=all&light=red&text=P0",
    "/tasks",
    "/notices",
    "/red",
    "/search?q=P0",
]


def contents(town: Town) -> dict[str, object]:
    """Every table's rows, but for the audit chain: who exports or is refused is told there."""
    with reading(town.engine) as session:
        return {
            name: sorted(map(repr, session.execute(select(table)).all()))
            for name, table in sorted(Base.metadata.tables.items())
            if not name.startswith("audit_")
        }


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_reading_pages_writes_nothing(app: Flask, town: Town, sign_in: Callable[[str], Visitor], role: str) -> None:
    visitor = sign_in(PEOPLE[role])
    before = contents(town)
    for route in plain_pages(app):
        visitor.get(route["rule"])
    assert contents(town) == before


def test_a_refused_write_keeps_nothing(town: Town, clerk: Visitor) -> None:
    error = next(t for t in town.tickets(COUNTY) if t.level != "W")
    before = contents(town)
    answer = clerk.post(f"/tickets/{error.id}/explain", {"text": "确属实情"})
    assert answer.status_code == 422
    assert contents(town) == before


@pytest.mark.parametrize("account", [f"clerk@{COUNTY}", "reviewer@330282", "leader"])
@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_at_most_twelve_statements(
    app: Flask, sign_in: Callable[[str], Visitor], account: str, path: str
) -> None:
    visitor = sign_in(account)
    with counted(app) as statements:
        assert visitor.get(path).status_code == 200
    assert len(statements) <= 12, statements


def test_the_page_of_a_ticket_takes_at_most_twelve_statements(app: Flask, town: Town, clerk: Visitor) -> None:
    ticket = town.tickets(SCHOOL)[0]
    with counted(app) as statements:
        assert clerk.get(f"/tickets/{ticket.id}").status_code == 200
    assert len(statements) <= 12, statements


def test_the_lights_above_a_list_count_the_rows_that_they_open(town: Town, reviewer: Visitor) -> None:
    with reading(town.engine) as session:
        ticket = Base.metadata.tables["ticket"].c
        inside = [town.units[code] for code in town.units if code.startswith("330282")]
        yellow = select(func.count()).where(ticket.unit_id.in_(inside), ticket.case_id.is_not(None))
        expected = session.scalar(yellow)
    assert f"共 {expected} 条" in reviewer.get("/tickets?light=yellow").get_data(as_text=True)


def test_paging_shows_every_ticket_once(town: Town, clerk: Visitor) -> None:
    import re

    for sort in ("deadline", "-deadline", "unit", "-found", "rule"):
        seen: list[str] = []
        path = f"/tickets?sort={sort}&state=all"
        while path:
            page = clerk.get(path).get_data(as_text=True)
            seen += re.findall(r'data-open href="/tickets/(\d+)"', page)
            found = re.search(r'rel="next" href="([^"]+)"', page)
            path = found[1].replace("&amp;", "&") if found else ""
        mine = [str(t.id) for code in (COUNTY, SCHOOL) for t in town.tickets(code)]
        assert sorted(seen) == sorted(mine), sort


def test_a_cursor_that_is_not_ours_is_refused_in_words(clerk: Visitor) -> None:
    for cursor in ("x", "W10", "WyJhIiwiYiJd"):
        assert clerk.get(f"/tickets?after={cursor}").status_code == 400
