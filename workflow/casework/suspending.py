"""暂停办理 (办法21): a leader's decision binds the unit and its subordinates by the tree of that day; time, two people, or a voided light free them.

Guards and effects of definitions/processes/suspension.yaml. Each decision has its own days; where two overlap, the later end governs
(workflow/casework/holds.py), so that taking one back leaves exactly what the other says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import insert, literal, select, update
from sqlalchemy.orm import Session

from workflow.calendar.months import add_months
from workflow.casework.four_eyes import judged_people, of_people
from workflow.casework.models import HOLD, HOLD_APPLY
from workflow.casework.stopping import let_matters_go_on, lock_matters, stop_matters
from workflow.casework.telling import tell_units
from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import HISTORY
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among, grouped
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

BASIS = "办法21"
LONGEST = 12  # months; 办法21 names three and six, a leader may set another length with a reason (视情)


def decided_end(data: Mapping[str, Any], inputs: Mapping[str, Any], today: date) -> tuple[date, int | None]:
    """The last day bound by a decision taken today, and its months: a given date, given months, or those proposed. Raises BadInput.

    Months are calendar months from the day of decision, clipped to the month's end (readings 5.2).
    """
    if inputs.get("ends_on"):
        return _given_end(str(inputs["ends_on"]), today), None
    given = str(inputs.get("months") or data["months"])
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= LONGEST):
        raise BadInput(f"月数应为 1 至 {LONGEST} 的整数", errors=[{"field": "months"}])
    return add_months(today, int(given)), int(given)


def _given_end(text: str, today: date) -> date:
    try:
        end = date.fromisoformat(text)
    except ValueError:
        raise BadInput("截止日期应为 YYYY-MM-DD", errors=[{"field": "ends_on"}]) from None
    latest = add_months(today, LONGEST)
    if not today < end <= latest:
        raise BadInput(f"截止日期应晚于今天，且不晚于 {latest}", errors=[{"field": "ends_on"}])
    return end


def derivation(decided_on: date, until_on: date, months: int | None) -> str:
    """How an end date follows from the decision, in words."""
    back = f"当日仍在暂停期内，{until_on + timedelta(1)} 恢复办理"
    if months is None:
        return f"{decided_on} 决定，截止日期定为 {until_on}，{back}"
    clipped = "" if until_on.day == decided_on.day else "（当月没有对应日，取月末）"
    return f"{decided_on} 决定，按日历月计{months}个月，至对应日 {until_on}{clipped}，{back}"


def lock_units(session: Session, unit_ids: Collection[int], *, shared: bool = False) -> None:
    """Keeps decisions on holds and approvals for the same units apart until the transaction ends.

    A decision locks the units it binds, an approval its own unit in shared mode; on SQLite there is one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql" and unit_ids:
        unit = TABLES["unit"].c
        locked = select(unit.id).where(among(session, unit.id, unit_ids)).order_by(unit.id)
        session.execute(locked.with_for_update(read=shared, key_share=not shared)).all()


@effect("begin_hold")
def begin_hold(context: StepContext) -> None:
    """The unit and its subordinates of today are bound from today until the end decided; the list is kept as it is today."""
    session, today = context.session, context.today
    for case in context.cases:
        inputs = {} if context.step.do == "confirm" else context.request.inputs
        until, months = decided_end(case.data, inputs, today)
        below = UnitClosure.ancestor_id == case.unit_id
        units = session.scalars(select(UnitClosure.descendant_id).where(below)).all()
        matters = lock_matters(session, units)
        lock_units(session, units)
        values = {
            "case_id": case.id,
            "source_unit_id": case.unit_id,
            "kind": case.data.get("kind", HOLD_APPLY),
            "from_on": today,
            "until_on": until,
            "written_at": context.now,
        }
        literals = [literal(value, HOLD.c[name].type) for name, value in values.items()]
        bound = select(UnitClosure.descendant_id, *literals).where(below)
        session.execute(insert(HOLD).from_select(["unit_id", *values], bound))
        held = session.scalars(select(HOLD.c.unit_id).where(HOLD.c.case_id == case.id)).all()
        stop_matters(session, case.id, matters, from_on=today, by=context.account, now=context.now)
        context.keep(
            case,
            decision=context.step.do,
            decided_on=today.isoformat(),
            decided_months=months,
            until_on=until.isoformat(),
            derivation=derivation(today, until, months),
            units=len(held),
            **({"decided_reason": context.request.reason} if context.request.reason else {}),
        )


@effect("keep_joined")
def keep_joined(context: StepContext) -> None:
    """A further round that led to the same measure before the leader decided is decided along with it (办法21)."""
    for case in context.cases:
        context.keep(case, joined=[*case.data.get("joined", ()), int(context.request.inputs["round"])])


@effect("tell_of_hold")
def tell_of_hold(context: StepContext) -> None:
    """Every unit bound learns from when until when (办法21)."""
    told = {}
    for case in context.cases:
        until = context.changes[case.id]["until_on"]
        title = f"暂停办理机构编制申请事项，{context.today} 起至 {until}"
        told[case.id] = (title, _bound(context.session, [case.id]).get(case.id, []))
    tell_units(context, "suspension.in_force", told)


@effect("tell_of_waiver")
def tell_of_waiver(context: StepContext) -> None:
    """The unit learns that the leader refrained from suspending it."""
    waived = {case.id: ("编办决定本次不予暂停办理", [case.unit_id]) for case in context.cases if case.unit_id}
    tell_units(context, "suspension.waived", waived)


@effect("release_hold")
def release_hold(context: StepContext) -> None:
    """From today on the units are free of this hold; the rows stay."""
    mine = (among(context.session, HOLD.c.case_id, context.ids), HOLD.c.lifted_on.is_(None))
    context.session.execute(update(HOLD).where(*mine).values(lifted_on=context.today))
    for case_id in context.ids:
        let_matters_go_on(context.session, case_id, on=context.today, now=context.now)


RELEASED = {
    "end": "暂停办理期满，恢复办理机构编制申请事项",
    "lift": "提前恢复办理机构编制申请事项",
    "withdraw": "暂停决定所依据的红灯已撤销，恢复办理机构编制申请事项",
}


@effect("tell_of_release")
def tell_of_release(context: StepContext) -> None:
    """Every unit that was bound learns that this hold is over."""
    bound = _bound(context.session, context.ids)
    title = RELEASED[context.step.do]
    told = {case.id: (title, bound[case.id]) for case in context.cases if case.id in bound}
    tell_units(context, f"suspension.{context.step.do}", told)


def _bound(session: Session, case_ids: Collection[int]) -> dict[int, list[int]]:
    rows = session.execute(select(HOLD.c.case_id, HOLD.c.unit_id).where(among(session, HOLD.c.case_id, case_ids)))
    return grouped((row.case_id, row.unit_id) for row in rows)


@effect("keep_lift_request")
def keep_lift_request(context: StepContext) -> None:
    """Who asks for an early end, when and why."""
    for case in context.cases:
        context.keep(case, lift_reason=context.request.reason, lift_asked_on=context.today.isoformat())


of_people("lift_asked_by_another", "同意人不是提请人", "提前解除须由另一人决定，提请人不得自行决定", basis=BASIS)


@guard("lift_asked_by_another")
def lift_asked_by_another(context: StepContext) -> dict[int, list[Verdict]]:
    """The second person is another person, also behind a substitute."""
    return judged_people(context, "lift_asked_by_another", _who_asked(context), "leader")


@guard("lift_asked_by_me")
def lift_asked_by_me(context: StepContext) -> dict[int, list[Verdict]]:
    """Only who asked takes the request back; others refuse it with a reason."""
    asked = _who_asked(context)
    read = {case.id: {"me": context.account, "asked": sorted(asked.get(case.id, ()))} for case in context.cases}
    return {case_id: judged("lift_asked_by_me", facts) for case_id, facts in read.items()}


@judge_of("lift_asked_by_me")
def _asked_by_me(facts: Facts) -> Verdict:
    holds = facts["me"] in facts["asked"]
    return Verdict("lift_asked_by_me", holds, "本人提请的，可以撤回" if holds else "只有提请人可以撤回", basis=BASIS)


def _who_asked(context: StepContext) -> dict[int, set[str]]:
    """Case → who asked last for an early end, and on whose behalf."""
    session = context.session
    acts = select(HISTORY.c.case_id, HISTORY.c.actor, HISTORY.c.on_behalf_of).where(
        among(session, HISTORY.c.case_id, context.ids), HISTORY.c.do == "request_lift"
    )
    rows = session.execute(acts.order_by(HISTORY.c.version))
    return {row.case_id: {name for name in (row.actor, row.on_behalf_of) if name} for row in rows}
