"""Sign-in, sessions as rows, and what ends them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from tests.web.conftest import COUNTY, Town, Visitor
from web.app import create_app
from workflow.access.accounts import disable
from workflow.access.models import Account, LoginSession
from workflow.db import reading, writing
from workflow.settings import Settings

CLERK = f"clerk@{COUNTY}"


def test_a_wrong_password_is_refused_and_counted(town: Town, stranger: Visitor) -> None:
    assert stranger.post("/sign-in", {"account": CLERK, "password": "wrong"}).status_code == 401
    with reading(town.engine) as session:
        assert session.get_one(Account, CLERK).failures == 1


def test_five_wrong_passwords_lock_the_account_even_for_the_right_one(
    town: Town, stranger: Visitor, now: datetime
) -> None:
    for _ in range(5):
        stranger.post("/sign-in", {"account": CLERK, "password": "wrong"})
    right = {"account": CLERK, "password": "sandeng-demo"}
    assert stranger.post("/sign-in", right).status_code == 423
    town.set_clock(now + timedelta(minutes=30))
    assert stranger.post("/sign-in", right).status_code == 302


def test_an_unknown_account_is_refused_in_the_same_words(stranger: Visitor) -> None:
    unknown = stranger.post("/sign-in", {"account": "nobody", "password": "x"}).get_data(as_text=True)
    assert "账号或密码不正确" in unknown


def test_the_session_is_a_row_that_keeps_no_token(town: Town, clerk: Visitor) -> None:
    with reading(town.engine) as session:
        row = session.scalars(select(LoginSession)).one()
        session.expunge(row)
    cookie = clerk.client.get_cookie("sandeng")
    assert cookie is not None
    assert row.account == CLERK
    assert len(row.token_hash) == 64
    assert row.token_hash not in cookie.value


def test_a_stolen_cookie_is_worthless_after_sign_out(app: object, clerk: Visitor) -> None:
    cookie = clerk.client.get_cookie("sandeng")
    assert cookie is not None
    clerk.post("/sign-out")
    clerk.client.set_cookie("sandeng", cookie.value)
    assert clerk.get("/").status_code == 302


def test_a_disabled_account_is_out_at_once(town: Town, clerk: Visitor, now: datetime) -> None:
    with writing(town.engine) as session:
        disable(session, CLERK, now=now)
    assert clerk.get("/").status_code == 302


@pytest.mark.parametrize(("minutes", "status"), [(15, 200), (16, 302)])
def test_a_session_idles_out_after_fifteen_minutes(
    town: Town, clerk: Visitor, now: datetime, minutes: int, status: int
) -> None:
    town.set_clock(now + timedelta(minutes=minutes))
    assert clerk.get("/").status_code == status


def test_a_token_idles_out_like_a_cookie(app: Flask, town: Town, now: datetime) -> None:
    client = app.test_client()
    sent = {"account": "security", "password": "sandeng-demo"}
    answer = client.post("/api/v1/session", json=sent)
    assert answer.json["idle_seconds"] == 600
    bearer = {"Authorization": f"Bearer {answer.json['token']}"}
    other = app.test_client()
    for minutes, status in ((10, 200), (20, 200), (31, 401)):
        town.set_clock(now + timedelta(minutes=minutes))
        assert other.get("/api/v1/session", headers=bearer).status_code == status
    assert "没有操作" in other.get("/api/v1/session", headers=bearer).json["detail"]


def test_a_second_sign_in_ends_the_first_and_both_are_told(sign_in: Callable[..., Visitor]) -> None:
    first = sign_in(CLERK)
    second = sign_in(CLERK, elsewhere=True)
    assert "登录的会话尚未退出，现已结束" in second.get("/").get_data(as_text=True)
    assert first.get("/").location == "/sign-in?next=/"
    assert "已在另一处登录，本次会话已结束" in first.get("/sign-in?next=/").get_data(as_text=True)


def test_people_see_their_sessions_and_how_each_ended(sign_in: Callable[..., Visitor]) -> None:
    sign_in(CLERK)
    page = sign_in(CLERK, elsewhere=True).get("/me/sessions").get_data(as_text=True)
    assert "本次会话" in page
    assert "在另一处登录" in page


def test_a_session_tells_the_browser_that_it_was_begun_with(app: Flask, town: Town) -> None:
    visitor = Visitor(app.test_client())
    browser = {"User-Agent": "Mozilla/5.0 (Uos; Linux x86_64) Example/120"}
    visitor.post("/sign-in", {"account": CLERK, "password": "sandeng-demo"}, headers=browser)
    assert "Mozilla/5.0 (Uos; Linux x86_64)" in visitor.get("/me/sessions").get_data(as_text=True)


def test_a_security_officer_ends_a_session_at_once(
    town: Town, sign_in: Callable[[str], Visitor], clerk: Visitor
) -> None:
    guard = sign_in("security")
    with reading(town.engine) as session:
        theirs = session.scalars(select(LoginSession.id).where(LoginSession.account == CLERK)).one()
    assert CLERK in guard.get(f"/sessions?account={COUNTY}").get_data(as_text=True)
    assert guard.post(f"/sessions/{theirs}/revoke").status_code == 400, "not without a reason"
    assert clerk.get("/").status_code == 200
    assert guard.post(f"/sessions/{theirs}/revoke", {"reason": "设备遗失"}).status_code == 302
    assert clerk.get("/").status_code == 302
    assert "您的会话已被收回" in clerk.get("/sign-in").get_data(as_text=True)
    assert guard.post(f"/sessions/{theirs}/revoke", {"reason": "再次"}).status_code == 404


def test_a_cookie_in_two_networks_is_seen_by_the_security_officers(
    town: Town, sign_in: Callable[[str], Visitor], clerk: Visitor
) -> None:
    clerk.get("/", environ_base={"REMOTE_ADDR": "10.2.3.4"})
    assert "又在 10.2.3.4" in sign_in("security").get("/sessions").get_data(as_text=True)


def test_reading_waits_for_nobody_who_writes(town: Town, clerk: Visitor, now: datetime) -> None:
    town.set_clock(now + timedelta(minutes=5))
    with writing(town.engine):
        assert clerk.get("/notices").status_code == 200
    with reading(town.engine) as session:
        seen = select(LoginSession.seen_at)
        assert session.scalars(seen).one() == (now if town.engine.dialect.name == "sqlite" else now + timedelta(0, 300))
    clerk.get("/notices")
    with reading(town.engine) as session:
        assert session.scalars(seen).one() == now + timedelta(minutes=5)


def test_a_session_in_use_ends_after_eight_hours(town: Town, clerk: Visitor, now: datetime) -> None:
    for minutes in range(10, 481, 10):
        town.set_clock(now + timedelta(minutes=minutes))
        assert clerk.get("/notices").status_code == 200
    town.set_clock(now + timedelta(minutes=481))
    assert clerk.get("/notices").status_code == 302


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nX-Evil: 1"]
)
def test_signing_in_leads_nowhere_outside(stranger: Visitor, wanted: str) -> None:
    answer = stranger.post("/sign-in", {"account": CLERK, "password": "sandeng-demo", "next": wanted})
    assert answer.location == "/"


def test_signing_in_leads_to_the_page_that_was_wanted(stranger: Visitor) -> None:
    asked = stranger.get("/tickets?light=red")
    assert asked.location == "/sign-in?next=/tickets?light%3Dred"
    wanted = {"account": CLERK, "password": "sandeng-demo", "next": "/tickets?light=red"}
    assert stranger.post("/sign-in", wanted).location == "/tickets?light=red"


def test_production_knows_no_demonstration_account(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDENG_CLOCK")
    keys = {"secret_key": "K7f3s9Qe2LmZx8Vb4NcT6yHw1RdG5uJp", "data_key": "P2w8Xz5Vt9Nq3Lr7Kc4Hy6Jm1Bd0GfSe"}
    url = town.engine.url.render_as_string(hide_password=False)
    app = create_app(Settings(env="production", data_dir=tmp_path / "data", database_url=url, **keys))
    visitor = Visitor(app.test_client())
    page = visitor.get("/sign-in", base_url="https://localhost").get_data(as_text=True)
    assert "演示账号" not in page
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_the_door_shows_the_demonstration_accounts_that_one_looks_for(stranger: Visitor) -> None:
    page = stranger.get(f"/sign-in?find={COUNTY}").get_data(as_text=True)
    assert f"clerk@{COUNTY}" in page
    assert "reviewer@330203" not in page


def test_the_right_person_is_greeted_by_role(sign_in: Callable[[str], Visitor]) -> None:
    assert "示例单位330282101号" in sign_in(CLERK).get("/").get_data(as_text=True)
    assert "慈溪市" in sign_in("reviewer@330282").get("/").get_data(as_text=True)
    assert "互不兼任" in sign_in("auditor").get("/").get_data(as_text=True)
