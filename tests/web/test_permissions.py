"""Deny by default: no route without a permission, nobody in where the role does not reach."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from tests.web.conftest import COUNTY, Visitor
from web.permissions import list_routes, prove_routes
from workflow.access.roles import roles, roles_that_may
from workflow.errors import DefinitionError

PEOPLE = {
    "unit_clerk": f"clerk@{COUNTY}",
    "unit_head": f"head@{COUNTY}",
    "reviewer": "reviewer@330282",
    "leader": "leader@330282",
    "security": "security",
    "county_security": "security@330282",
    "auditor": "auditor",
    "sysadmin": "sysadmin",
}


def plain_pages(app: Flask) -> list[dict[str, str]]:
    """Pages that need no argument."""
    return [
        r
        for r in list_routes(app)
        if "GET" in r["methods"] and "<" not in r["rule"] and not r["rule"].startswith("/api/")
    ]


def test_every_route_says_who_may_enter(app: Flask) -> None:
    assert [route["rule"] for route in list_routes(app) if route["permission"] is None] == []


def test_a_route_that_says_nothing_stops_the_start(own_app: Flask) -> None:
    own_app.add_url_rule("/silent", "silent", lambda: "")
    with pytest.raises(DefinitionError, match="/silent"):
        prove_routes(own_app)


def test_a_route_that_says_nothing_is_refused_all_the_same(own_app: Flask) -> None:
    own_app.add_url_rule("/silent", "silent", lambda: "")
    assert Visitor(own_app.test_client()).get("/silent").status_code == 403


def test_who_is_not_signed_in_is_led_to_the_door(app: Flask, stranger: Visitor) -> None:
    for route in plain_pages(app):
        answer = stranger.get(route["rule"])
        if route["permission"] == "public":
            assert answer.status_code in (200, 503), route
        else:
            assert answer.status_code == 302, route
            assert answer.location.startswith("/sign-in"), route


def test_no_route_answers_a_stranger_whatever_the_method(app: Flask, stranger: Visitor) -> None:
    for route in list_routes(app):
        if route["permission"] == "public":
            continue
        for method in route["methods"]:
            path = re.sub(r"<[^>]+>", "1", route["rule"])
            answer = stranger.client.open(path, method=method)
            assert answer.status_code in (302, 400, 401, 403, 404, 405), (method, path, answer.status_code)
            if answer.status_code == 302:
                assert answer.location.startswith("/sign-in"), (method, path)


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_a_role_enters_the_pages_of_its_actions_and_no_others(
    app: Flask, sign_in: Callable[[str], Visitor], role: str
) -> None:
    assert set(PEOPLE) == set(roles())
    visitor = sign_in(PEOPLE[role])
    for route in plain_pages(app):
        if route["permission"] not in ("public", "signed_in"):
            expected = role in roles_that_may(route["permission"])
            assert (visitor.get(route["rule"]).status_code != 403) == expected, route


def test_a_write_without_the_pages_token_is_refused(clerk: Visitor) -> None:
    answer = clerk.client.post("/notices/read", data={})
    assert answer.status_code == 400
    assert "页面已过期" in answer.get_data(as_text=True)
