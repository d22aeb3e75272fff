"""Sign-in and sign-out. Local passwords serve demonstration, tests and emergencies; demonstration accounts are shown where they may exist."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for
from flask_login import current_user as signed_in

from web.database import keep_refusal, session
from web.identity import sign_in, sign_out, why_ended
from web.pages.codes import ask_for_code, needs_code
from web.paging import argument
from web.permissions import public, signed_in_only
from web.problems import status_of
from workflow.access.accounts import PasswordExpired, authenticate
from workflow.access.demonstration import PASSWORD
from workflow.errors import Refused
from workflow.insight.accounts import demonstration_accounts

bp = Blueprint("sign_in", __name__)


@bp.get("/sign-in")
@public
def form() -> Any:
    """The sign-in form; who is signed in already goes home."""
    return redirect(url_for("home.page")) if signed_in.is_authenticated else form_page()


@bp.post("/sign-in")
@public
def enter() -> Any:
    """Check the password, begin a session, go to where one wanted to go; accounts for emergencies show a code first."""
    account, password = request.form.get("account", "").strip(), request.form.get("password", "")
    production = current_app.extensions["sandeng"].production
    try:
        found = authenticate(session(), account, password, now=g.now, production=production)
    except Refused as refused:
        keep_refusal()
        return form_page(refused.says, account, expired=isinstance(refused, PasswordExpired)), status_of(refused)
    wanted = inside(request.form.get("next", ""))
    if needs_code(found):
        return ask_for_code(found, wanted)
    sign_in(found.name)
    return redirect(wanted)


@bp.post("/sign-out")
@signed_in_only
def leave() -> Any:
    """End the session's row; the cookie is worthless from now on."""
    sign_out()
    flash("您已退出登录。", "done")
    answer = redirect(url_for("sign_in.form"))
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def form_page(says: str = "", account: str = "", *, expired: bool = False) -> str:
    """The sign-in page: the providers, the password form, the demonstration accounts where they may exist."""
    demo = current_app.extensions["sandeng"].demo_accounts
    accounts = demonstration_accounts(session(), argument("find")) if demo else []
    wanted = request.values.get("next", "")
    return render_template(
        "sign_in/form.html",
        says=says or why_ended(),
        account=account,
        expired=expired,
        providers=current_app.extensions["sandeng.providers"].values(),
        accounts=accounts,
        password=PASSWORD if demo else "",
        wanted=wanted,
    )


def inside(wanted: str) -> str:
    """Only addresses of this platform are followed, and none that a header could not hold."""
    if not wanted.isprintable():
        return url_for("home.page")
    parts = urlsplit(wanted)
    inside = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return wanted if inside else url_for("home.page")
