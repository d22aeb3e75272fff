"""Accounts and grants for the security officers (办法16 分级管理、分类赋权): the list, one account with its dated grants, what one officer may do and what takes two."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.pages.matters import options_of
from web.paging import Page, argument, decode, encode
from web.permissions import permission
from web.problems import status_of
from web.providers import oidc_subject, zzd_subject
from web.typed_forms import sent_fields
from workflow.access import identities
from workflow.access.accounts import disable
from workflow.access.opening import LABELS, open_account
from workflow.access.roles import roles
from workflow.access.sessions import WAYS
from workflow.casework.granting import OFFICERS, PROCESS, holds_roles, officers, propose, reachable_account
from workflow.engine.registry import book
from workflow.errors import BadInput, Conflict, NotFound, Refused, SandengError
from workflow.insight.account_lists import STATES, AccountFilter, account_page, accounts, count_accounts

bp = Blueprint("accounts", __name__)
PROVIDERS = ("zzd", "oidc")


@bp.get("/accounts")
@permission("account.manage")
def page() -> Any:
    """The accounts in reach by name, narrowed by text, state, role and unit."""
    titles = {name: found.title for name, found in roles().items()}
    wanted = AccountFilter(argument("text"), argument("state", STATES), argument("role", titles), argument("unit"))
    rows, after = accounts(session(), actor(), wanted, g.now, after=decode(argument("after", limit=300)))
    total = count_accounts(session(), actor(), wanted, g.now)
    return render_template(
        "accounts/page.html",
        page=Page(rows, encode(*after) if after else None, total),
        wanted=wanted,
        kept={name: value for name, value in asdict(wanted).items() if value},
        STATES=STATES,
        titles=titles,
    )


@bp.get("/accounts/new")
@permission("account.manage")
def new() -> Any:
    """The form for a new account."""
    return _new({"unit": argument("unit")})


@bp.post("/accounts")
@permission("account.manage")
def begin() -> Any:
    """Open an account; what cannot be kept is told at its field."""
    try:
        made = open_account(session(), actor(), request.form, g.now)
    except (BadInput, Conflict) as fault:
        return _new(request.form, fault), status_of(fault)
    flash(f"已开立账号 {made.name}，尚无授权。请提请授予角色，由第二人批准后生效。", "done")
    return redirect(url_for("accounts.one", name=made.name))


@bp.get("/accounts/<name>")
@permission("account.manage")
def one(name: str) -> Any:
    """One account: its grants as dated rows, its identities, the changes that wait, and what may be done."""
    return _one(name)


@bp.post("/accounts/<name>/changes")
@permission("account.manage")
def change(name: str) -> Any:
    """Put a change before the second officer: a grant, its withdrawal, the account's return, another identity."""
    return _put_forward(name, sent_fields(book().process(PROCESS).form))


def _put_forward(name: str, sent: dict[str, Any]) -> Any:
    texts = {**sent, "account": name}
    try:
        if texts.get("kind") == "bind":
            texts["subject"] = _subject(texts)
        case_id = propose(session(), actor(), texts, g.now)
    except BadInput as fault:
        return _one(name, request.form, fault), 400
    flash("已提请审批，由另一名数据安全管理员批准后生效。", "done")
    return redirect(url_for("case.page", case_id=case_id))


@bp.post("/accounts/<name>/disable")
@permission("account.manage")
def disabling(name: str) -> Any:
    """Disable an account at once; one officer's act, for it only takes away."""
    account = reachable_account(session(), actor(), name)
    reason = request.form.get("reason", "").strip()[:200]
    if not reason:
        raise BadInput("请写明停用的理由")
    if account.name == actor().account:
        raise Refused("不能停用自己的账号，请由另一名数据安全管理员办理")
    disable(session(), account.name, now=g.now, by=actor().account, reason=reason)
    flash(f"已停用账号 {name}，其会话已即时结束。", "done")
    if len(officers(session(), g.today)) < OFFICERS:
        flash(f"市级数据安全管理员不足 {OFFICERS} 名，授权变更无人审批，请尽快补足。", "warn")
    return redirect(url_for("accounts.one", name=name))


@bp.post("/accounts/<name>/bind")
@permission("account.manage")
def bind(name: str) -> Any:
    """Bind an identity to an account without roles; with roles in force it takes a second officer."""
    account = reachable_account(session(), actor(), name)
    texts = {"kind": "bind", **{key: request.form.get(key, "") for key in ("provider", "subject", "why")}}
    if holds_roles(session(), account.name, g.now):
        return _put_forward(name, texts)
    if account.name == actor().account:
        raise Refused("不能为自己的账号绑定身份，请由另一名数据安全管理员办理")
    try:
        identities.bind(session(), name, texts["provider"], _subject(texts), now=g.now, by=actor().account)
    except BadInput as fault:
        return _one(name, request.form, fault), 400
    flash(f"已绑定{WAYS[texts['provider']]}身份。", "done")
    return redirect(url_for("accounts.one", name=name))


@bp.post("/accounts/<name>/unbind")
@permission("account.manage")
def unbind(name: str) -> Any:
    """Take a binding away at once: the person signs in no more that way."""
    account = reachable_account(session(), actor(), name)
    provider = request.form.get("provider", "")
    identities.unbind(session(), account.name, provider, now=g.now, by=actor().account)
    flash(f"已解除{WAYS.get(provider, provider)}身份绑定。", "done")
    return redirect(url_for("accounts.one", name=name))


def _subject(texts: dict[str, Any]) -> str:
    """The identity as bindings know it: within the tenant or issuer that the platform is connected to. Raises BadInput."""
    settings = current_app.extensions["sandeng"]
    provider, typed = texts.get("provider", ""), str(texts.get("subject", "")).strip()
    if provider not in PROVIDERS or not typed:
        raise BadInput("请选择身份认证平台并填写身份", errors=[{"field": "subject", "message": "须填写"}])
    place = settings.zzd_tenant if provider == "zzd" else settings.oidc_issuer
    if not place:
        says = f"平台尚未接入{WAYS[provider]}，请先由系统管理员设置"
        raise BadInput(says, errors=[{"field": "provider", "message": says}])
    return zzd_subject(place, typed) if provider == "zzd" else oidc_subject(place, typed)


def _new(given: Any, fault: SandengError | None = None) -> str:
    everywhere = any(held.everywhere for held in actor().holding("account.manage"))
    return render_template(
        "accounts/new.html", given=given, fault=fault, errors=_errors(fault), LABELS=LABELS, everywhere=everywhere
    )


def _one(name: str, given: Any = None, fault: BadInput | None = None) -> str:
    shown = account_page(session(), actor(), name, g.now)
    if shown is None:
        raise NotFound
    everywhere = any(held.everywhere for held in actor().holding("account.manage"))
    return render_template(
        "accounts/one.html",
        shown=shown,
        fields={f.name: f for f in book().process(PROCESS).form},
        given=given or {},
        fault=fault,
        errors=_errors(fault),
        options_of=options_of if everywhere else _unit_options,
        everywhere=everywhere,
        own=shown.listed.account.name == actor().account,
        states=book().process(PROCESS).states,
        WAYS=WAYS,
    )


def _unit_options(field: Any, today: Any) -> list[tuple[str, str]]:
    """What a county's officer may choose: roles over units only."""
    return [
        (value, text)
        for value, text in options_of(field, today)
        if field.name != "role" or roles()[value].scope == "unit"
    ]


def _errors(fault: SandengError | None) -> dict[str, str]:
    return {each["field"]: each.get("message", fault.says) for each in fault.facts.get("errors", [])} if fault else {}
