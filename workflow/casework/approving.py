"""What follows from the steps of an application (definitions/processes/approval.yaml): notice issued, quota set aside, ledger filing opened.

Rows only. A notice is issued under the counter of its quota type, so that the last free head is granted once (办法6, 办法7).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from workflow.calendar.months import add_months
from workflow.casework.filing_drafting import Opening, open_filing
from workflow.casework.links import link
from workflow.casework.matters import titled
from workflow.casework.models import Filing
from workflow.casework.offices import offices_of, own_number
from workflow.casework.serials import next_number
from workflow.engine.actors import SYSTEM
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.registry import effect
from workflow.quality.terms import policies_of
from workflow.registry.balances import Balance, quota_balances
from workflow.registry.dictionary import dictionary
from workflow.registry.models import NOTICE
from workflow.registry.quota import close_notices, reserve

PROCESS = "approval"
KINDS = {
    "plan": "用编计划", "use": "用编申请", "leader_posts": "用职申请", "unit": "机构调整", "inner_org": "内设机构调整",
    "quota_change": "编制调整", "contract_quota": "编外控制数",
}  # fmt: skip
GROUNDS = {
    "policy": "政策性安置",
    "superior": "上级任命",
    "urgent": "经党委（党组）批准的应急用编",
    "other": "其他依法须办",
}


@titled(PROCESS)
def title_of(values: Mapping[str, Any], unit_name: str) -> str:
    """用编申请：示例局 招聘事业编制人员2名"""
    return f"{KINDS.get(str(values.get('kind')), '申请事项')}：{unit_name} {values.get('what', '')}".strip()


@effect("issue_the_notice")
def issue_the_notice(context: StepContext) -> None:
    """The decision gets the number of the signer's own office and its last day; a use of quota sets its heads aside.

    Raises Refused where they are no longer free, or that office has no numbers of its own.
    """
    offices = offices_of(context)
    for case in context.cases:
        form = case.data["form"]
        uses = form["kind"] == "use"
        if uses:
            reserve(context.session, case.unit_id or 0, form["quota_type"], form["n"], context.today)
        policy = policies_of(context.session, [case.unit_id])[case.unit_id]
        until = add_months(context.today, policy.term("approval.validity").n)
        number = own_number(context, offices[case.id])
        notice = {
            "case_id": case.id, "number": number, "kind": form["kind"], "unit_id": case.unit_id,
            "quota_type": form["quota_type"] if uses else None, "entry_way": form["entry_way"] if uses else None,
            "n": form["n"] if uses else 0, "used": 0, "issued_on": context.today, "valid_until": until,
        }  # fmt: skip
        context.session.execute(insert(NOTICE), notice)
        context.keep(case, number=number, issued_on=context.today.isoformat(), valid_until=until.isoformat())


@effect("close_the_notice")
def close_the_notice(context: StepContext) -> None:
    """The notice covers nothing any more; heads not used are free again."""
    close_notices(context.session, context.ids, context.today)


@effect("keep_ground")
def keep_ground(context: StepContext) -> None:
    """On which of the named exceptions the unit relies, and why (readings 5.3)."""
    for case in context.cases:
        ground = str(context.request.inputs.get("ground", ""))
        context.keep(case, exception={"ground": GROUNDS.get(ground, ground), "why": context.request.reason})


@effect("keep_exception")
def keep_exception(context: StepContext) -> None:
    """Who granted the exception, when and why stands with the case for good."""
    for case in context.cases:
        granted = {
            "granted_by": context.account,
            "granted_on": context.today.isoformat(),
            "granted_why": context.request.reason,
        }
        context.keep(case, exception={**case.data.get("exception", {}), **granted})


@effect("keep_meeting")
def keep_meeting(context: StepContext) -> None:
    """The day of the office meeting, and what it said."""
    for case in context.cases:
        context.keep(case, meeting_on=context.request.inputs["meeting_on"], meeting_says=context.request.reason or "")


@effect("open_the_ledger_filing")
def open_the_ledger_filing(context: StepContext) -> None:
    """A decision that the ledger books opens its filing, due within five working days of today, tied to it (办法7)."""
    for case in context.cases:
        decided = {**case.data, **context.changes.get(case.id, {})}
        if decided["form"]["kind"] == "plan":
            continue
        texts = ledger_texts(context.session, case, decided, context.today)
        opening = Opening("ledger", case.unit_id or 0, fact_on=context.today, texts=texts)
        filing_case = open_filing(context.session, opening, actor=SYSTEM, now=context.now)
        filing = context.session.get_one(Filing, filing_case)
        filing.doc_no, filing.doc_on, filing.reason = decided["number"], context.today, case.title[:500]
        context.session.flush()
        link(context.session, case.id, filing_case, "leads_to", context.now)
        context.keep(case, ledger_filing=filing_case)


def ledger_texts(session: Session, case: CaseRow, decided: Mapping[str, Any], today: date) -> dict[str, str]:
    """Field → text of the ledger row that books a decision, as a form would hold it."""
    form, kind = decided["form"], decided["form"]["kind"]
    ledger_type, change = {
        "use": ("编制", "计划核准"), "quota_change": ("编制", "增编"), "leader_posts": ("职数", "计划核准"), "unit": ("机构", ""),
        "inner_org": ("机构", "内设机构调整"), "contract_quota": ("编外控制数", "控制数核定"),
    }[kind]  # fmt: skip
    plus, minus = int(form.get("delta_plus", 0)), int(form.get("delta_minus", 0))
    if kind == "quota_change" and minus > plus:
        change = "减编"
    texts = {
        "ledger_no": _ledger_number(session, case, today), "ledger_type": _code("ledger_type", ledger_type),
        "change_kind": form["change"] if kind == "unit" else _code("change_kind", change), "status": _code("valid_status", "有效"),
        "effective_date": today.isoformat(), "entered_on": today.isoformat(), "abstract": case.title,
        "doc_kind": _code("doc_kind", "核准使用编制通知单" if kind == "use" else "编办批复"), "doc_title": case.title[:200],
        "doc_no": decided["number"], "doc_date": today.isoformat(),
    }  # fmt: skip
    if kind in ("use", "quota_change"):
        balance = (
            quota_balances(session, [case.unit_id], today).get(case.unit_id or 0, {}).get(form["quota_type"], Balance())
        )
        figures = {"delta_plus": plus, "delta_minus": minus, "balance_before": balance.approved}
        figures["balance_after"] = balance.approved + plus - minus
        texts |= {"quota_type": form["quota_type"]} | {name: str(value) for name, value in figures.items()}
    planned = {"use": ("plan_approved_quota", "n"), "leader_posts": ("plan_approved_posts", "posts")}.get(kind)
    if planned:
        texts |= {planned[0]: str(form[planned[1]]), "plan_valid_until": decided["valid_until"]}
    if kind == "unit":
        texts["name_after"] = form["org_name"]
    return texts


def _ledger_number(session: Session, case: CaseRow, today: date) -> str:
    district = policies_of(session, [case.unit_id])[case.unit_id].district
    return f"T{district}-{today.year}-H{next_number(session, f'ledger:{district}', today.year):04d}"


def _code(codes: str, label: str) -> str:
    return dictionary().codes[codes].by_label[label].code
