"""Signing in with an account for emergencies: password, then a code; enrolment with a picture, expiry, replay, and what half a sign-in opens."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.access.test_passwords import GOOD, emergency
from tests.access.test_second_factor import code_at, device
from tests.web.conftest import Town, Visitor
from workflow.access.accounts import grant
from workflow.access.models import Account
from workflow.access.passwords import end_break_glass
from workflow.db import reading, writing

NEW = "Another-lamp-4-Ningbo"


@pytest.fixture
def guard(town: Town, now: datetime) -> str:
    """A security officer's account for emergencies; no device yet."""
    with writing(town.engine) as session:
        emergency(session, "guard", now)
        grant(session, account="guard", role_name="security", scope="platform", now=now, by="demo")
    return "guard"


def show_password(visitor: Visitor, password: str = GOOD) -> int:
    answer = visitor.post("/sign-in", {"account": "guard", "password": password, "next": "/sessions"})
    return answer.status_code if answer.location != "/sign-in/code" else 0


def code(town: Town, moment: datetime) -> str:
    with reading(town.engine) as session:
        return code_at(device(session, "guard"), moment)


def test_the_first_sign_in_enrols_the_device_and_the_picture_is_shown_no_more(
    town: Town, stranger: Visitor, guard: str, now: datetime
) -> None:
    assert show_password(stranger) == 0
    page = stranger.get("/sign-in/code").get_data(as_text=True)
    picture = re.search(r'src="(data:image/svg\+xml[^"]+)"', page)
    key = re.search(r'密钥：<span class="mono">([A-Z2-7]{32})<', page)
    assert picture
    assert key
    with reading(town.engine) as session:
        assert device(session, "guard") == base64.b32decode(key[1])
    answer = stranger.post("/sign-in/code", {"code": code(town, now)})
    assert answer.location == "/sessions"
    assert stranger.get("/sessions").status_code == 200
    stranger.post("/sign-out")
    assert show_password(stranger) == 0
    again = stranger.get("/sign-in/code").get_data(as_text=True)
    assert key[1] not in again
    assert "data:image" not in again


def test_half_a_sign_in_opens_nothing(stranger: Visitor, guard: str) -> None:
    assert show_password(stranger) == 0
    assert stranger.get("/").status_code == 302
    assert stranger.get("/sessions").status_code == 302


def test_a_code_without_a_password_opens_nothing(town: Town, stranger: Visitor, guard: str, now: datetime) -> None:
    assert stranger.post("/sign-in/code", {"code": "123456"}).location == "/sign-in"
    assert "请先输入账号和密码" in stranger.get("/sign-in/code").get_data(as_text=True)


def test_a_code_opens_once(app: Flask, town: Town, guard: str, now: datetime) -> None:
    first, second = Visitor(app.test_client()), Visitor(app.test_client())
    assert show_password(first) == show_password(second) == 0
    shown = code(town, now)
    assert first.post("/sign-in/code", {"code": shown}).status_code == 302
    refused = second.post("/sign-in/code", {"code": shown})
    assert refused.status_code == 401
    assert "已使用过" in refused.get_data(as_text=True)


def test_five_wrong_codes_lock(stranger: Visitor, guard: str) -> None:
    assert show_password(stranger) == 0
    found = [stranger.post("/sign-in/code", {"code": "000000"}).status_code for _ in range(6)]
    assert found == [401] * 4 + [423] * 2
    assert show_password(stranger) == 423


def test_what_was_proved_by_the_password_lasts_five_minutes(
    town: Town, stranger: Visitor, guard: str, now: datetime
) -> None:
    assert show_password(stranger) == 0
    later = now + timedelta(minutes=5, seconds=1)
    town.set_clock(later)
    assert stranger.post("/sign-in/code", {"code": code(town, later)}).location == "/sign-in"


def test_a_password_past_its_ninety_days_is_changed_before_anything_else(
    town: Town, stranger: Visitor, guard: str, now: datetime
) -> None:
    later = now + timedelta(days=91)
    town.set_clock(later)
    answer = stranger.post("/sign-in", {"account": "guard", "password": GOOD})
    assert answer.status_code == 403
    assert "/sign-in/password" in answer.get_data(as_text=True)
    change = {"account": "guard", "password": GOOD, "new": NEW, "again": NEW}
    assert stranger.post("/sign-in/password", change | {"again": "other"}).status_code == 400
    assert stranger.post("/sign-in/password", change | {"new": GOOD, "again": GOOD}).status_code == 400
    assert stranger.post("/sign-in/password", change | {"password": "wrong"}).status_code == 401
    assert stranger.post("/sign-in/password", change).location == "/sign-in"
    assert show_password(stranger) == 401
    assert show_password(stranger, NEW) == 0


def test_whoever_has_a_device_changes_the_password_with_a_code(
    town: Town, stranger: Visitor, guard: str, now: datetime
) -> None:
    show_password(stranger)
    stranger.post("/sign-in/code", {"code": code(town, now)})
    change = {"account": "guard", "password": GOOD, "new": NEW, "again": NEW}
    assert stranger.post("/sign-in/password", change).status_code == 401
    later = now + timedelta(minutes=1)
    town.set_clock(later)
    assert stranger.post("/sign-in/password", change | {"code": code(town, later)}).location == "/sign-in"


def test_the_api_asks_for_a_code_too(app: Flask, town: Town, stranger: Visitor, guard: str, now: datetime) -> None:
    client, sent = app.test_client(), {"account": "guard", "password": GOOD}
    assert client.post("/api/v1/session", json=sent).status_code == 422, "the device is enrolled on the page"
    show_password(stranger)
    stranger.post("/sign-in/code", {"code": code(town, now)})
    later = now + timedelta(minutes=1)
    town.set_clock(later)
    assert client.post("/api/v1/session", json=sent).status_code == 401
    assert client.post("/api/v1/session", json=sent | {"code": code(town, later)}).status_code == 201
    assert client.post("/api/v1/session", json=sent | {"code": code(town, later)}).status_code == 401


def test_who_is_no_account_for_emergencies_any_more_stays_out(
    town: Town, stranger: Visitor, guard: str, now: datetime
) -> None:
    show_password(stranger)
    shown = code(town, now)
    with writing(town.engine) as session:
        end_break_glass(session, "guard", now=now, by="security")
        assert session.get_one(Account, "guard").password_hash is None
    assert stranger.post("/sign-in/code", {"code": shown}).status_code == 401
    assert show_password(stranger) == 401
