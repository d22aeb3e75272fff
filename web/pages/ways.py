"""Signing in through an identity provider: to its page and back. The state is bound to the browser and used once (办法16).

The way back is a GET that writes; it does so in short transactions of its own, and asks the provider between them.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for
from flask import session as cookie
from flask_login import current_user as signed_in

from web.database import db, session
from web.identity import sign_in, signed
from web.pages.sign_in import form_page, inside
from web.permissions import public
from web.problems import status_of
from web.providers import Provider, Trip, Unrecognised, derived_for
from workflow.access.accounts import refuse_sign_in
from workflow.access.identities import AttemptRefused, UnknownPerson, begin_attempt, recognised, use_attempt
from workflow.access.models import SignInAttempt
from workflow.access.sessions import prove_anew
from workflow.db import writing
from workflow.errors import NotFound, Refused
from workflow.outside.http import Unreachable

bp = Blueprint("ways", __name__)


@bp.post("/sign-in/with/<name>")
@public
def leave(name: str) -> Any:
    """Send the browser to the provider; somebody who is signed in proves the identity anew there."""
    provider = _provider(name)
    anew = bool(signed_in.is_authenticated)
    state, secret = begin_attempt(session(), name, now=g.now, session_id=signed().session_id if anew else None)
    trip = _trip(name, state, secret, anew=anew)
    try:
        address = provider.entrance(trip)
    except Unreachable as error:
        return _down(provider, error)
    cookie["way"] = {"secret": secret, "next": inside(request.form.get("next", ""))}
    answer = make_response(render_template("sign_in/leaving.html", provider=provider, address=address))
    answer.headers["Refresh"] = (
        f"0; url={address}"  # a redirect of a form would need the content policy to let forms out
    )
    return answer


@bp.get("/sign-in/with/<name>/callback")
@public
def arrive(name: str) -> Any:
    """Back from the provider: use the state up, ask who it is, begin a session."""
    provider, way = _provider(name), cookie.pop("way", None) or {}
    state = request.args.get("state", "")[:200]
    try:
        attempt = _used(name, state, way.get("secret", ""))
        trip = _trip(name, state, way["secret"], anew=attempt.session_id is not None)
        subject = provider.person({key: value[:2000] for key, value in request.args.items()}, trip)
        _let_in(name, subject, attempt)
    except Refused as refused:
        if isinstance(refused, AttemptRefused | Unrecognised) and (way or not isinstance(refused, AttemptRefused)):
            _note(name, refused.why)
        return form_page(refused.says), status_of(refused)
    except Unreachable as error:
        _note(name, "provider_down")
        return _down(provider, error)
    return redirect(way.get("next") or url_for("home.page"))


def _used(name: str, state: str, secret: str) -> SignInAttempt:
    """In a transaction of its own, so that a state is used up whatever comes after."""
    late: AttemptRefused | None = None
    with writing(db.engine) as own:
        try:
            found = use_attempt(own, name, state, secret, g.now)
        except AttemptRefused as refused:
            late = refused
    if late is not None:
        raise late
    return found


def _let_in(name: str, subject: str, attempt: SignInAttempt) -> None:
    """A refusal is told in the same transaction, which is kept. Raises Refused."""
    refusal: Refused | None = None
    with writing(db.engine) as own:
        try:
            account = recognised(own, name, subject, g.now)
            if attempt.session_id is None:
                sign_in(account.name, own, way=name)
            elif (
                signed_in.is_authenticated
                and signed().session_id == attempt.session_id
                and signed().actor.account == account.name
            ):
                prove_anew(own, attempt.session_id, g.now)
            else:
                refuse_sign_in(own, account, account.name, g.now, "another_person")
                refusal = UnknownPerson("验证的身份与登录的账号不是同一人。")
        except Refused as refused:
            refusal = refused
    if refusal is not None:
        raise refusal


def _trip(name: str, state: str, secret: str, *, anew: bool) -> Trip:
    settings = current_app.extensions["sandeng"]
    base = settings.public_url or request.host_url.rstrip("/")
    verifier, nonce = (derived_for(settings.session_key, purpose, secret) for purpose in ("pkce", "nonce"))
    return Trip(f"{base}{url_for('ways.arrive', name=name)}", state, verifier, nonce, anew)


def _provider(name: str) -> Provider:
    found = current_app.extensions["sandeng.providers"].get(name)
    if found is None:
        raise NotFound("本平台没有接入这种登录方式")
    return found  # type: ignore[no-any-return]


def _down(provider: Provider, error: Unreachable) -> tuple[str | Response, int]:
    says = error.says if error.says != Unreachable.__doc__ else f"{provider.title}暂时不能连接，请稍后再试。"
    return form_page(says), 503


def _note(name: str, why: str) -> None:
    with writing(db.engine) as own:
        refuse_sign_in(own, None, name, g.now, f"{name}_{why}"[:60])
