"""人员划转 (办法8): both units and the office agree, then the person stands in the other unit, with the posts held in the old one ended.

Guards and effects of definitions/processes/transfer.yaml. While the receiver and its office act, the case concerns the receiver; the
sender goes on seeing it as its other side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.substitution import opened_for
from workflow.casework.filing import due_dates, term_of
from workflow.casework.matters import titled
from workflow.casework.models import SIDE, CaseSide
from workflow.casework.telling import tell_units
from workflow.db import ymd
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE
from workflow.engine.outbox import insert_new
from workflow.engine.registry import effect, guard
from workflow.engine.steps import move_to_unit
from workflow.engine.verdicts import Verdict
from workflow.errors import Refused
from workflow.operations.requests import ask
from workflow.registry.balances import Balance, quota_balances
from workflow.registry.dictionary import code_of, dictionary
from workflow.registry.places import names_of
from workflow.registry.queries import Record, find_by_key
from workflow.registry.records import write
from workflow.registry.tables import TABLES

PROCESS = "transfer"
BASIS = "办法8"
UNIT = TABLES["unit"].c
Reader = Callable[[StepContext, CaseRow, Mapping[str, Any]], dict[str, Any]]


@titled(PROCESS)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show it; the person by code, never by name, the units by name."""
    return f"人员划转：{values.get('person', '')}（{unit_name} → {values.get('receiver', '')}）"


def _each(context: StepContext, name: str, read: Reader) -> dict[int, list[Verdict]]:
    return {
        case.id: judged(name, {"case": case.id, **read(context, case, case.data.get("form", {}))}) for case in context.cases
    }  # fmt: skip


def _person(session: Session, form: Mapping[str, Any]) -> Record | None:
    return find_by_key(session, "person", str(form.get("person", "")))


def _receiver(session: Session, form: Mapping[str, Any]) -> int | None:
    code = str(form.get("receiver", ""))
    return session.scalar(select(UNIT.id).where(UNIT.unit_code == code, UNIT.removed_on.is_(None)))


@guard("person_is_ours")
def person_is_ours(context: StepContext) -> dict[int, list[Verdict]]:
    """The person stands in the sending unit and in its establishment."""
    return _each(context, "person_is_ours", _person_read)


def _person_read(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    record = _person(context.session, form)
    unit_id = record.unit_id if record else None
    kept = record is not None and record.values.get("estab_status") == code_of("person", "estab_status", "在编")
    return {"person": str(form.get("person", "")), "ours": case.unit_id, "unit": unit_id, "in_establishment": kept}


@judge_of("person_is_ours")
def _ours(facts: Facts) -> Verdict:
    here, kept = facts["unit"] is not None and facts["unit"] == facts["ours"], facts["in_establishment"]
    says = "人员在本单位在编" if here and kept else "该人员不在本单位" if not here else "该人员不在编，不能划转"
    told, link = [{"record": facts["person"], "field": "unit", "value": facts["unit"]}], f"/cases/{facts['case']}"
    return Verdict("person_is_ours", here and kept, says, told, BASIS, clears_by="unit_clerk", link=link)


@guard("receiver_is_another")
def receiver_is_another(context: StepContext) -> dict[int, list[Verdict]]:
    """The person goes to another unit, on a day that has come, and lateness is explained."""
    return _each(context, "receiver_is_another", _receiver_read)


def _receiver_read(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    days = {"moved_on": str(form.get("moved_on", "")), "due_on": case.data.get("due_on"), "today": context.today}
    ours = {"ours": case.unit_id, "receiver": _receiver(context.session, form)}
    return {**ours, **days, "explained": bool(form.get("late_reason"))}


@judge_of("receiver_is_another")
def _another(facts: Facts) -> Verdict:
    told, due_on = "", facts["due_on"]
    if facts["receiver"] in (None, facts["ours"]):
        told = "调入单位应是另一个单位"
    elif facts["moved_on"] > facts["today"]:
        told = "手续尚未办结，办结后才能填报"
    elif due_on is not None and due_on < facts["today"] and not facts["explained"]:
        told = f"填报期限至 {due_on}，已逾期，须写明逾期原因"
    says, link = told or "调入单位、办结日期无误", f"/cases/{facts['case']}"
    return Verdict("receiver_is_another", not told, says, basis=BASIS, clears_by="unit_clerk", link=link)


@guard("no_other_transfer")
def no_other_transfer(context: StepContext) -> dict[int, list[Verdict]]:
    """One transfer of a person at a time."""
    return _each(context, "no_other_transfer", _others_read)


def _others_read(context: StepContext, case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    others = select(CASE.c.id, CASE.c.data).where(CASE.c.process == PROCESS, CASE.c.open, CASE.c.id != case.id)
    others = others.where(CASE.c.state != "draft")
    found = [row.id for row in context.session.execute(others) if row.data["form"].get("person") == form.get("person")]
    return {"others": found}


@judge_of("no_other_transfer")
def _only(facts: Facts) -> Verdict:
    found = facts["others"]
    says = f"该人员另有未办结的划转 {found[0]}" if found else "没有其他未办结的划转"
    link = f"/cases/{found[0]}" if found else ""
    return Verdict("no_other_transfer", not found, says, basis=BASIS, clears_by="unit_clerk", link=link)


@guard("receiver_has_a_place")
def receiver_has_a_place(context: StepContext) -> dict[int, list[Verdict]]:
    """A place of that quota type is free in the receiving unit (国务院令第486号第6条)."""
    return _each(context, "receiver_has_a_place", _place_read)


def _place_read(context: StepContext, _case: CaseRow, form: Mapping[str, Any]) -> dict[str, Any]:
    receiver, quota_type = _receiver(context.session, form) or 0, str(form.get("quota_type", ""))
    balance = _balance(context.session, receiver, quota_type, context.today)
    label = dictionary().codes["quota_type"].label(quota_type)
    return {"receiver": str(form.get("receiver", "")), "label": label, **vars(balance)}


@judge_of("receiver_has_a_place")
def _place(facts: Facts) -> Verdict:
    code, approved, occupied, plan = (facts[name] for name in ("receiver", "approved", "occupied", "plan"))
    free = approved - occupied - plan
    told = [{"record": code, "field": name, "value": facts[name]} for name in ("approved", "occupied", "plan")]
    says = f"调入单位{facts['label']}核定 {approved}、实有 {occupied}、已核准待用 {plan}，空余 {free}"
    return Verdict("receiver_has_a_place", free > 0, says, told, "办法6", clears_by="reviewer", link=f"/units/{code}")


def _balance(session: Session, unit_id: int, quota_type: str, today: date) -> Balance:
    named = select(UNIT.id).where(UNIT.id == unit_id)
    return quota_balances(session, named, today).get(unit_id, {}).get(quota_type, Balance())


@effect("keep_transfer_term")
def keep_transfer_term(context: StepContext) -> None:
    """Five working days from the day on which the formalities were completed (办法8); lateness only grows."""
    for case in context.cases:
        form = context.changes.get(case.id, {}).get("form", case.data.get("form", {}))
        if not form.get("moved_on") or case.unit_id is None:
            continue
        due_on = due_dates(term_of(context.session, "person", case.unit_id, date.fromisoformat(form["moved_on"])))[
            "due_on"
        ]
        late = max((context.today - date.fromisoformat(due_on)).days, int(case.data.get("late_days", 0)), 0)
        context.keep(
            case, due_on=due_on, late_days=late if context.step.do == "submit" else case.data.get("late_days", 0)
        )


@effect("hand_over")
def hand_over(context: StepContext) -> None:
    """The case concerns the receiver now; the sender sees it as its other side."""
    for case in context.cases:
        receiver = _receiver(context.session, case.data["form"])
        if receiver is None:
            raise Refused("调入单位已撤销")
        side = {"case_id": case.id, "unit_id": case.unit_id, "written_at": context.now}
        context.session.execute(insert_new(context.session, CaseSide, ["case_id", "unit_id"]), [side])
        context.keep(case, sender=case.unit_id)
        move_to_unit(context.session, [case.id], receiver)


@effect("hand_back")
def hand_back(context: StepContext) -> None:
    """The case concerns the sender again; the receiver goes on seeing what it had before it."""
    for case in context.cases:
        side = {"case_id": case.id, "unit_id": case.unit_id, "written_at": context.now}
        context.session.execute(insert_new(context.session, CaseSide, ["case_id", "unit_id"]), [side])
        move_to_unit(context.session, [case.id], int(case.data["sender"]))


@effect("tell_the_receiver")
def tell_the_receiver(context: StepContext) -> None:
    """Head and clerk of the receiving unit learn who is to come."""
    told = {}
    for case in context.cases:
        receiver = _receiver(context.session, case.data["form"])
        told[case.id] = ("人员划转待调入单位确认", [receiver] if receiver else [])
    tell_units(context, "transfer.arriving", told)


@effect("move_the_person")
def move_the_person(context: StepContext) -> None:
    """Writes the person into the receiving unit and ends the posts held in the old one, as one act of the register with its case.

    Raises Refused where the last place was taken meanwhile: the counters are locked by the write itself.
    """
    behalves = opened_for(context.session, context.ids)
    for case in context.cases:
        session, form = context.session, case.data["form"]
        record, receiver = _person(session, form), _receiver(session, form)
        if record is None or receiver is None or record.unit_id != int(case.data["sender"]):
            raise Refused("人员已不在调出单位，或调入单位已撤销")
        origin: dict[str, Any] = {
            "by": case.opened_by, "on_behalf_of": behalves.get(case.id), "now": context.now, "effective_on": date.fromisoformat(form["moved_on"]),
            "basis": f"{form['doc_no']}（人员划转）"[:200], "case_id": case.id, "may_write_locked": True,
        }  # fmt: skip
        _end_posts(session, record, form, origin)
        moved = {"id": record.id, "unit": receiver, "inner_org": None, "quota_type": form["quota_type"]}
        write(session, "person", [moved], **origin)
        after = _balance(session, receiver, form["quota_type"], context.today)
        if after.occupied + after.plan > after.approved:
            raise Refused("调入单位的空余编制已被占用")
        behalf = context.request.on_behalf_of
        ask(
            session,
            "check",
            {"records": [["person", record.id]]},
            by=context.account,
            now=context.now,
            on_behalf_of=behalf,
        )


def _end_posts(session: Session, record: Record, form: Mapping[str, Any], origin: Mapping[str, Any]) -> None:
    table = TABLES["position"].c
    current = code_of("position", "status", "现任")
    held = select(table.id).where(table.person_id == record.id, table.status == current, table.removed_on.is_(None))
    ended = {"status": code_of("position", "status", "已免"), "remove_doc_no": form["doc_no"]}
    day = ymd(date.fromisoformat(form["moved_on"]))
    rows = [{"id": id_, "end_date": day, **ended} for id_ in session.scalars(held)]
    if rows:
        write(session, "position", rows, **origin)


def sides_of(session: Session, case_id: int) -> dict[int, tuple[str, str]]:
    """The other units that see a case: id → code and name."""
    return names_of(session, session.scalars(select(SIDE.c.unit_id).where(SIDE.c.case_id == case_id)).all())
