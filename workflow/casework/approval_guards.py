"""Conditions of definitions/processes/approval.yaml as verdicts: coherent, within establishment, plan, quota and posts (办法6, 办法10(二)). Reads only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import case as when
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from workflow.casework.models import SIGNATURE
from workflow.engine.context import CaseRow, StepContext, once
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE
from workflow.engine.registry import guard
from workflow.engine.sets import among
from workflow.engine.verdicts import Verdict
from workflow.registry.balances import Balance, quota_balances
from workflow.registry.dictionary import dictionary
from workflow.registry.models import NOTICE
from workflow.registry.quota import shortage_of
from workflow.registry.tables import TABLES

LAW = "国务院令第486号第6条"
Reader = Callable[[StepContext, CaseRow, Mapping[str, Any]], dict[str, Any]]


def code_of(codes: str, label: str) -> str:
    """The code of a label in a code list."""
    return dictionary().codes[codes].by_label[label].code


def _each(context: StepContext, name: str, read: Reader) -> dict[int, list[Verdict]]:
    """One verdict for every case, from its form and what the guard reads beside it."""
    return {
        case.id: judged(name, {"case": case.id, **read(context, case, case.data.get("form", {}))}) for case in context.cases
    }  # fmt: skip


def _balances(context: StepContext, case: CaseRow) -> Mapping[str, Balance]:
    """The unit's balances, read once for all guards of one judgement."""
    return remembered_balances(context.memory, context.session, case.unit_id or 0, context.today)


def remembered_balances(memory: dict[Any, Any], session: Session, unit_id: int, today: date) -> Mapping[str, Balance]:
    """The balances of a unit, read once for a page and its verdicts."""
    return once(memory, ("balances", unit_id), lambda: quota_balances(session, [unit_id], today).get(unit_id, {}))


@guard("application_is_coherent")
def application_is_coherent(context: StepContext) -> dict[int, list[Verdict]]:
    """A change of quota says by how many; quota that is applied for is one that people occupy."""
    return _each(context, "application_is_coherent", _form_read)


def _form_read(_context: StepContext, _case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    read = {name: form.get(name) for name in ("kind", "quota_type", "delta_plus", "delta_minus")}
    return {**read, "occupies": occupies(form.get("quota_type"))}


@judge_of("application_is_coherent")
def _coherent(facts: Facts) -> Verdict:
    says = good = "申请内容前后一致"
    if facts["kind"] == "quota_change" and not (facts["delta_plus"] or facts["delta_minus"]):
        says = "编制调整须填写增编数或减编数"
    elif facts["quota_type"] and not facts["occupies"]:
        says = "申请的编制类型不占编，无须申请用编"
    link = f"/cases/{facts['case']}#form"
    return Verdict("application_is_coherent", says == good, says, basis="办法6", clears_by="unit_clerk", link=link)


def occupies(quota_type: str | None) -> bool:
    """Whether people on that quota type take up heads of the establishment."""
    item = dictionary().codes["quota_type"].by_code.get(quota_type or "")
    return item is not None and item.attrs.get("occupies") == 1


@guard("not_over_establishment")
def not_over_establishment(context: StepContext) -> dict[int, list[Verdict]]:
    """A unit with more people than approved takes nobody in, whatever the quota type (practice 2.4 A)."""
    return _each(context, "not_over_establishment", _heads_read)


def _heads_read(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    read = {"subject": case.subject, "kind": form.get("kind")}
    if form.get("kind") not in ("plan", "use"):
        return read
    return {**read, "balances": [_balance_read(code, balance) for code, balance in _balances(context, case).items()]}


def _balance_read(code: str, balance: Balance) -> dict[str, Any]:
    return {"code": code, "label": dictionary().codes["quota_type"].label(code), **vars(balance)}


def _balance(read: Facts) -> Balance:
    return Balance(read["approved"], read["plan"], read["occupied"])


@judge_of("not_over_establishment")
def _not_over(facts: Facts) -> Verdict:
    name = "not_over_establishment"
    if facts["kind"] not in ("plan", "use"):
        return Verdict(name, True, "本类申请不增加人员", basis=LAW)
    over = [(read["code"], read["label"], _balance(read)) for read in facts["balances"] if _balance(read).over]
    if not over:
        return Verdict(name, True, "单位没有超编", basis=LAW)
    told = [
        {"record": facts["subject"], "field": code, "value": b.over, "says": f"{label}核定 {b.approved} 名、在编 {b.occupied} 名"}
        for code, label, b in over
    ]  # fmt: skip
    says = f"单位超编（{'、'.join(f'{label}超 {b.over} 名' for _, label, b in over)}），只出不进，消化后再申请"
    return Verdict(name, False, says, told, LAW, clears_by="unit_head", link="/rules/Q01")


@guard("quota_is_free")
def quota_is_free(context: StepContext) -> dict[int, list[Verdict]]:
    """Heads applied for fit under what is approved; a cut leaves room for people and for notices that stand."""
    return _each(context, "quota_is_free", _quota_read)


def _quota_read(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: int(form.get(name, 0)) for name in ("n", "delta_plus", "delta_minus")}
    read = {"subject": case.subject, "kind": form.get("kind"), **numbers}
    if form.get("kind") not in ("use", "quota_change"):
        return read
    code = str(form.get("quota_type", ""))
    return {**read, "balance": _balance_read(code, _balances(context, case).get(code, Balance()))}


@judge_of("quota_is_free", version=2)
def _quota(facts: Facts) -> Verdict:
    name, kind = "quota_is_free", facts["kind"]
    if kind in ("use", "quota_change") and not facts["balance"]["code"]:
        link = f"/cases/{facts['case']}#form"
        return Verdict(name, False, "填写编制类型后核对编制余额", basis=LAW, clears_by="unit_clerk", link=link)
    if kind == "use":
        balance, n = _balance(facts["balance"]), facts["n"]
        says = shortage_of(balance, facts["balance"]["label"], n)
        told = [{"record": facts["subject"], "field": "vacant", "value": balance.vacant, "says": says}]
        link = f"/cases/{facts['case']}#quota"
        return Verdict(name, n <= balance.vacant, says, told, LAW, clears_by="unit_clerk", link=link)
    if kind == "quota_change":
        balance, plus, minus = _balance(facts["balance"]), facts["delta_plus"], facts["delta_minus"]
        left, cut = balance.vacant + plus - minus, minus > plus
        change = (
            f"调整后核定 {balance.approved + plus - minus} 名，在编 {balance.occupied} 名、已核准未用 {balance.plan} 名"
        )
        says = change if left >= 0 or not cut else f"{change}，减编后不足，须先办理出编或收回通知单"
        return Verdict(name, left >= 0 or not cut, says, basis=LAW, clears_by="unit_clerk")
    return Verdict(name, True, "本类申请不占用编制", basis=LAW)


@guard("within_the_plan")
def within_the_plan(context: StepContext) -> dict[int, list[Verdict]]:
    """An application that names a plan stays within it: notices issued on the plan and this one together."""
    return _each(context, "within_the_plan", _plan_read)


def _plan_read(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    number, read = form.get("plan_no"), {name: form.get(name) for name in ("kind", "plan_no", "quota_type", "n")}
    if form.get("kind") != "use" or not number:
        return read
    plan, granted = _plan_and_granted(context.session, case, str(number))
    if plan is None:
        return {**read, "plan": None}
    found = {"case": plan.id, "quota_type": plan.data["form"]["quota_type"], "n": plan.data["form"]["n"]}
    return {**read, "plan": found, "granted": granted}


@judge_of("within_the_plan")
def _planned(facts: Facts) -> Verdict:
    name, number, basis = "within_the_plan", facts["plan_no"], "办法4(三)1"
    if facts["kind"] != "use" or not number:
        return Verdict(name, True, "未引用年度用编计划", basis=basis)
    plan = facts["plan"]
    if plan is None or plan["quota_type"] != facts["quota_type"]:
        says, link = f"没有本单位该类编制的有效用编计划 {number}", f"/cases/{facts['case']}#form"
        return Verdict(name, False, says, basis=basis, clears_by="unit_clerk", link=link)
    left = plan["n"] - facts["granted"]
    says = f"用编计划 {number} 核准 {plan['n']} 名，已核准使用 {facts['granted']} 名，余 {left} 名"
    holds = int(facts["n"] or 0) <= left
    return Verdict(name, holds, says, basis=basis, clears_by="unit_clerk", link=f"/cases/{plan['case']}")


def _plan_and_granted(session: Session, case: CaseRow, number: str) -> tuple[Any, int]:
    """The unit's plan in force of that number, and the heads granted on it: what a closed notice has used, else what it grants."""
    listed = select(
        CASE.c.id, CASE.c.data, CASE.c.state, NOTICE.c.kind, NOTICE.c.number,
        when((NOTICE.c.closed_on.is_(None), NOTICE.c.n), else_=NOTICE.c.used).label("heads"),
    )  # fmt: skip
    ours = listed.join(NOTICE, NOTICE.c.case_id == CASE.c.id)
    plan, granted = None, 0
    for row in session.execute(ours.where(NOTICE.c.unit_id == case.unit_id, NOTICE.c.kind.in_(["plan", "use"]))):
        if row.kind == "plan" and row.number == number and row.state == "issued":
            plan = row
        elif row.kind == "use" and row.data["form"].get("plan_no") == number:
            granted += row.heads
    return plan, granted


@guard("posts_are_free")
def posts_are_free(context: StepContext) -> dict[int, list[Verdict]]:
    """核定职数 ≥ 现配 − 拟免 + 拟配, in the same scope, level and rank (国务院令第486号第20条)."""
    return _each(context, "posts_are_free", _posts_read)


def _posts_read(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    if form.get("kind") != "leader_posts":
        return {"kind": form.get("kind")}
    wanted = [str(form.get(key, "")) for key in ("scope", "post_level", "rank_kind")]
    approved, held = posts_of(context.session, case.unit_id or 0, *wanted)
    numbers = {"leaving": int(form.get("leaving", 0)), "coming": int(form.get("posts", 0))}
    return {"kind": "leader_posts", "approved": approved, "held": held, **numbers}


@judge_of("posts_are_free")
def _posts(facts: Facts) -> Verdict:
    name, basis = "posts_are_free", "国务院令第486号第20条"
    if facts["kind"] != "leader_posts":
        return Verdict(name, True, "本类申请不占用领导职数", basis=basis)
    approved, held, leaving, coming = (facts[key] for key in ("approved", "held", "leaving", "coming"))
    after = held - leaving + coming
    says = f"核定职数 {approved}，现配 {held}，拟免 {leaving}，拟配 {coming}，配备后 {after}，" + (
        "未超职数" if after <= approved else "超职数"
    )
    link = f"/cases/{facts['case']}#form"
    return Verdict(name, after <= approved, says, basis=basis, clears_by="unit_clerk", link=link)


def posts_of(session: Session, unit_id: int, scope: str, post_level: str, rank_kind: str) -> tuple[int, int]:
    """Leading posts of a unit approved and held, of one scope, level and rank."""
    quota, position = TABLES["leader_quota"].c, TABLES["position"].c
    approved = select(func.coalesce(func.sum(quota.n_approved), 0)).where(
        quota.removed_on.is_(None), quota.unit_id == unit_id, quota.status == code_of("valid_status", "有效"),
        quota.scope == scope, quota.post_level == post_level, quota.rank_kind == rank_kind,
    )  # fmt: skip
    held = select(func.count()).where(
        position.removed_on.is_(None), position.unit_id == unit_id, position.status == code_of("position_status", "现任"),
        position.scope == scope, position.post_level == post_level, position.rank_kind == rank_kind,
        or_(position.counts_post.is_(None), position.counts_post.is_(True)),
    )  # fmt: skip
    row = session.execute(select(approved.scalar_subquery(), held.scalar_subquery())).one()
    return int(row[0] or 0), int(row[1] or 0)


@guard("signer_is_asked")
def signer_is_asked(context: StepContext) -> dict[int, list[Verdict]]:
    """Only whoever was asked signs, in the own name, and once."""
    return {
        id_: judged("signer_is_asked", read | {"me": context.account}) for id_, read in _signatures(context).items()
    }


@judge_of("signer_is_asked")
def _asked(facts: Facts) -> Verdict:
    mine = [name for name, opinion in facts["asked"] if name == facts["me"] and opinion is None]
    says = "请您会签" if mine else "没有请您会签，或您已签署"
    return Verdict("signer_is_asked", bool(mine), says, basis="办法16", clears_by="reviewer")


@guard("everybody_has_signed")
def everybody_has_signed(context: StepContext) -> dict[int, list[Verdict]]:
    """The signatures asked for are all in; who is missing is named."""
    return {id_: judged("everybody_has_signed", read) for id_, read in _signatures(context).items()}


@judge_of("everybody_has_signed")
def _signed(facts: Facts) -> Verdict:
    missing = [name for name, opinion in facts["asked"] if opinion is None]
    says = f"尚未签署：{'、'.join(missing)}" if missing else "会签意见已收齐"
    return Verdict("everybody_has_signed", not missing, says, basis="办法6", clears_by="reviewer")


def _signatures(context: StepContext) -> dict[int, dict[str, Any]]:
    """Case id → who was asked, each with the opinion given, null while it is missing."""
    rows = select(SIGNATURE).where(among(context.session, SIGNATURE.c.case_id, context.ids)).order_by(SIGNATURE.c.id)
    found: dict[int, list[Any]] = {case_id: [] for case_id in context.ids}
    for row in context.session.execute(rows):
        found[row.case_id].append([row.account, row.opinion])
    return {case_id: {"asked": asked} for case_id, asked in found.items()}
