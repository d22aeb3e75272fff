"""Conditions of definitions/processes/filing.yaml, as verdicts: judged by the rules, basis given, record unchanged, three different people. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from workflow.casework.filing import days_late, important, why_review
from workflow.casework.filing_drafting import changed_meanwhile
from workflow.casework.four_eyes import judged_people, of_people
from workflow.casework.models import Filing
from workflow.casework.report_operations import filing_operation
from workflow.casework.reporting import newest_request, verdict_on
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.registry import guard
from workflow.engine.verdicts import Verdict
from workflow.quality.rules import rules
from workflow.registry.closing import DATASET, FIELD, closed_code, people_inside, still_inside
from workflow.registry.dictionary import dictionary

SHOWN = 50  # facts of one verdict
Reader = Callable[[StepContext, CaseRow, Filing], dict[str, Any]]


def _each(context: StepContext, name: str, read: Reader) -> dict[int, list[Verdict]]:
    """The verdicts of one guard on every case, each from what is read of its filing."""
    verdicts = {}
    for case in context.cases:
        filing = context.session.get_one(Filing, case.id)
        verdicts[case.id] = judged(name, {"case": case.id, **read(context, case, filing)})
    return verdicts


@guard("filing_is_complete")
def filing_is_complete(context: StepContext) -> dict[int, list[Verdict]]:
    """Something is to be changed, and the fact is not of a day to come."""
    return _each(
        context,
        "filing_is_complete",
        lambda context, _, filing: {"fields": len(filing.lines), "fact_on": filing.fact_on, "today": context.today},
    )


@judge_of("filing_is_complete")
def _complete(facts: Facts) -> list[Verdict]:
    name, link = "filing_is_complete", f"/filings/{facts['case']}/edit#i-fact"
    count, fact_on = facts["fields"], date.fromisoformat(facts["fact_on"])
    says = f"已填写 {count} 个字段" if count else "没有与现存记录不同的内容，无须填报"
    past = fact_on <= date.fromisoformat(facts["today"])
    when = f"事实或文件日期 {fact_on}" + ("" if past else "晚于今天，事实发生后才能填报")
    return [
        Verdict(name, count > 0, says, basis="办法8", clears_by="unit_clerk", link=link),
        Verdict(name, past, when, basis="办法8", clears_by="unit_clerk", earliest=None if past else fact_on, link=""),
    ]


@guard("filing_passes_the_rules")
def filing_passes_the_rules(context: StepContext) -> dict[int, list[Verdict]]:
    """The rules judged it as it stands, and none of them blocks (办法9); what only warns is told along."""
    return _each(context, "filing_passes_the_rules", _rules_read)


def _rules_read(_context: StepContext, _case: CaseRow, filing: Filing) -> dict[str, Any]:
    found = [{name: finding[name] for name in ("rule_id", "says", "field", "blocks")} for finding in filing.findings]
    checked = {"revision": filing.revision, "checked_revision": filing.checked_revision}
    return {**checked, "record": filing.record_key, "findings": found, "rules": rules().hash}


@judge_of("filing_passes_the_rules")
def _passes(facts: Facts) -> list[Verdict]:
    name, link = "filing_passes_the_rules", f"/filings/{facts['case']}"
    if facts["checked_revision"] != facts["revision"]:
        return [Verdict(name, False, "内容保存后尚未校验，请先校验", basis="办法9", clears_by="unit_clerk", link=link)]
    blocked = [f for f in facts["findings"] if f["blocks"]]
    warned = len(facts["findings"]) - len(blocked)
    if not blocked:
        says = f"校验没有阻断问题，另有 {warned} 项提示" if warned else "校验通过"
        return [Verdict(name, True, says, basis="办法9", link=link)]
    return [
        Verdict(
            name, False, f"{f['rule_id']} {f['says']}".strip(), [{"record": facts["record"], "field": f["field"]}],
            "办法9", clears_by="unit_clerk", link=f"{link}/edit#f-{f['field']}",
        )
        for f in blocked
    ]  # fmt: skip


@guard("nobody_is_left_inside")
def nobody_is_left_inside(context: StepContext) -> dict[int, list[Verdict]]:
    """An inner organisation is closed once nobody belongs to it any more; who still does is named by code (办法4(一)1)."""
    return _each(context, "nobody_is_left_inside", _inside_read)


def _inside_read(context: StepContext, _case: CaseRow, filing: Filing) -> dict[str, Any]:
    if filing.dataset != DATASET or filing.texts.get(FIELD) not in (closed_code(), "撤销"):
        return {"closing": False}
    inside = filing.record_id or 0
    left = people_inside(context.session, [inside]).get(inside, [])
    shown = [[dataset, dictionary()[dataset].title, key] for dataset, key in left[:SHOWN]]
    return {"closing": True, "record": filing.record_key, "left": len(left), "people": shown}


@judge_of("nobody_is_left_inside")
def _emptied(facts: Facts) -> Verdict:
    name, basis = "nobody_is_left_inside", "办法4(一)1"
    if not facts["closing"]:
        return Verdict(name, True, "不涉及撤销内设机构", basis=basis)
    left, people = facts["left"], facts["people"]
    if not left:
        return Verdict(name, True, "拟撤销的内设机构已没有人员", basis=basis)
    told = [
        {"record": key, "field": "inner_org", "value": facts["record"], "says": f"{title} {key}", "link": f"/records/{dataset}/{key}"}
        for dataset, title, key in people
    ]  # fmt: skip
    says = f"拟撤销的内设机构{still_inside(left, [key for _, _, key in people])}"
    return Verdict(name, False, says, told, basis, clears_by="unit_clerk", link=f"/filings/{facts['case']}")


@guard("basis_is_given")
def basis_is_given(context: StepContext) -> dict[int, list[Verdict]]:
    """An important field changes only on a document with number and date (办法17)."""
    return _each(
        context,
        "basis_is_given",
        lambda _, __, filing: {"important": important(filing), "doc_no": filing.doc_no, "doc_on": filing.doc_on},
    )


@judge_of("basis_is_given")
def _basis(facts: Facts) -> Verdict:
    named, given = facts["important"], bool(facts["doc_no"] and facts["doc_on"])
    if not named:
        says = "不涉及重要字段，依据文件可不填"
    elif given:
        says = f"依据 {facts['doc_no']}（{facts['doc_on']}）"
    else:
        says = f"涉及重要字段（{'、'.join(named)}），须填写依据文号和文件日期"
    link = f"/filings/{facts['case']}/edit#i-doc"
    return Verdict("basis_is_given", given or not named, says, basis="办法17", clears_by="unit_clerk", link=link)


@guard("record_is_unchanged")
def record_is_unchanged(context: StepContext) -> dict[int, list[Verdict]]:
    """Nobody changed the record since the draft was opened; otherwise who changed what is told."""
    return _each(
        context,
        "record_is_unchanged",
        lambda context, _, filing: {"changed": changed_meanwhile(context.session, filing)},
    )


@judge_of("record_is_unchanged")
def _unchanged(facts: Facts) -> Verdict:
    told, link = facts["changed"], f"/filings/{facts['case']}"
    says = told.removesuffix("请刷新后重试") + "须先更新到现存版本" if told else "起草以来记录未被他人更改"
    return Verdict("record_is_unchanged", not told, says, basis="办法6", clears_by="unit_clerk", link=link)


@guard("lateness_is_explained")
def lateness_is_explained(context: StepContext) -> dict[int, list[Verdict]]:
    """Five working days (办法7, 办法8): a late filing is taken, with its reason, and stays late."""
    return _each(context, "lateness_is_explained", _late_read)


def _late_read(context: StepContext, _case: CaseRow, filing: Filing) -> dict[str, Any]:
    late = {"late_days": days_late(filing, context.today), "explained": bool(filing.late_reason)}
    return {"due_on": filing.due_on, "today": context.today, **late}


@judge_of("lateness_is_explained")
def _lateness(facts: Facts) -> Verdict:
    late, due_on, link = facts["late_days"], facts["due_on"], f"/filings/{facts['case']}/edit#i-late"
    holds = late == 0 or facts["explained"]
    says = f"填报期限至 {due_on}，未逾期"
    if late:
        says = f"填报期限至 {due_on}，已逾期 {late} 天，" + ("已写明原因，逾期如实记载" if holds else "须写明逾期原因")
    since = date.fromisoformat(due_on)
    return Verdict(
        "lateness_is_explained", holds, says, basis="办法7、办法8", since=since, clears_by="unit_clerk", link=link
    )


def _why_read(_context: StepContext, _case: CaseRow, filing: Filing) -> dict[str, Any]:
    return {"why": why_review(filing)}


@guard("review_is_needed")
def review_is_needed(context: StepContext) -> dict[int, list[Verdict]]:
    """Locked and important fields, entry and exit are reviewed by the office."""
    return _each(context, "review_is_needed", _why_read)


@judge_of("review_is_needed")
def _needed(facts: Facts) -> Verdict:
    says = facts["why"] or "不涉及锁定、重要字段，确认后直接入库"
    return Verdict("review_is_needed", bool(facts["why"]), says, basis="办法17")


@guard("review_is_not_needed")
def review_is_not_needed(context: StepContext) -> dict[int, list[Verdict]]:
    """What touches none of these is accepted on the head's word."""
    return _each(context, "review_is_not_needed", _why_read)


@judge_of("review_is_not_needed")
def _not_needed(facts: Facts) -> Verdict:
    says = facts["why"] or "不涉及锁定、重要字段，确认后直接入库"
    return Verdict("review_is_not_needed", not facts["why"], says, basis="办法17")


of_people(
    "confirmer_is_not_author", "确认人不是经办人", "经办人不得确认自己起草的填报，请单位负责人确认", basis="办法8"
)
of_people("reviewer_took_no_part", "审核人未参与起草和确认", "审核人不得是起草人或确认人，请由他人审核")


@guard("confirmer_is_not_author")
def confirmer_is_not_author(context: StepContext) -> dict[int, list[Verdict]]:
    """Whoever wrote in it, or on whose behalf it is done, does not confirm it."""
    wrote = {case.id: [case.opened_by, *filing.authors] for case, filing in _filings(context)}
    return judged_people(context, "confirmer_is_not_author", wrote, "unit_head")


@guard("reviewer_took_no_part")
def reviewer_took_no_part(context: StepContext) -> dict[int, list[Verdict]]:
    """The reviewer neither wrote nor confirmed it, nor acts for somebody who did."""
    before = {case.id: [case.opened_by, *filing.authors, filing.confirmer] for case, filing in _filings(context)}
    return judged_people(context, "reviewer_took_no_part", before, "reviewer")


def _filings(context: StepContext) -> list[tuple[CaseRow, Filing]]:
    return [(case, context.session.get_one(Filing, case.id)) for case in context.cases]


@guard("important_change_is_approved")
def important_change_is_approved(context: StepContext) -> dict[int, list[Verdict]]:
    """Important fields of a record that stands change on an approved request (请示报告, 办法17)."""
    return _each(context, "important_change_is_approved", _request_read)


def _request_read(context: StepContext, _case: CaseRow, filing: Filing) -> dict[str, Any]:
    operation = filing_operation(context.session, filing, context.today)
    if operation is None:
        return {"operation": None}
    found = newest_request(context.session, operation.key)
    request = {"case": found.id, "state": found.state} if found else None
    return {"operation": operation.says, "request": request}


@judge_of("important_change_is_approved")
def _approved(facts: Facts) -> Verdict:
    if facts["operation"] is None:
        says = "不涉及已入库记录的重要字段和已锁定的月份，无须请示"
        return Verdict("important_change_is_approved", True, says, basis="办法17")
    link, found = f"/reports/filing/{facts['case']}", facts["request"]
    return replace(verdict_on(facts["operation"], found, link), guard="important_change_is_approved")
