"""Stolen cookies and tokens after every way in which a session ends: none opens anything (办法16)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.drill.registry import Measured, drill
from web import identity
from web.app import create_app, list_routes
from workflow.access.accounts import create_account, disable, grant
from workflow.access.models import LoginSession
from workflow.access.sessions import revoke_session
from workflow.db import writing
from workflow.settings import Settings

EACH = 5  # sessions stolen for each ending
PAGES = 1000  # pages tried at most: all of them
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PASSWORD = "drill password"


@contextmanager
def ended_rows_still_open() -> Iterator[None]:
    """A build that believes a token without asking whether its row has ended."""
    honest = identity.signed_session

    def careless(session: Session, token: str, now: datetime) -> Any:
        found = honest(session, token, now)
        return None if found is None else dataclasses.replace(found, ended="")

    identity.signed_session = careless
    try:
        yield
    finally:
        identity.signed_session = honest


class Platform:
    """The web application on the drill's database, with a clock that the drill moves."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self._clock = engine, folder / "clock"
        self.set_clock(START)
        os.environ["SANDENG_CLOCK"] = f"file:{self._clock}"
        url = engine.url.render_as_string(hide_password=False)
        self.app: Flask = create_app(Settings(env="test", data_dir=folder / "web", database_url=url))
        self.app.config["WTF_CSRF_ENABLED"] = False
        self.pages = [
            route["rule"]
            for route in list_routes(self.app)
            if "GET" in route["methods"] and "<" not in route["rule"] and route["permission"] != "public"
        ][:PAGES]

    def set_clock(self, moment: datetime) -> None:
        """Move the present."""
        self.now = moment
        self._clock.write_text(moment.isoformat(), encoding="utf-8")

    def sign_in(self, account: str) -> tuple[FlaskClient, str]:
        """A browser, and the token that the interface gave it with the cookie."""
        client = self.app.test_client()
        answer = client.post("/api/v1/session", json={"account": account, "password": PASSWORD})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return client, answer.get_json()["token"]

    def accepted(self, cookie: str, token: str) -> int:
        """On how many pages, by cookie and by token, a thief is somebody: neither sent to the door nor asked who it is."""
        thief = self.app.test_client()
        count = 0
        for page in self.pages:
            thief.set_cookie("sandeng", cookie)
            by_cookie = thief.get(page)
            by_token = self.app.test_client().get(page, headers={"Authorization": f"Bearer {token}"})
            count += sum(not _turned_away(answer) for answer in (by_cookie, by_token))
        return count


def _turned_away(answer: Any) -> bool:
    return answer.status_code == 401 or (answer.status_code == 302 and answer.location.startswith("/sign-in"))


Ending = Callable[[Platform, str, FlaskClient], None]


def _signed_out(_platform: Platform, _account: str, client: FlaskClient) -> None:
    assert client.post("/sign-out").status_code == 302


def _disabled(platform: Platform, account: str, _client: FlaskClient) -> None:
    with writing(platform.engine) as session:
        disable(session, account, now=platform.now)


def _second_sign_in(platform: Platform, account: str, _client: FlaskClient) -> None:
    platform.sign_in(account)


def _revoked(platform: Platform, account: str, _client: FlaskClient) -> None:
    with writing(platform.engine) as session:
        mine = select(LoginSession.id).where(LoginSession.account == account, LoginSession.ended_at.is_(None))
        revoke_session(session, session.scalars(mine).one(), by="drill", now=platform.now, reason="演练")


def _idle(platform: Platform, _account: str, _client: FlaskClient) -> None:
    platform.set_clock(platform.now + timedelta(minutes=15, seconds=1))


def _eight_hours(platform: Platform, _account: str, client: FlaskClient) -> None:
    for _ in range(48):
        platform.set_clock(platform.now + timedelta(minutes=10))
        client.get("/notices")
    platform.set_clock(platform.now + timedelta(seconds=1))


ENDINGS: dict[str, Ending] = {
    "退出": _signed_out, "停用": _disabled, "再次登录": _second_sign_in, "收回": _revoked, "超时": _idle, "满八小时": _eight_hours,
}  # fmt: skip


@drill(
    "被盗会话",
    "退出、停用、再次登录、收回、超时、满八小时之后，被盗的 Cookie 和令牌在任何页面上 0 次被接受",
    ended_rows_still_open,
)
def stolen(engine: Engine, folder: Path) -> Measured:
    """Each session is stolen while it holds (and then opens pages), ends in one way, and is tried on every page."""
    before = os.environ.get("SANDENG_CLOCK")
    try:
        platform = Platform(engine, folder)
        held = accepted = tried = 0
        for n, (_name, end) in enumerate(ENDINGS.items()):
            for k in range(EACH):
                account = f"thief{n}-{k}"
                _person(engine, account, platform.now)
                client, token = platform.sign_in(account)
                kept = client.get_cookie("sandeng")
                assert kept is not None
                cookie = kept.value
                held += platform.accepted(cookie, token) == 2 * len(platform.pages)
                end(platform, account, client)
                accepted += platform.accepted(cookie, token)
                tried += 2 * len(platform.pages)
        with platform.app.app_context():
            platform.app.extensions["sqlalchemy"].engine.dispose()
    finally:
        if before is None:
            os.environ.pop("SANDENG_CLOCK", None)
        else:
            os.environ["SANDENG_CLOCK"] = before
    sessions = EACH * len(ENDINGS)
    says = f"{sessions} 个会话，结束前全部可用 {held}/{sessions}，结束后试 {tried:,} 次，被接受 {accepted:,}"
    return Measured(says, held == sessions and accepted == 0)


def _person(engine: Engine, account: str, now: datetime) -> None:
    with writing(engine) as session:
        create_account(session, name=account, person_name="演练", now=now, by="drill", password=PASSWORD)
        place = {"scope": "district", "district": "330200"}
        grant(session, account=account, role_name="reviewer", now=now, by="drill", **place)
