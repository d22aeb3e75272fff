"""代办: a role taken for a colleague between two days, applied for by whose role it is, approved by a second person. Rows only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import update

from workflow.access.accounts import grants_in_force
from workflow.access.models import Account, Substitution
from workflow.access.roles import role, roles
from workflow.access.scopes import actor_named
from workflow.casework.four_eyes import mine
from workflow.casework.matters import titled
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import effect, guard
from workflow.engine.verdicts import Verdict
from workflow.errors import NotFound

BASIS = "办法16"
LONGEST = timedelta(92)  # calendar days; a longer absence is a change of duties (办法16 专人负责)


@titled("substitution")
def title(values: Mapping[str, Any], _unit_name: str) -> str:
    """代办：由 clerk@… 代办至 2026-03-10"""
    return f"代办：由 {values.get('substitute', '')} 代办至 {values.get('until_on', '')}"


def _verdict(name: str, fault: str, good: str, case_id: int) -> Verdict:
    return Verdict(name, not fault, fault or good, basis=BASIS, clears_by="unit_clerk", link=f"/cases/{case_id}#form")


@guard("substitute_is_eligible")
def substitute_is_eligible(context: StepContext) -> dict[int, list[Verdict]]:
    """The substitute is another person of the same unit or office, whose own roles and the borrowed one do not exclude each other."""
    return {
        case.id: [_verdict("substitute_is_eligible", _unfit(context, case), "代办人可以代办", case.id)]
        for case in context.cases
    }


def _unfit(context: StepContext, case: CaseRow) -> str:
    form, session = case.data.get("form", {}), context.session
    name, lent = form.get("substitute", ""), form.get("role", "")
    principal = session.get(Account, case.opened_by)
    try:
        other = actor_named(session, name, context.now)
    except NotFound:
        return f"没有账号 {name}，或账号已停用"
    if name == case.opened_by:
        return "不能由本人代办"
    if lent not in roles() or principal is None:
        return "请选择代办的角色"
    if (other.unit_id, other.district) != (principal.unit_id, principal.district):
        return f"{name} 不在同一单位（处室），不能代办"
    excluded = [own for own in other.roles if own in role(lent).excludes or lent in role(own).excludes]
    if excluded:
        titles = "、".join(role(own).title for own in excluded)
        return f"{name} 是{titles}，不得兼办{role(lent).title}的工作"
    return ""


@guard("role_is_held")
def role_is_held(context: StepContext) -> dict[int, list[Verdict]]:
    """Whose substitution it is holds the role, for the unit where it is limited to one."""
    return {
        case.id: [_verdict("role_is_held", _unheld(context, case), "申请人持有该角色", case.id)]
        for case in context.cases
    }


def _unheld(context: StepContext, case: CaseRow) -> str:
    form, session = case.data.get("form", {}), context.session
    lent = form.get("role", "")
    if lent not in {row.role for row in session.execute(grants_in_force(case.opened_by, context.today))}:
        return "申请人没有这一角色，不能请人代办"
    if form.get("reach") == "unit" and case.unit_id is not None:
        applicant = actor_named(session, case.opened_by, context.now)
        if case.unit_id not in applicant.reach(session, lent, frozenset({case.unit_id})):
            return "所填单位不在申请人的管理范围内"
    return ""


@guard("period_is_fit")
def period_is_fit(context: StepContext) -> dict[int, list[Verdict]]:
    """The days are in order, not past, and at most 92."""
    verdicts = {}
    for case in context.cases:
        days = {"from_on": _day(case, "from_on"), "until_on": _day(case, "until_on"), "today": context.today}
        verdicts[case.id] = judged("period_is_fit", {"case": case.id, **days})
    return verdicts


@judge_of("period_is_fit")
def _fit(facts: Facts) -> Verdict:
    return _verdict("period_is_fit", _unfit_days(facts), "代办期间合规", facts["case"])


def _unfit_days(facts: Facts) -> str:
    if not facts["from_on"] or not facts["until_on"] or facts["until_on"] < facts["from_on"]:
        return "代办的截止日期不得早于起始日期"
    first, last = date.fromisoformat(facts["from_on"]), date.fromisoformat(facts["until_on"])
    if last < date.fromisoformat(facts["today"]):
        return f"代办期间已过（截止 {last}）"
    if last - first > LONGEST:
        return f"代办最长 {LONGEST.days} 天，更长的应调整岗位职责和授权"
    return ""


@guard("approver_is_a_third")
def approver_is_a_third(context: StepContext) -> dict[int, list[Verdict]]:
    """Who decides is neither the principal nor the substitute, nor acts for one of them."""
    verdicts = {}
    for case in context.cases:
        concerned = {case.opened_by, case.data.get("form", {}).get("substitute")} - {None}
        read = {"case": case.id, "mine": sorted(mine(context)), "concerned": sorted(concerned)}
        verdicts[case.id] = judged("approver_is_a_third", read)
    return verdicts


@judge_of("approver_is_a_third")
def _third(facts: Facts) -> Verdict:
    fault = "代办由本人和代办人以外的负责人批准" if set(facts["mine"]) & set(facts["concerned"]) else ""
    return _verdict("approver_is_a_third", fault, "由第三人批准", facts["case"])


def _day(case: CaseRow, name: str) -> date | None:
    text = case.data.get("form", {}).get(name)
    return date.fromisoformat(text) if text else None


@effect("begin_substitution")
def begin_substitution(context: StepContext) -> None:
    """The borrowed role as a row; the case remembers its last day for the timer."""
    for case in context.cases:
        form = case.data["form"]
        row = Substitution(
            case_id=case.id, principal=case.opened_by, substitute=form["substitute"], role=form["role"],
            unit_id=case.unit_id if form.get("reach") == "unit" else None,
            processes=[form["process"]] if form.get("process") else [],
            from_on=date.fromisoformat(form["from_on"]), until_on=date.fromisoformat(form["until_on"]),
        )  # fmt: skip
        context.session.add(row)
        context.keep(case, until_on=form["until_on"])
    context.session.flush()


@effect("end_substitution")
def end_substitution(context: StepContext) -> None:
    """From today on the role is the principal's alone again."""
    for case in context.cases:
        ours = (Substitution.case_id == case.id) & Substitution.ended_on.is_(None)
        context.session.execute(update(Substitution).where(ours).values(ended_on=context.effective_on(case)))


@effect("tell_both_sides")
def tell_both_sides(context: StepContext) -> None:
    """The principal and the substitute learn of it."""
    messages = []
    for case in context.cases:
        kind = f"{case.process}.{context.step.do}"
        item = {"kind": kind, "title": f"代办：{context.step.title}", "says": case.title, "case_id": case.id}
        people = (case.opened_by, case.data["form"]["substitute"])
        items = [item | {"account": account, "link": f"/cases/{case.id}"} for account in people]
        messages.append(Message("notice", f"{kind}:{case.id}:{case.version}", {"items": items}))
    emit_all(context.session, messages, context.now)
