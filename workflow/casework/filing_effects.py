"""What follows from the steps of a filing (definitions/processes/filing.yaml): lateness kept, the register written with its case, notices. Rows only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.casework.filing import KINDS, Content, content_of, days_late, due_dates, term_of
from workflow.casework.filing_corrections import title_of
from workflow.casework.models import Filing
from workflow.casework.report_operations import filing_operation
from workflow.casework.reporting import carried_out
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.models import HISTORY
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import effect
from workflow.errors import BadInput, Conflict, Refused
from workflow.insight.editing import blocking, judged
from workflow.operations.requests import ask
from workflow.registry.dictionary import dictionary
from workflow.registry.queries import Record, find_by_id
from workflow.registry.records import write


def _filings(context: StepContext) -> list[tuple[CaseRow, Filing]]:
    return [(case, context.session.get_one(Filing, case.id)) for case in context.cases]


@effect("keep_dates")
def keep_dates(context: StepContext) -> None:
    """Another day of the fact gives another term; lateness that is recorded stays."""
    try:
        fact_on = date.fromisoformat(str(context.request.inputs["fact_on"]))
    except ValueError:
        raise BadInput("事实或文件日期应为 YYYY-MM-DD", errors=[{"field": "fact_on"}]) from None
    for case, filing in _filings(context):
        dates = due_dates(term_of(context.session, filing.dataset, filing.unit_id, fact_on))
        filing.fact_on, filing.due_on = fact_on, date.fromisoformat(dates["due_on"])
        context.keep(case, **dates)


@effect("keep_submission")
def keep_submission(context: StepContext) -> None:
    """The day of submission and how late it was (办法7, 办法8): the figure only ever grows."""
    for case, filing in _filings(context):
        filing.submitted_on = context.today
        filing.late_days = days_late(filing, context.today)
        filing.returned = {}
        context.keep(case, late_days=filing.late_days, kind=filing.kind)


@effect("keep_confirmation")
def keep_confirmation(context: StepContext) -> None:
    """Who confirmed it for the unit."""
    for case, filing in _filings(context):
        filing.confirmer = context.account
        context.keep(case, confirmed_by=context.account)


@effect("keep_returns")
def keep_returns(context: StepContext) -> None:
    """Why it comes back, field by field; the general reason stands in the history."""
    given = context.request.inputs.get("fields") or {}
    for _, filing in _filings(context):
        known = {line["field"] for line in filing.lines}
        if not isinstance(given, Mapping) or not set(given) <= known:
            raise BadInput("退回理由须对应本填报的字段", errors=[{"field": "fields"}])
        filing.returned = {name: str(why).strip()[:300] for name, why in given.items() if str(why).strip()}


@effect("write_the_record")
def write_the_record(context: StepContext) -> None:
    """Writes the register: author, basis, day of the fact and case stand in the version; the rules judge once more, and a re-check is asked for.

    Raises Conflict where somebody changed the record meanwhile, Refused where a rule blocks by now.
    """
    for case, filing in _filings(context):
        record_id, key = _accepted(context, case, filing)
        filing.record_id, filing.record_key, filing.accepted_on = record_id, key, context.today
        context.keep(case, record_key=key, accepted_on=context.today.isoformat())
        ask(
            context.session, "check", {"records": [[filing.dataset, record_id]]}, by=context.account, now=context.now,
            on_behalf_of=context.request.on_behalf_of,
        )  # fmt: skip


@effect("report_the_change")
def report_the_change(context: StepContext) -> None:
    """The request for an important change is used up by it, and its result is filed (请示报告, 办法17)."""
    for case, filing in _filings(context):
        operation = filing_operation(context.session, filing, context.today)
        if operation is not None:
            said = f"已入库：{filing.record_key}，{len(filing.lines)} 个字段，填报 {case.id}"
            carried_out(context.session, operation.key, said, now=context.now)


def _accepted(context: StepContext, case: CaseRow, filing: Filing) -> tuple[int, str]:
    session = context.session
    record = find_by_id(session, filing.dataset, filing.record_id) if filing.record_id else None
    if record is not None and record.removed:
        raise Conflict("记录已被移除，不能入库")
    content = content_of(session, filing, record)
    if content.faults:
        raise Refused("；".join(content.faults.values()))
    before = judged(session, filing.dataset, record.id, context.today) if record else []
    record_id, key = _written(context, case, filing, record, content)
    blocked = blocking(before, judged(session, filing.dataset, record_id, context.today))
    if blocked:
        errors = [{"rule": f.rule_id, "field": f.field, "message": f.says} for f in blocked]
        raise Refused("；".join(f.says for f in blocked[:5]), errors=errors)
    return record_id, key


def _written(
    context: StepContext, case: CaseRow, filing: Filing, record: Record | None, content: Content
) -> tuple[int, str]:
    """What was typed as one version; what a correction rule proposed as a version of its own, with its rule."""
    origin: dict[str, Any] = {
        "by": case.opened_by,
        "on_behalf_of": _on_behalf_of(context.session, case.id),
        "now": context.now,
        "effective_on": filing.fact_on,
        "basis": _basis(filing),
        "case_id": case.id,
        "may_write_locked": True,
        "may_create": record is None,
        "key_is_new": record is None,
    }
    typed, auto = _split(filing, record, content)
    parts: list[tuple[dict[str, Any], dict[str, Any]]] = (
        [(typed, {"source": "form"})] if typed or record is None else []
    )
    parts += [(values, {"source": "auto", "source_ref": f"{rule} {title_of(rule)}"}) for rule, values in auto.items()]
    record_id, key, version = record.id if record else 0, record.key if record else "", filing.base_version
    for values, source in parts:
        row = values if not record_id else {"id": record_id, "version": version} | values
        written = write(context.session, filing.dataset, [row], **origin, **source)
        record_id, key, version = written.ids[0], written.keys[0], None
    return record_id, key


def _split(filing: Filing, record: Record | None, content: Content) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The typed values, and by rule those that a correction gave; at first entry the identity goes with the typed ones."""
    dataset = dictionary()[filing.dataset]
    bound: Collection[str | None] = (dataset.key, dataset.unit, *dataset.identity) if record is None else ()
    auto: dict[str, dict[str, Any]] = {}
    for name, rule in filing.auto.items():
        if name in content.values and name not in bound:
            auto.setdefault(rule, {})[name] = content.values[name]
    corrected = {name for values in auto.values() for name in values}
    return {name: value for name, value in content.values.items() if name not in corrected}, auto


def _basis(filing: Filing) -> str | None:
    dated = f"{filing.doc_no}（{filing.doc_on}）" if filing.doc_no and filing.doc_on else filing.doc_no
    return "；".join(part for part in (dated, filing.reason) if part)[:200] or None


def _on_behalf_of(session: Session, case_id: int) -> str | None:
    """For whom the clerk submitted it last."""
    submitted = select(HISTORY.c.on_behalf_of).where(HISTORY.c.case_id == case_id, HISTORY.c.do == "submit")
    return session.scalar(submitted.order_by(HISTORY.c.version.desc()).limit(1))


@effect("tell_of_return")
def tell_of_return(context: StepContext) -> None:
    """The clerk and the head learn that it came back."""
    _tell(context, "filing.returned", "填报已退回，请按理由更正")


@effect("tell_of_acceptance")
def tell_of_acceptance(context: StepContext) -> None:
    """The unit learns that the register was written."""
    _tell(context, "filing.accepted", "填报已入库")


@effect("tell_of_term")
def tell_of_term(context: StepContext) -> None:
    """The unit learns that the five working days are nearly over, or are over (办法7, 办法8)."""
    title = "填报期限将满" if context.step.do == "remind" else "填报已逾期"
    _tell(context, f"filing.{context.step.do}", title)


def _tell(context: StepContext, kind: str, title: str) -> None:
    messages = []
    for case, filing in _filings(context):
        one = {
            "kind": kind,
            "title": f"{title}：{KINDS[filing.kind]}",
            "unit_id": case.unit_id,
            "case_id": case.id,
            "link": f"/filings/{case.id}",
        }
        items = [one | {"role": role} for role in ("unit_clerk", "unit_head")]
        messages.append(Message("notice", f"{kind}:{case.id}:{case.version}", {"items": items}))
    emit_all(context.session, messages, context.now)
