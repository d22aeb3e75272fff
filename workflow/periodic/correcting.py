"""限时整改 of the monthly comparison (办法10(三)): each item that the office objects to is a matter with a term of its own.

Guards and effects of definitions/processes/monthly_correction.yaml and of the demand in monthly_report.yaml.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import bindparam, func, select, update

from workflow.calendar.deadline import deadline
from workflow.casework.links import link
from workflow.casework.telling import tell_units
from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among, grouped
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput
from workflow.periodic.models import ITEM

PROCESS = "monthly_correction"
BASIS = "办法10(三)"
MOST_DAYS = 20


@effect("demand_correction")
def demand_correction(context: StepContext) -> None:
    """One correction a named item, due after the given working days (default: the policy's)."""
    wanted = _wanted(context.request.inputs.get("items"))
    found = select(ITEM).where(
        among(context.session, ITEM.c.case_id, context.ids), among(context.session, ITEM.c.id, wanted)
    )
    rows = context.session.execute(found.order_by(ITEM.c.id)).all()
    if strangers := wanted - {row.id for row in rows}:
        raise BadInput(f"没有比对项 {min(strangers)}，请刷新后重试", errors=[{"field": "items"}])
    open_now = _still_open(context, [row.correction_id for row in rows if row.correction_id])
    if doubled := [row for row in rows if row.correction_id in open_now]:
        raise BadInput(f"比对项 {doubled[0].id} 已在整改中", errors=[{"field": "items"}])
    for case_id, ours in grouped((row.case_id, row) for row in rows).items():
        _open(context, case_id, ours)


def _open(context: StepContext, case_id: int, rows: list[Any]) -> None:
    case = next(c for c in context.cases if c.id == case_id)
    due_on = _due(context, case.unit_id)
    count = context.session.scalar(
        select(func.count()).where(CASE.c.process == PROCESS, CASE.c.subject.startswith(f"{case_id}:"))
    )
    new = [
        NewCase(
            case.unit_id, f"{case_id}:{row.id}:{n}", f"{case.data['month']} 月报整改：{row.says}"[:200], context.today,
            {"due_on": due_on.isoformat(), "item": row.id, "reason": context.request.reason, "month": case.data["month"]},
        )
        for n, row in enumerate(rows, (count or 0) + 1)
    ]  # fmt: skip
    ids = open_cases(context.session, PROCESS, new, now=context.now, actor=context.request.actor)
    statement = update(ITEM).where(ITEM.c.id == bindparam("item")).values(correction_id=bindparam("correction"))
    pairs = [{"item": row.id, "correction": id_} for row, id_ in zip(rows, ids, strict=True)]
    context.session.connection().execute(statement, pairs)
    for id_ in ids:
        link(context.session, id_, case_id, "belongs_to", context.now)
    tell_units(context, "monthly.demand", {case_id: (f"{case.data['month']} 月报有 {len(ids)} 项须整改，期限至 {due_on}", [case.unit_id or 0])})  # fmt: skip


def _wanted(given: Any) -> set[int]:
    parts = given if isinstance(given, list | tuple) else str(given).replace("，", ",").split(",")
    texts = [str(part).strip() for part in parts]
    if not texts or not all(text.isascii() and text.isdigit() and len(text) < 16 for text in texts):
        raise BadInput("须整改的比对项应为编号，以逗号分隔", errors=[{"field": "items"}])
    return {int(text) for text in texts}


def _due(context: StepContext, unit_id: int | None) -> date:
    term = context.book.term(context.session, "monthly.correction", {unit_id})[unit_id].n
    given = str(context.request.inputs.get("days") or term)
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= MOST_DAYS):
        raise BadInput(f"整改期限应为 1 至 {MOST_DAYS} 个工作日", errors=[{"field": "days"}])
    due_on = deadline(context.today, int(given), context.book.calendar).due_on
    assert due_on is not None
    return due_on


def _still_open(context: StepContext, ids: Collection[int]) -> set[int]:
    return set(context.session.scalars(select(CASE.c.id).where(among(context.session, CASE.c.id, ids), CASE.c.open)))


@guard("corrections_are_settled")
def corrections_are_settled(context: StepContext) -> dict[int, list[Verdict]]:
    """The comparison is passed when every rectification that was asked for is done."""
    waiting = select(ITEM.c.case_id, CASE.c.id).join(CASE, CASE.c.id == ITEM.c.correction_id)
    rows = context.session.execute(waiting.where(among(context.session, ITEM.c.case_id, context.ids), CASE.c.open))
    open_ones = grouped((row[0], row[1]) for row in rows)
    return {case.id: judged("corrections_are_settled", {"open": open_ones.get(case.id, [])}) for case in context.cases}


@judge_of("corrections_are_settled")
def _settled(facts: Facts) -> Verdict:
    left = facts["open"]
    says, link_ = f"还有 {len(left)} 项整改未办结" if left else "没有未办结的整改", f"/cases/{left[0]}" if left else ""
    return Verdict("corrections_are_settled", not left, says, basis=BASIS, clears_by="unit_clerk", link=link_)


@effect("keep_correction")
def keep_correction(context: StepContext) -> None:
    """What the unit did, and how late."""
    for case in context.cases:
        late = max(0, (context.today - date.fromisoformat(case.data["due_on"])).days)
        evidence = context.request.inputs.get("evidence") or []
        context.keep(case, text=str(context.request.inputs["text"])[:2000], evidence=evidence, late_days=late)


@effect("settle_correction")
def settle_correction(context: StepContext) -> None:
    """The item shows that it was put right, or that the demand was taken back."""
    if context.step.do != "accept":
        return
    statement = update(ITEM).where(ITEM.c.id == bindparam("item"))
    rows = [{"item": case.data["item"], "said": case.data.get("text", "")[:500]} for case in context.cases]
    context.session.connection().execute(statement.values(answer="corrected", text=bindparam("said")), rows)


@effect("tell_unit_of_correction")
def tell_unit_of_correction(context: StepContext) -> None:
    """The unit learns what became of it."""
    title = f"月报整改：{context.definition.states[context.step.to].title}"
    told = {case.id: (title, [case.unit_id or 0]) for case in context.cases}
    tell_units(context, f"monthly_correction.{context.step.do}", told)
