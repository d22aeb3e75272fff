"""违规线索 (办法22): verified by one, established by another; the hold on the use of quotas is proposed, the accountable are traced.

Guards and effects of definitions/processes/violation.yaml. Accountable are the first recorder of the record and of each present value,
everybody who changed it since, and the head of the unit as 第一责任人 (办法7, 办法8): read from the versions, typed by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.scopes import holders
from workflow.casework.links import link
from workflow.casework.matters import titled
from workflow.casework.models import HOLD_USE
from workflow.clock import SHANGHAI, business_date
from workflow.engine.actors import SYSTEM
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import effect
from workflow.engine.steps import NewCase, open_cases
from workflow.registry.dictionary import dictionary
from workflow.registry.history import FirstEntry, first_entries, versions
from workflow.registry.models import RecordVersion
from workflow.registry.places import names_of
from workflow.registry.tables import TABLES

PROCESS = "violation"
MONTHS = 12  # 办法22: 原则上一年内
SITUATIONS = {
    "false_data": "伪造、篡改、瞒报、虚报、拒报",
    "sold": "非法出售或提供",
    "leaked": "泄露",
    "other": "其他违规",
}


@titled(PROCESS)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show it."""
    return f"违规线索：{SITUATIONS.get(str(values.get('situation', '')), '')}（{unit_name}）"


@effect("keep_findings")
def keep_findings(context: StepContext) -> None:
    """What was verified stays with the case."""
    for case in context.cases:
        context.keep(case, findings=context.request.inputs["findings"])


@effect("trace_the_accountable")
def trace_the_accountable(context: StepContext) -> None:
    """Who entered and changed the record, and who answers for the unit, as on the day of the conclusion."""
    for case in context.cases:
        context.keep(case, accountable=accountable(context.session, case, case.data.get("form", {})))


def accountable(session: Session, case: CaseRow, form: Mapping[str, Any]) -> list[dict[str, str]]:
    """The people accountable: account, on whose behalf, for what, when; the head of the unit last."""
    people = _of_record(session, str(form.get("dataset", "")), str(form.get("key", "")))
    if case.unit_id is not None:
        heads = session.scalars(holders("unit_head", case.unit_id, business_date(case.state_since)))
        people += [
            {"who": account, "behalf": "", "what": "单位主要负责人（第一责任人）", "at": ""}
            for account in sorted(heads)
        ]
    return people


def _of_record(session: Session, dataset: str, key: str) -> list[dict[str, str]]:
    if dataset not in dictionary().datasets or not key:
        return []
    described = dictionary()[dataset]
    table = TABLES[dataset].c
    record_id = session.scalar(select(table.id).where(table[described.key] == key))
    written = versions(session, dataset, record_id) if record_id is not None else []
    found = first_entries(written)
    if found is None:
        return []
    people = [_told(found.record, "首录记录")]
    by_person: dict[FirstEntry, list[str]] = {}
    for name, entry in found.fields.items():
        if not described.fields[name].derived:
            by_person.setdefault(entry, []).append(described.fields[name].label)
    people += [_told(entry, f"首录现值：{'、'.join(labels)}") for entry, labels in by_person.items()]
    return people + [_changed(version) for version in written[1:]]


def _told(entry: FirstEntry, what: str) -> dict[str, str]:
    return {
        "who": entry.by,
        "behalf": entry.on_behalf_of or "",
        "what": what,
        "at": f"{entry.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
    }


def _changed(version: RecordVersion) -> dict[str, str]:
    entry = FirstEntry(version.by, version.at, version.on_behalf_of)
    return _told(entry, f"第 {version.version} 版更改")


@effect("propose_use_hold")
def propose_use_hold(context: StepContext) -> None:
    """A leader decides on the year without use of quotas (原则上) in a case of its own, bound to this one."""
    for case in context.cases:
        facts = {"kind": HOLD_USE, "months": MONTHS, "violation": case.id}
        says = f"违规认定成立，建议暂停使用编制{MONTHS}个月（办法22）"
        new = NewCase(case.unit_id, f"violation:{case.id}", says, data=facts)
        held = open_cases(context.session, "suspension", [new], now=context.now, actor=SYSTEM)[0]
        link(context.session, case.id, held, "leads_to", context.now)


@effect("tell_of_violation")
def tell_of_violation(context: StepContext) -> None:
    """The unit learns that it was established, and is led to its own standing: the case itself stays with the office."""
    names = names_of(context.session, {case.unit_id for case in context.cases if case.unit_id})
    messages = []
    for case in (case for case in context.cases if case.unit_id):
        title = "违规情形认定成立，由编办另行决定暂停使用编制"
        link_to = f"/units/{names[case.unit_id or 0][0]}/standing"
        one = {"kind": "violation.established", "title": title, "unit_id": case.unit_id, "link": link_to}
        items = [one | {"role": "unit_head"}, one | {"role": "unit_clerk"}]
        messages.append(Message("notice", f"violation.established:{case.id}:{case.version}", {"items": items}))
    emit_all(context.session, messages, context.now)


@effect("keep_referral")
def keep_referral(context: StepContext) -> None:
    """To whom and under which letter the accountable were referred."""
    given = context.request.inputs
    for case in context.cases:
        context.keep(
            case, referred_to=given["referred_to"], letter=given["letter"], referred_on=context.today.isoformat()
        )
