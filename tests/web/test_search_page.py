"""The search box: units, people by name, key and whole ID number, ticket numbers; never anything out of scope."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask

from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, Town, Visitor, counted
from workflow.db import writing
from workflow.registry import records

NUMBER = "330282198506150011"


@pytest.fixture
def wang(town: Town, now: datetime) -> str:
    """Somebody of the county bureau with an ID number, and a namesake far away."""
    rows = [
        {"person_code": "P90000001", "name": "王小明", "unit": town.units[COUNTY], "id_no": NUMBER},
        {"person_code": "P90000002", "name": "王小明", "unit": town.units[FAR]},
    ]
    with writing(town.engine) as session:
        records.write(session, "person", rows, by="reviewer", now=now, may_write_locked=True, may_create=True)
    return "/records/person/P90000001"


@pytest.mark.parametrize("words", ["王小明", "王小", "P90000001", NUMBER])
def test_what_means_one_person_opens_that_person(reviewer: Visitor, wang: str, words: str) -> None:
    assert reviewer.get(f"/search?q={words}").location == wang


def test_what_means_several_lists_them_with_their_units(sign_in: Callable[[str], Visitor], wang: str) -> None:
    page = sign_in("reviewer").get("/search?q=王小明").get_data(as_text=True)
    assert "P90000001" in page
    assert "P90000002" in page
    assert f"示例单位{FAR}号" in page


def test_units_are_found_by_beginning_of_code_and_part_of_name(reviewer: Visitor) -> None:
    for words in (COUNTY[:8], "示例单位33028210"):
        page = reviewer.get(f"/search?q={words}").get_data(as_text=True)
        assert f"/units/{COUNTY}" in page
        assert f"/units/{NEIGHBOUR}" in page
        assert FAR not in page


def test_a_ticket_number_opens_the_ticket_in_scope_only(reviewer: Visitor, town: Town) -> None:
    assert reviewer.get(f"/search?q={town.tickets(COUNTY)[0].id}").location.startswith("/tickets/")
    assert reviewer.get(f"/search?q={town.tickets(FAR)[0].id}").status_code == 200


def test_nothing_out_of_scope_is_found(clerk: Visitor, wang: str) -> None:
    for words in ("P90000002", "P00000005", FAR, "330203199001010011"):
        page = clerk.get(f"/search?q={words}").get_data(as_text=True)
        assert "没有找到机构" in page
        assert "没有找到人员" in page


def test_a_search_takes_few_statements(app: Flask, reviewer: Visitor, wang: str) -> None:
    for words in ("王小明", "P9", "1", ""):
        with counted(app) as statements:
            reviewer.get(f"/search?q={words}")
        assert len(statements) <= 12
