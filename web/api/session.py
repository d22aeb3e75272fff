"""POST /api/v1/session: local sign-in, a cookie and a token; who am I; sign-out."""

from __future__ import annotations

from typing import Any

from flask import current_app, g, jsonify

from web.api.shared import api, body, text_of
from web.database import keep_refusal, session
from web.identity import actor, sign_in, sign_out
from web.permissions import public, signed_in_only
from workflow.access.accounts import authenticate, authenticate_code
from workflow.access.passwords import break_glass_of, tell_use
from workflow.access.roles import roles
from workflow.access.scopes import Actor
from workflow.access.second_factor import enrolled
from workflow.access.sessions import ABSOLUTE, idle_limit
from workflow.errors import Refused

bp = api("session")


@bp.post("/session")
@public
def enter() -> Any:
    """Sign in with account and password (and code, where the account is one for emergencies); the answer carries the token for `Authorization: Bearer`."""
    sent = body()
    account, password = (
        text_of(sent, "account", required=True, most=64),
        text_of(sent, "password", required=True, most=200),
    )
    code = text_of(sent, "code", most=6)
    try:
        found = authenticate(
            session(), account, password, now=g.now, production=current_app.extensions["sandeng"].production
        )
        if break_glass_of(session(), found.name) is not None:
            if not enrolled(session(), found.name):
                raise Refused("应急账号首次登录请在网页上登记动态口令")
            authenticate_code(session(), found.name, code, now=g.now)
            tell_use(session(), found.name, g.now)
    except Refused:
        keep_refusal()
        raise
    token = sign_in(found.name)
    idle = idle_limit(session(), found.name)
    limits = {"idle_seconds": int(idle.total_seconds()), "expires_at": g.now + ABSOLUTE}
    return jsonify(token=token, **limits, **_person(actor())), 201


@bp.get("/session")
@signed_in_only
def me() -> Any:
    """Who is signed in, with which roles over which scopes."""
    return jsonify(_person(actor()))


@bp.delete("/session")
@signed_in_only
def leave() -> Any:
    """End the session; cookie and token are worthless from now on."""
    sign_out()
    return "", 204


def _person(person: Actor) -> dict[str, Any]:
    held = [
        {"role": h.role, "title": roles()[h.role].title, "scope": h.scope, "unit_id": h.unit_id, "district": h.district}
        for h in person.held
    ]
    return {"account": person.account, "person_name": person.person_name, "title": person.title, "roles": held}
