"""A step's inputs beyond their fields: refused by name on the page and through the API, and the case stays where it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from tests.casework.matter_room import wish_book
from tests.web.conftest import Town, Visitor
from tests.web.test_filing_api import program
from tests.web.test_substitution import wish
from workflow.db import reading
from workflow.engine.models import CASE
from workflow.engine.registry import using

SAYS = "「同意数量」应在 1 至 9 之间"


@pytest.fixture(autouse=True)
def wishes() -> Iterator[None]:
    with using(wish_book()):
        yield


def state_of(town: Town, where: str) -> str | None:
    with reading(town.engine) as session:
        return session.scalar(select(CASE.c.state).where(CASE.c.id == int(where.rsplit("/", 1)[1])))


def test_on_the_page(town: Town, clerk: Visitor, reviewer: Visitor) -> None:
    where = wish(clerk)
    refused = reviewer.post(f"{where}/steps/grant", {"version": "2", "places": "10"})
    assert (refused.status_code, SAYS in refused.get_data(as_text=True)) == (400, True)
    assert state_of(town, where) == "sent"
    assert reviewer.post(f"{where}/steps/grant", {"version": "2", "places": "9"}).status_code == 302


def test_through_the_api(town: Town, app: Flask, clerk: Visitor) -> None:
    where = wish(clerk)
    path = f"/cases/{where.rsplit('/', 1)[1]}/steps/grant"
    refused = program(app, "reviewer@330282").post(path, {"inputs": {"places": 10}})
    assert refused.status_code == 400
    assert refused.json["errors"] == [{"field": "places", "label": "同意数量", "message": SAYS}]
    assert state_of(town, where) == "sent"
