"""Proving one's identity anew within a session: by password and code, or at the identity provider. Holds for five minutes (办法16)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, g, redirect, render_template, request

from web.database import keep_refusal, session
from web.identity import actor, signed
from web.pages.codes import needs_code
from web.pages.sign_in import inside
from web.permissions import signed_in_only
from web.problems import status_of
from workflow.access.accounts import authenticate, authenticate_code
from workflow.access.sessions import prove_anew
from workflow.errors import Refused

bp = Blueprint("prove", __name__)


@bp.get("/me/prove")
@signed_in_only
def form() -> Any:
    """The ways in which this person can prove the identity: the one of the sign-in."""
    return _form()


@bp.post("/me/prove")
@signed_in_only
def prove() -> Any:
    """Check password and code; a failure counts like one at the door."""
    production = current_app.extensions["sandeng"].production
    name, password = actor().account, request.form.get("password", "")[:200]
    try:
        account = authenticate(session(), name, password, now=g.now, production=production)
        if needs_code(account):
            authenticate_code(session(), name, request.form.get("code", "").strip(), now=g.now)
    except Refused as refused:
        keep_refusal()
        return _form(refused.says), status_of(refused)
    prove_anew(session(), signed().session_id, g.now)
    return redirect(inside(request.form.get("next", "")))


def _form(says: str = "") -> str:
    provider = current_app.extensions["sandeng.providers"].get(signed().way)
    wanted = inside(request.values.get("next", ""))
    return render_template("sign_in/prove.html", says=says, wanted=wanted, provider=provider)
