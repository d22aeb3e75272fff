"""Entries that take up quota (入编): a filing names the notice that permits it, uses it up, and ends what is carried out (practice 2.4 A).

Who is appointed from above (上级任命) or moved with an institution (划转) needs no notice; a placement by policy is granted as an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.casework.approval_guards import code_of, occupies
from workflow.casework.approving import PROCESS as APPROVAL
from workflow.casework.filing import typed_texts
from workflow.casework.links import link
from workflow.casework.models import LINK, Filing
from workflow.casework.standing_guards import use_is_not_suspended
from workflow.engine.actors import SYSTEM
from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, answers, judge_of, judged, judges
from workflow.engine.models import CASE
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among
from workflow.engine.steps import take_step
from workflow.engine.verdicts import Verdict
from workflow.errors import Refused
from workflow.registry.dictionary import dictionary
from workflow.registry.models import COUNTER, NOTICE
from workflow.registry.queries import Record, find_by_id
from workflow.registry.quota import use_notice

BASIS = "办法6、办法8"
DECIDING = ("estab_status", "quota_type", "entry_way", "notice_no")


class Taking(NamedTuple):
    """A head that a filing takes up: of which quota type, in which way, on which notice."""

    quota_type: str
    entry_way: str
    number: str


def taking_of(session: Session, filing: Filing) -> Taking | None:
    """The head that a filing takes up anew; None where it takes up none (a correction, an exit, somebody without quota)."""
    if filing.dataset != "person":
        return None
    named = {name: _coded(name, text) for name, text in typed_texts(filing).items() if name in DECIDING}
    if filing.record_id is not None and not {"estab_status", "quota_type"} & named.keys():
        return None
    record = find_by_id(session, filing.dataset, filing.record_id) if filing.record_id else None
    old: Mapping[str, Any] = record.values if record is not None and not record.removed else {}
    new = {**old, **named}
    if not _in_post(new) or (_in_post(old) and old.get("quota_type") == new.get("quota_type")):
        return None
    return Taking(str(new["quota_type"]), str(new.get("entry_way") or ""), str(new.get("notice_no") or "").strip())


def _coded(name: str, text: str) -> str:
    """What a text of the filing stores: the code of a label, a code as it is."""
    described = dictionary()["person"].fields[name]
    if described.type != "code":
        return text
    item = dictionary().codes_of(described).by_label.get(text)
    return item.code if item else text


def _in_post(values: Mapping[str, Any]) -> bool:
    return values.get("estab_status") == code_of("estab_status", "在编") and occupies(values.get("quota_type"))


def needs_notice(entry_way: str) -> bool:
    """Whether an entry in that way is permitted by a notice only."""
    item = dictionary().codes["entry_way"].by_code.get(entry_way)
    return item is None or not (item.label == "上级任命" or item.attrs.get("transfer") == 1)


@guard("notice_permits_entry")
def notice_permits_entry(context: StepContext) -> dict[int, list[Verdict]]:
    """An entry on quota stands on a notice of this unit, this quota type and way, valid and not used up."""
    return {
        case.id: judged("notice_permits_entry", _entry_read(context, context.session.get_one(Filing, case.id)))
        for case in context.cases
    }


def _entry_read(context: StepContext, filing: Filing) -> dict[str, Any]:
    """The head taken up with its labels, the holds on the use of quotas, and the notice named."""
    session, read = context.session, {"case": filing.case_id, "record": filing.record_key, "today": context.today}
    taking, codes = taking_of(session, filing), dictionary().codes
    if taking is None:
        return {**read, "taking": None}
    way = {"way": codes["entry_way"].label(taking.entry_way), "needs_notice": needs_notice(taking.entry_way)}
    read = {**read, "taking": {**taking._asdict(), "label": codes["quota_type"].label(taking.quota_type), **way}}
    if not taking.number and not way["needs_notice"]:
        return read
    held = use_is_not_suspended(session, [filing.unit_id], context.today)[filing.unit_id]
    notice = session.execute(select(NOTICE).where(NOTICE.c.number == taking.number)).one_or_none()
    return {**read, "unit": filing.unit_id, "use": dict(held.read or {})["facts"], "notice": _notice_read(notice)}


def _notice_read(notice: Any) -> dict[str, Any] | None:
    if notice is None:
        return None
    names = ("case_id", "unit_id", "quota_type", "entry_way", "n", "used", "valid_until", "closed_on")
    codes = dictionary().codes
    labels = {
        "label": codes["quota_type"].label(notice.quota_type or ""),
        "way": codes["entry_way"].label(notice.entry_way or ""),
    }
    return {**{name: getattr(notice, name) for name in names}, **labels}


@judge_of("notice_permits_entry")
def _permits(facts: Facts) -> Verdict:
    name, link_, taking = "notice_permits_entry", f"/filings/{facts['case']}/edit#f-notice_no", facts["taking"]
    if taking is None:
        return Verdict(name, True, "不占用新的编制，无须通知单", basis=BASIS)
    if not taking["number"] and not taking["needs_notice"]:
        return Verdict(name, True, f"进入形式为“{taking['way']}”，无须核准使用编制通知单", basis=BASIS)
    (held,) = answers(judges()["use_is_not_suspended"], facts["use"])
    if not held.holds:
        return replace(held, guard=name)
    notice, wrong = facts["notice"], _wrong(facts)
    if wrong:
        told = [
            {"record": facts["record"], "field": "notice_no", "value": taking["number"], "says": wrong, "link": link_}
        ]
        return Verdict(name, False, wrong, told, BASIS, clears_by="unit_clerk", link=link_)
    says = (
        f"通知单 {taking['number']} 核准 {notice['n']} 名，已入编 {notice['used']} 名，有效期至 {notice['valid_until']}"
    )
    return Verdict(name, True, says, basis=BASIS, link=f"/cases/{notice['case_id']}")


def _wrong(facts: Facts) -> str:
    taking, notice = facts["taking"], facts["notice"]
    number = taking["number"]
    if not number:
        return "占用编制的入编须填写核准通知单号；没有通知单的，先办理用编申请"
    if notice is None or notice["unit_id"] != facts["unit"] or notice["quota_type"] is None:
        return f"本单位没有编号为 {number} 的核准使用编制通知单"
    if notice["closed_on"] is not None or notice["valid_until"] < facts["today"]:
        return f"通知单 {number} 已于 {notice['closed_on'] or notice['valid_until']} 失效"
    if notice["quota_type"] != taking["quota_type"]:
        return f"通知单 {number} 核准的是{notice['label']}，不能用于{taking['label']}"
    if notice["entry_way"] and notice["entry_way"] != taking["entry_way"]:
        return f"通知单 {number} 核准的进入形式是{notice['way']}，超出通知单范围的无效"
    return f"通知单 {number} 核准的 {notice['n']} 名已全部入编" if notice["used"] >= notice["n"] else ""


@effect("use_the_notice")
def use_the_notice(context: StepContext) -> None:
    """Counts the entry on its notice before the record is written, once and never beyond it. Raises Refused where it is used up by now."""
    for case in context.cases:
        filing = context.session.get_one(Filing, case.id)
        taking = taking_of(context.session, filing)
        if taking is None or not taking.number:
            continue
        approval = use_notice(context.session, taking.number, filing.unit_id, taking.quota_type, context.today)
        link(context.session, approval, case.id, "permits", context.now)
        context.keep(case, notice=taking.number)


@effect("prove_no_notice_is_broken")
def prove_no_notice_is_broken(context: StepContext) -> None:
    """A filing that cuts the ledger leaves what notices have set aside. Raises Refused naming them.

    Too many people alone refuse no fact: rule Q01 finds them, and applications are refused until they are fewer.
    """
    for case in context.cases:
        filing = context.session.get_one(Filing, case.id)
        if filing.dataset != "ledger":
            continue
        short = (
            (COUNTER.c.unit_id == filing.unit_id)
            & (COUNTER.c.reserved > 0)
            & (COUNTER.c.used + COUNTER.c.reserved > COUNTER.c.cap)
        )
        row = context.session.execute(select(COUNTER).where(short).limit(1)).one_or_none()
        if row is not None and _cuts(context.session, filing, row.quota_type):
            raise Refused(_broken(context.session, filing, row, context.today))


def _cuts(session: Session, filing: Filing, quota_type: str) -> bool:
    """Whether the ledger row that a filing wrote lowers that quota type, or changes a row that gave it."""
    record: Record | None = find_by_id(session, "ledger", filing.record_id) if filing.record_id else None
    if record is None or record.values.get("quota_type") != quota_type:
        return False
    figures = {"delta_plus", "delta_minus", "status", "quota_type", "unit"} & {line["field"] for line in filing.lines}
    lowers = (record.values.get("delta_minus") or 0) > (record.values.get("delta_plus") or 0)
    return lowers or (filing.base_version is not None and bool(figures))


def _broken(session: Session, filing: Filing, row: Any, today: date) -> str:
    open_ = NOTICE.c.closed_on.is_(None) & (NOTICE.c.valid_until >= today) & (NOTICE.c.quota_type == row.quota_type)
    numbers = session.scalars(
        select(NOTICE.c.number).where(NOTICE.c.unit_id == filing.unit_id, open_).order_by(NOTICE.c.id)
    )
    label = dictionary().codes["quota_type"].label(row.quota_type)
    told = "、".join(numbers) or "台账使用计划"
    return (
        f"{label}变动后核定 {row.cap} 名，在编 {row.used} 名、已核准未用 {row.reserved} 名（{told}），不足 {row.over} 名；"
        "须先办理出编，或收回通知单"
    )


@effect("carry_out_the_decision")
def carry_out_the_decision(context: StepContext) -> None:
    """An application ends with what carries it out: its last entry, or its ledger filing where it grants no heads."""
    other = select(LINK.c.case_id).where(among(context.session, LINK.c.other_id, context.ids))
    waiting = select(CASE.c.id, NOTICE.c.n, NOTICE.c.used).join(NOTICE, NOTICE.c.case_id == CASE.c.id)
    waiting = waiting.where(CASE.c.process == APPROVAL, CASE.c.state == "issued", CASE.c.id.in_(other))
    done = [row.id for row in context.session.execute(waiting) if row.used >= row.n]
    if done:
        take_step(context.session, APPROVAL, "complete", done, now=context.now, actor=SYSTEM)
