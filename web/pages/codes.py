"""The second step of accounts for emergencies: the one-time code, the device's enrolment, a new password (办法16)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for
from flask import session as cookie

from web.database import keep_refusal, session
from web.identity import sign_in
from web.permissions import public
from web.problems import status_of
from workflow.access.accounts import authenticate, authenticate_code
from workflow.access.models import Account
from workflow.access.passwords import CLASSES, LENGTH, REMEMBERED, break_glass_of, set_password, tell_use
from workflow.access.second_factor import begin_enrolment, enrolled, enrolment_address
from workflow.errors import BadInput, Refused

bp = Blueprint("codes", __name__)
HALF = timedelta(minutes=5)  # between the password and the code
POLICY = {"length": LENGTH, "classes": CLASSES, "remembered": REMEMBERED}


def ask_for_code(account: Account, wanted: str) -> Any:
    """The password was right: on to the code. What was proved stands in the signed cookie for five minutes and opens nothing else."""
    begin_enrolment(session(), account.name, g.now)
    cookie.clear()
    cookie["half"] = {"account": account.name, "at": g.now.isoformat(), "next": wanted}
    return redirect(url_for("codes.form"))


def needs_code(account: Account) -> bool:
    """Whether a password alone does not sign this account in."""
    return break_glass_of(session(), account.name) is not None


@bp.get("/sign-in/code")
@public
def form() -> Any:
    """Where the code is typed; before the first one with the picture that the device reads."""
    return _form()


@bp.post("/sign-in/code")
@public
def enter() -> Any:
    """Check the code, use it up, begin a session."""
    half = _half()
    if half is None:
        return redirect(url_for("sign_in.form"))
    try:
        account = authenticate_code(session(), half["account"], request.form.get("code", "").strip(), now=g.now)
    except Refused as refused:
        keep_refusal()
        return _form(refused.says), status_of(refused)
    sign_in(account.name)
    tell_use(session(), account.name, g.now)
    return redirect(half["next"])


@bp.get("/sign-in/password")
@public
def password_form() -> Any:
    """Change the password of an account for emergencies."""
    return render_template("sign_in/password.html", says="", account=request.args.get("account", "")[:64], **POLICY)


@bp.post("/sign-in/password")
@public
def change() -> Any:
    """The old password and a code, then the new one twice. It is signed in with afterwards."""
    name, old, new = (request.form.get(field, "")[:300] for field in ("account", "password", "new"))
    try:
        _change(name.strip(), old, new)
    except (Refused, BadInput) as refused:
        keep_refusal()
        page = render_template("sign_in/password.html", says=refused.says, account=name, **POLICY)
        return page, status_of(refused)
    flash("密码已修改，请用新密码登录。", "done")
    return redirect(url_for("sign_in.form"))


def _change(name: str, old: str, new: str) -> None:
    if new != request.form.get("again", ""):
        raise BadInput("两次输入的新密码不一致")
    production = current_app.extensions["sandeng"].production
    account = authenticate(session(), name, old, now=g.now, production=production, to_change=True)
    if enrolled(session(), account.name):
        authenticate_code(session(), account.name, request.form.get("code", "").strip(), now=g.now)
    set_password(session(), account.name, new, now=g.now, by=account.name)


def _half() -> dict[str, str] | None:
    """Who has shown the password within the last five minutes."""
    half = cookie.get("half")
    at = datetime.fromisoformat(half["at"]) if half else None
    return half if at is not None and timedelta() <= g.now - at <= HALF else None


def _form(says: str = "") -> str:
    half = _half()
    if half is None:
        return render_template("sign_in/code.html", says="请先输入账号和密码。", half=None, picture="", key="")
    address = enrolment_address(session(), half["account"])
    picture = _picture(address) if address else ""
    key = address.partition("secret=")[2].partition("&")[0]
    return render_template("sign_in/code.html", says=says, half=half, picture=picture, key=key)


def _picture(address: str) -> str:
    """A QR code as a data address, made here: no other party sees the secret."""
    import segno  # for two accounts, once each: no start waits for it

    return str(segno.make(address, error="m").svg_data_uri(scale=5, border=2))
