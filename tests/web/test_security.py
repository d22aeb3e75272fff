"""What every answer carries, and what no template may contain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.web.conftest import COUNTY, Town, Visitor
from tests.web.test_permissions import plain_pages
from web.app import create_app
from web.csv_answer import disarmed
from workflow.access.demonstration import PASSWORD
from workflow.access.models import LoginSession
from workflow.db import reading
from workflow.settings import Settings

TEMPLATES = sorted((Path(__file__).parents[2] / "web" / "templates").rglob("*.html"))
FORBIDDEN = {
    "an inline style": re.compile(r"\sstyle\s*="),
    "an inline handler": re.compile(r"\son[a-z]+\s*="),
    "unescaped text": re.compile(r"\|\s*safe\b|autoescape\s+false"),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)"),
    "a style block": re.compile(r"<style"),
    "an address outside": re.compile(r"""(?:src|href)=["']https?://"""),
}


ON_ITS_OWN = {
    "evidence/sheet.html": {"a style block"}
}  # a file that is read without the platform brings its looks along


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_what_the_content_policy_forbids(template: Path) -> None:
    text = re.sub(r"\{%.*?%\}", "", template.read_text(encoding="utf-8"))  # a template's own statements reach nobody
    allowed = ON_ITS_OWN.get("/".join(template.parts[-2:]), set())
    assert [what for what, pattern in FORBIDDEN.items() if what not in allowed and pattern.search(text)] == []


def test_every_page_carries_the_policy_and_is_not_kept(app: Flask, clerk: Visitor) -> None:
    for route in plain_pages(app):
        answer = clerk.get(route["rule"])
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_cookie_is_for_the_browser_alone(stranger: Visitor) -> None:
    cookie = stranger.get("/sign-in").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.fixture
def over_https(town: Town, tmp_path: Path) -> Iterator[FlaskClient]:
    """A browser before a platform that has an https address and one proxy in front."""
    url = town.engine.url.render_as_string(hide_password=False)
    more = {"public_url": "https://sandeng.example", "proxies": 1}
    made = create_app(Settings(env="test", data_dir=tmp_path / "secure", database_url=url, **more))
    yield made.test_client()
    with made.app_context():
        made.extensions["sqlalchemy"].engine.dispose()


def test_over_https_the_cookie_belongs_to_this_very_host_and_the_browser_stays_with_https(
    over_https: FlaskClient,
) -> None:
    through_the_proxy = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "https"}
    answer = over_https.get("/sign-in", headers=through_the_proxy)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-sandeng=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


def test_the_address_of_the_asker_is_what_the_proxy_says(over_https: FlaskClient, town: Town) -> None:
    through_the_proxy = {"X-Forwarded-For": "1.2.3.4, 10.9.8.7", "X-Forwarded-Proto": "https"}
    sent = {"account": f"clerk@{COUNTY}", "password": PASSWORD}
    assert over_https.post("/api/v1/session", json=sent, headers=through_the_proxy).status_code == 201
    with reading(town.engine) as session:
        assert session.scalars(select(LoginSession.address)).one() == "10.9.8.7"


def test_without_a_proxy_nobody_says_where_somebody_else_is(app: Flask, town: Town) -> None:
    sent = {"account": f"clerk@{COUNTY}", "password": PASSWORD}
    app.test_client().post("/api/v1/session", json=sent, headers={"X-Forwarded-For": "1.2.3.4"})
    with reading(town.engine) as session:
        assert session.scalars(select(LoginSession.address)).one() == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "status", "words"), [("/nowhere", 404, "没有找到"), ("/tickets/999999", 404, "没有找到")]
)
def test_an_error_is_a_page_in_chinese(clerk: Visitor, path: str, status: int, words: str) -> None:
    answer = clerk.get(path)
    assert answer.status_code == status
    assert words in answer.get_data(as_text=True)


def test_signing_out_clears_what_the_browser_keeps(clerk: Visitor) -> None:
    assert "storage" in clerk.post("/sign-out").headers["Clear-Site-Data"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_of_a_file_is_a_formula(text: str) -> None:
    assert disarmed(text) == f"'{text}"


def test_who_looks_at_no_page_keeps_the_last_messages_alone(clerk: Visitor) -> None:
    token = clerk.token()
    for n in range(8):
        answer = clerk.client.post("/tasks/filters", data={"csrf_token": token, "name": f"条件{n}", "light": "red"})
        assert answer.status_code == 302, answer.text
    assert re.findall(r"条件\d", clerk.get("/notices").text) == [f"条件{n}" for n in (3, 4, 5, 6, 7)]
