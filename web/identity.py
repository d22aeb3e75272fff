"""Who is asking: the signed-in session behind the cookie (or bearer token) and the Actor of the present request. Ended rows are refused at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, Response, flash, g, redirect, request, url_for
from flask import session as cookie
from flask_login import LoginManager, UserMixin, login_user, logout_user
from flask_login import current_user as signed_in
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from web.database import db, session
from workflow.access.scopes import Actor, Signed, signed_session
from workflow.access.sessions import begin_session, end_session, keep_alive, network_of
from workflow.access.walls import reach_of
from workflow.clock import SHANGHAI
from workflow.db import writing, writing_if_free
from workflow.errors import SandengError
from workflow.scoping import set_reach

SEEN_EVERY = timedelta(seconds=30)  # between two notes that a session is in use
WHY_ENDED = {
    "superseded": "您的账号已在另一处登录，本次会话已结束。如非本人操作，请立即联系数据安全管理员。",
    "revoked": "您的会话已被收回，请重新登录；有疑问请联系数据安全管理员。",
    "disabled": "您的账号已停用，请联系机构编制部门的数据安全管理员。",
    "idle": "您较长时间没有操作，会话已结束，请重新登录。",
    "expired": "本次登录已满八小时，请重新登录。",
}

login = LoginManager()


class NotSignedIn(SandengError):
    """请先登录。"""


class SignedIn(UserMixin):
    """What Flask-Login holds: the token of a session row, the row and the person behind it."""

    def __init__(self, token: str, signed: Signed) -> None:
        self.token = token
        self.signed = signed
        self.actor = signed.actor

    def get_id(self) -> str:
        """The session's token, not the account: revoking the row revokes the cookie."""
        return self.token


def sign_in(account: str, opened: Session | None = None, *, way: str = "password") -> str:
    """Begin a session for an account that has proved itself; returns the token. A fresh cookie, so that no old one is taken over."""
    opened = opened or session()
    agent = request.user_agent.string
    begun = begin_session(opened, account, now=g.now, address=request.remote_addr or "", agent=agent, way=way)
    cookie.clear()
    signed = signed_session(opened, begun.token, g.now)
    assert signed is not None
    set_reach(opened, reach_of(signed.actor))
    login_user(SignedIn(begun.token, signed))
    if begun.ended is not None:
        since = f"{begun.ended.created_at.astimezone(SHANGHAI):%m月%d日 %H:%M}"
        flash(
            f"您的账号 {since} 在 {begun.ended.address or '另一处'} 登录的会话尚未退出，现已结束。如非本人操作，请立即联系数据安全管理员。",
            "warn",
        )
    return begun.token


def sign_out() -> None:
    """End the session's row and clear the cookie."""
    end_session(session(), signed_in.get_id(), how="signed_out", now=g.now)
    logout_user()
    cookie.clear()


def actor() -> Actor:
    """The person of the present request. Raises NotSignedIn."""
    return signed().actor


def signed() -> Signed:
    """The session of the present request. Raises NotSignedIn, saying why where a session was presented that has ended."""
    if not signed_in.is_authenticated:
        raise NotSignedIn(why_ended() or None)
    return signed_in.signed


def why_ended() -> str:
    """Why the session that was presented opens nothing any more; empty where there was none or the person left."""
    return WHY_ENDED.get(g.get("session_ended", ""), "")


@login.user_loader
def _from_cookie(token: str) -> SignedIn | None:
    return _load(token)


@login.request_loader
def _from_bearer(asked: Any) -> SignedIn | None:
    header = asked.headers.get("Authorization", "")
    return _load(header[7:]) if header.startswith("Bearer ") else None


def _load(token: str) -> SignedIn | None:
    found = signed_session(session(), token, g.now)
    if found is None or found.ended:
        g.session_ended = found.ended if found else ""
        return None
    set_reach(session(), reach_of(found.actor))
    return SignedIn(token, found)


def _keep_alive(response: Response) -> Response:
    """After the request's own transaction: the session is in use now. Where others are writing, the next request tells it."""
    found: Signed | None = getattr(g.get("_login_user"), "signed", None)
    if found is None:
        return response
    address = request.remote_addr or ""
    if network_of(address) not in (network_of(found.address), network_of(found.elsewhere)):
        with writing(db.engine) as own:
            keep_alive(own, found.session_id, address=address, now=g.now)
    elif g.now - found.seen_at >= SEEN_EVERY:
        with writing_if_free(db.engine) as own:
            if own is not None:
                keep_alive(own, found.session_id, address=address, now=g.now)
    return response


@login.unauthorized_handler
def ask_to_sign_in() -> AnyResponse:
    """To the sign-in page, and afterwards back to what was asked for."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("sign_in.form", next=wanted))


def install_outside(app: Flask) -> None:
    """The outer half, before the database is installed: what follows its commit or rollback."""
    app.after_request(_keep_alive)


def install(app: Flask) -> None:
    """Hang sign-in on the application."""
    login.session_protection = None  # the row decides, not the browser's name
    login.init_app(app)
