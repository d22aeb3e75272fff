"""授权变更 (办法16 分级管理、分类赋权): one security officer proposes a grant, its withdrawal, an account's return or another identity; a second approves.

Guards and effects of definitions/processes/grant_change.yaml. Grants are only added and taken back, never edited. Rows only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.access import accounts, identities
from workflow.access.accounts import clashing, grants_in_force, in_force_on
from workflow.access.models import Account, AccountIdentity, Grant, Revocation
from workflow.access.roles import Role, role, roles
from workflow.access.scopes import CITY, Actor, in_scope
from workflow.access.telling import tell_account
from workflow.casework.four_eyes import judged_people, of_people
from workflow.casework.matters import open_matter, titled
from workflow.clock import business_date
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import book, effect, guard
from workflow.engine.steps import require_moved, take_step
from workflow.engine.verdicts import Verdict
from workflow.errors import NotFound
from workflow.registry.places import districts_of
from workflow.registry.tables import TABLES

PROCESS = "grant_change"
MANAGE = "account.manage"
BASIS = "办法16"
COUNTY = "county_security"
OFFICERS = 2  # that there must be: with fewer, nothing could be approved any more
UNIT = TABLES["unit"].c


@titled(PROCESS)
def title(values: Mapping[str, Any], _unit_name: str) -> str:
    """As lists show it: what is changed, for which account."""
    kinds = next(field.options for field in book().process(PROCESS).form if field.name == "kind")
    given = roles().get(values.get("role", ""))
    more = f"（{given.title}）" if given and values.get("kind") == "grant" else ""
    return f"{kinds.get(values.get('kind', ''), '')}：{values.get('account', '')}{more}"


def reachable_account(session: Session, actor: Actor, name: str) -> Account:
    """An account within what a person manages. Raises NotFound, also for one out of reach."""
    found = session.scalar(select(Account).where(Account.name == name, in_scope(actor, MANAGE, Account.unit_id)))
    if found is None:
        raise NotFound(f"没有账号 {name[:64]}，或不在您的管理范围内")
    return found


def propose(session: Session, actor: Actor, texts: Mapping[str, Any], now: datetime) -> int:
    """A change put before the second officer: opened and submitted at once; returns the case.

    Raises NotFound for an account out of reach, BadInput for what cannot be kept, Refused with every verdict against it.
    """
    account = reachable_account(session, actor, str(texts.get("account", "")))
    case_id = open_matter(session, PROCESS, account.unit_id, texts, now=now, actor=actor)
    require_moved(take_step(session, PROCESS, "submit", [case_id], now=now, actor=actor))
    return case_id


def approve(session: Session, actor: Actor, case_id: int, now: datetime) -> None:
    """The second officer's approval, by which the change is made. Raises Refused with every verdict against it."""
    require_moved(take_step(session, PROCESS, "approve", [case_id], now=now, actor=actor))


def officers(session: Session, on: date) -> list[str]:
    """The enabled accounts that hold the city's security role on a day, in order."""
    held = select(Grant.account).join(Account, Account.name == Grant.account).outerjoin(Revocation)
    guards = [name for name, found in roles().items() if MANAGE in found.may and found.scope == "platform"]
    held = held.where(Grant.role.in_(guards), in_force_on(on))
    held = held.where((Account.disabled_on.is_(None)) | (Account.disabled_on > on))
    return list(session.scalars(held.distinct().order_by(Grant.account)))


def _form(case: CaseRow) -> dict[str, Any]:
    form: dict[str, Any] = case.data.get("form", {})
    return form


of_people(
    "not_own_account", "不涉及办理人本人的账号", "不得为自己的账号提出或者批准授权变更，请由他人办理", basis=BASIS
)


@guard("not_own_account")
def not_own_account(context: StepContext) -> dict[int, list[Verdict]]:
    """Who proposes or approves a change is not the one whose account it is."""
    return judged_people(context, "not_own_account", {case.id: [_form(case).get("account")] for case in context.cases})


@guard("account_is_in_reach")
def account_is_in_reach(context: StepContext) -> dict[int, list[Verdict]]:
    """The city's officers change every account; a county's the unit roles of the accounts of its units (办法16 分级管理)."""
    actor, by = context.request.actor, context.step.by
    everywhere = any(actor.has(name) and role(name).scope == "platform" for name in by)
    verdicts = {}
    for case in context.cases:
        units = _units_of(context.session, case)
        near = {unit for unit in units if unit is not None}
        within = set[int]().union(*(actor.reach(context.session, name, near) for name in by if actor.has(name)))
        given = _role_of(context.session, case)
        read = {"everywhere": everywhere, "of_units": None not in units and (given is None or given.scope == "unit")}
        verdicts[case.id] = judged("account_is_in_reach", read | {"within": near <= within})
    return verdicts


@judge_of("account_is_in_reach")
def _in_reach(facts: Facts) -> Verdict:
    fault = "" if facts["everywhere"] else "" if facts["of_units"] and facts["within"] else "beyond"
    says = {
        "": "在办理人的管理范围内",
        "beyond": "区县数据安全管理员只办理本区（县、市）单位账号的单位角色，其余由市级办理",
    }
    return Verdict("account_is_in_reach", not fault, says[fault], basis=BASIS, clears_by="security")


def _units_of(session: Session, case: CaseRow) -> set[int | None]:
    """The units that a change concerns: the account's own, and those of the grant that is given or taken; None for an office's or none."""
    form = _form(case)
    units: set[int | None] = {session.scalar(select(Account.unit_id).where(Account.name == form.get("account")))}
    if form.get("kind") == "grant" and form.get("at_unit"):
        units.add(session.scalar(select(UNIT.id).where(UNIT.unit_code == form["at_unit"])))
    if form.get("kind") == "withdraw" and (given := session.get(Grant, form.get("grant", 0))):
        units.add(given.unit_id)
    return units


@effect("tell_the_county")
def tell_the_county(context: StepContext) -> None:
    """The officers of the county that may approve the change beside the city's, into whose inbox it comes."""
    state, messages = context.definition.states[context.step.to], list[Message]()
    for case in context.cases:
        county = _county_of(context.session, case)
        if county is None:
            continue
        kind, link = f"{PROCESS}.{state.name}", f"/cases/{case.id}"
        title = f"{context.definition.title}：{state.title}"
        item = {"kind": kind, "title": title, "says": case.title, "link": link, "case_id": case.id}
        item |= {"role": COUNTY, "district": county}
        messages.append(Message("notice", f"{kind}:county:{case.id}:{case.version}", {"items": [item]}))
    emit_all(context.session, messages, context.now)


def _county_of(session: Session, case: CaseRow) -> str | None:
    """The county whose officers a change is in reach of; None where it is the city's alone."""
    units, given = _units_of(session, case), _role_of(session, case)
    if None in units or (given is not None and given.scope != "unit"):
        return None
    counties = set(districts_of(session, {unit for unit in units if unit is not None}).values())
    return counties.pop() if len(counties) == 1 else None


def _role_of(session: Session, case: CaseRow) -> Role | None:
    form = _form(case)
    if form.get("kind") == "grant":
        return roles().get(form.get("role", ""))
    given = session.get(Grant, form.get("grant", 0)) if form.get("kind") == "withdraw" else None
    return roles().get(given.role) if given else None


@guard("change_can_be_made")
def change_can_be_made(context: StepContext) -> dict[int, list[Verdict]]:
    """The account is as the change needs it, no role excludes another, nothing is given twice or taken from where it is needed."""
    verdicts = {}
    for case in context.cases:
        form = _form(case)
        account = session_account(context, form)
        read: dict[str, Any] = {"case": case.id, "kind": form.get("kind"), "account": form.get("account", "")}
        read["exists"], read["enabled"] = account is not None, account is not None and _enabled(account, context.today)
        reader = {"grant": _read_grant, "withdraw": _read_withdrawal, "bind": _read_binding}.get(form.get("kind", ""))
        verdicts[case.id] = judged("change_can_be_made", read | (reader(context, form) if reader else {}))
    return verdicts


def session_account(context: StepContext, form: Mapping[str, Any]) -> Account | None:
    """The account that a form names; None for an unknown one."""
    return context.session.get(Account, form.get("account", ""))


def _enabled(account: Account, today: date) -> bool:
    return account.disabled_on is None or account.disabled_on > today


def _read_grant(context: StepContext, form: Mapping[str, Any]) -> dict[str, Any]:
    session, today, name = context.session, context.today, form.get("role", "")
    if name not in roles():
        return {"role": None}
    unit_id, district = _place(session, form, role(name))
    until = date.fromisoformat(form["until_on"]) if form.get("until_on") else None
    same = select(Grant.until_on).outerjoin(Revocation).where(Grant.account == form["account"], in_force_on(today))
    same = same.where(Grant.role == name, Grant.unit_id.is_not_distinct_from(unit_id))
    same = same.where(Grant.district.is_not_distinct_from(district))
    held = any(last is None or (until is not None and last >= until) for last in session.scalars(same))
    return {
        "role": role(name).title,
        "clashes": clashing(session, form["account"], name, today),
        "held": held,
        "past": until is not None and until < today,
        "city": role(name).scope == "district" and MANAGE in role(name).may and form.get("district") == CITY,
    }


def _place(session: Session, form: Mapping[str, Any], given: Role) -> tuple[int | None, str | None]:
    """Unit and district of a grant, as its role's scope asks for one of them."""
    code = form.get("at_unit") if given.scope == "unit" else None
    unit_id = session.scalar(select(UNIT.id).where(UNIT.unit_code == code)) if code else None
    return unit_id, form.get("district") if given.scope == "district" else None


def _read_withdrawal(context: StepContext, form: Mapping[str, Any]) -> dict[str, Any]:
    given = context.session.get(Grant, form.get("grant", 0))
    if given is None or given.account != form.get("account"):
        return {"given": False}
    guards = officers(context.session, context.today)
    last = MANAGE in role(given.role).may and given.account in guards and len(guards) <= OFFICERS
    return {"given": True, "taken": context.session.get(Revocation, given.id) is not None, "needed": last}


def _read_binding(context: StepContext, form: Mapping[str, Any]) -> dict[str, Any]:
    found = context.session.get(AccountIdentity, (form.get("provider", ""), form.get("subject", "")))
    return {"bound_to": "" if found is None else "this" if found.account == form.get("account") else "other"}


@judge_of("change_can_be_made")
def _can_be_made(facts: Facts) -> Verdict:
    fault = _fault(facts)
    return Verdict(
        "change_can_be_made", not fault, fault or "可以执行", basis=BASIS, clears_by="security", link=f"/cases/{facts['case']}"
    )  # fmt: skip


def _fault(facts: Facts) -> str:
    kind, account = facts["kind"], facts["account"]
    if not facts["exists"]:
        return f"没有账号 {account}"
    if kind in ("grant", "bind") and not facts["enabled"]:
        return f"账号 {account} 已停用，请先启用"
    found = {"grant": _grant_fault, "withdraw": _withdrawal_fault, "bind": _binding_fault}.get(kind or "")
    if found:
        return found(facts)
    return (
        "账号没有停用，无须启用" if kind == "enable" and facts["enabled"] else "" if kind == "enable" else "请选择变更"
    )


def _grant_fault(facts: Facts) -> str:
    if facts["role"] is None:
        return "请选择角色"
    if facts["clashes"]:
        return f"“{facts['role']}”不得与“{'、'.join(facts['clashes'])}”由同一人担任"
    if facts["city"]:
        return f"“{facts['role']}”授在区（县、市），市级请授予数据安全管理员"
    if facts["held"]:
        return "账号在同一范围已有这一角色，期限不短于所填"
    return "截止日期已过" if facts["past"] else ""


def _withdrawal_fault(facts: Facts) -> str:
    if not facts["given"]:
        return "账号没有这一授权"
    if facts["taken"]:
        return "该授权已收回"
    return f"收回后数据安全管理员不足 {OFFICERS} 名，授权变更无人审批，请先另授一名" if facts["needed"] else ""


def _binding_fault(facts: Facts) -> str:
    return {"this": "该身份已绑定本账号", "other": "该身份已与另一个账号绑定（一人一号）"}.get(facts["bound_to"], "")


@effect("make_the_change")
def make_the_change(context: StepContext) -> None:
    """Carry out what was approved: in the name of who proposed it, approved by who acts."""
    for case in context.cases:
        form = _form(case)
        change = {"grant": _give, "withdraw": _take, "enable": _let_in, "bind": _bind}[form["kind"]]
        change(context, case, form)


def _give(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> None:
    given = role(form["role"])
    unit_id, district = _place(context.session, form, given)
    until = date.fromisoformat(form["until_on"]) if form.get("until_on") else None
    row = accounts.grant(
        context.session, account=form["account"], role_name=given.name, scope=given.scope, unit_id=unit_id,
        district=district, until_on=until, purpose=form["why"], now=context.now, by=case.opened_by,
        approved_by=context.account, case_id=case.id,
    )  # fmt: skip
    context.keep(case, granted=row.id)


def _take(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> None:
    accounts.revoke(
        context.session, form["grant"], now=context.now, by=case.opened_by, reason=form["why"],
        approved_by=context.account, case_id=case.id,
    )  # fmt: skip


def _let_in(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> None:
    accounts.enable(context.session, form["account"], now=context.now, by=case.opened_by, approved_by=context.account)


def _bind(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> None:
    session, name, provider = context.session, form["account"], form["provider"]
    mine = select(func.count()).where(AccountIdentity.account == name, AccountIdentity.provider == provider)
    if session.scalar(mine):
        identities.unbind(session, name, provider, now=context.now, by=case.opened_by)
    identities.bind(session, name, provider, form["subject"], now=context.now, by=case.opened_by)


@effect("tell_the_holder")
def tell_the_holder(context: StepContext) -> None:
    """Whose account it is learns what was changed and by whom; the notice waits where the account cannot read it yet."""
    for case in context.cases:
        says = f"由 {case.opened_by} 提出、{context.account} 批准，如有疑问请联系数据安全管理员。"
        key = f"{case.id}"
        tell_account(
            context.session, _form(case)["account"], PROCESS, f"账号变更：{case.title}"[:200], says, key, context.now
        )


def holds_roles(session: Session, name: str, now: datetime) -> bool:
    """Whether an account has any grant in force: from then on an identity is changed by two people only."""
    return session.execute(grants_in_force(name, business_date(now)).limit(1)).first() is not None
