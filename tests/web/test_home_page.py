"""The first page by role: figures of the own scope, few statements even when nothing is remembered."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.web.conftest import COUNTY, SCHOOL, Town, Visitor, counted
from workflow.clock import business_date
from workflow.quality.daily import check_day

TILE = re.compile(r'<div class="tile-label">黄灯问题</div><div class="tile-figure">([\d,]+)</div>')


@pytest.mark.parametrize(
    "account", ["reviewer", "reviewer@330282", "leader@330282", f"clerk@{COUNTY}", f"head@{SCHOOL}"]
)
def test_the_first_page_takes_at_most_twelve_statements(
    app: Flask, sign_in: Callable[[str], Visitor], account: str
) -> None:
    visitor = sign_in(account)
    with counted(app) as statements:
        assert visitor.get("/").status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


@pytest.mark.parametrize("account", ["reviewer", "reviewer@330282", f"clerk@{COUNTY}", f"clerk@{SCHOOL}"])
def test_its_yellow_tile_counts_the_list_that_it_opens(sign_in: Callable[[str], Visitor], account: str) -> None:
    visitor = sign_in(account)
    tile = TILE.search(visitor.get("/").get_data(as_text=True))
    listed = re.search(r"共 ([\d,]+) 条", visitor.get("/tickets?light=yellow").get_data(as_text=True))
    assert tile is not None
    assert listed is not None
    assert tile[1] == listed[1] != "0"


def test_the_offices_page_names_its_counties_and_worst_units(town: Town, sign_in: Callable[[str], Visitor]) -> None:
    city, county = (sign_in(name).get("/").get_data(as_text=True) for name in ("reviewer", "reviewer@330282"))
    assert "海曙区" in city
    assert "慈溪市" in city
    assert "海曙区" not in county
    assert f"示例单位{COUNTY}号" in county


FIGURE = re.compile(r'<a class="fig[^"]*" href="(/(?:tickets|units)\?[^"]+)">(?:红 |黄 )?([\d,]+)</a>')
TILES = re.compile(
    r'<a class="tile[^"]*" href="(/(?:tickets|units)\?[^"]+)">\s*<div class="tile-label">[^<]*</div><div class="tile-figure">([\d,]+)<'
)


@pytest.mark.parametrize(
    ("account", "paths"),
    [
        ("reviewer", ["/", "/units", "/units?lamp=lit", f"/units/{COUNTY}"]),
        ("reviewer@330282", ["/", "/units"]),
        (f"clerk@{COUNTY}", ["/", f"/units/{COUNTY}"]),
    ],
)
def test_every_number_opens_the_list_that_it_counts(
    sign_in: Callable[[str], Visitor], account: str, paths: list[str]
) -> None:
    visitor = sign_in(account)
    for path in paths:
        page = visitor.get(path).get_data(as_text=True)
        links = {*FIGURE.findall(page), *TILES.findall(page)}
        assert len(links) >= 2, path
        for link, number in links:
            listed = re.search(r"共 ([\d,]+) 条", visitor.get(html.unescape(link)).get_data(as_text=True))
            assert (listed[1] if listed else "0") == number, (path, link)


def test_what_is_due_by_tomorrow_is_counted_beyond_the_first_dozen(
    town: Town, sign_in: Callable[[str], Visitor], now: datetime
) -> None:
    town.set_clock(now + timedelta(days=1))  # the day before the last in 慈溪
    page = sign_in(f"clerk@{COUNTY}").get("/").get_data(as_text=True)
    tile = re.search(r'今明两天到期</div><div class="tile-figure">(\d+)<', page)
    due = [t for t in town.tickets(COUNTY) + town.tickets(SCHOOL) if t.deadline_on == now.date() + timedelta(days=2)]
    assert tile is not None
    assert int(tile[1]) == len(due) > 12


def test_a_check_that_had_nothing_to_do_says_so_and_names_the_last_full_one(
    town: Town, sign_in: Callable[[str], Visitor], now: datetime
) -> None:
    check_day(town.engine, business_date(now), now + timedelta(minutes=5))
    page = sign_in("reviewer").get("/").get_data(as_text=True)
    assert "没有变动和到期的记录" in page
    assert "最近完整校验" in page
