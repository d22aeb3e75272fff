"""请示报告 (办法17): important data are changed on a request approved by two others, once, and the result is reported.

An operation that needs a request has a key (`batch:12`, `export:…`, `filing:33`); the request is tied to that key, so that what was
approved is what is carried out. Guards and effects of definitions/processes/report_request.yaml, and what the operations ask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from workflow.casework.four_eyes import people_of
from workflow.casework.matters import open_matter, titled
from workflow.casework.models import BOND
from workflow.clock import SHANGHAI
from workflow.engine.actors import SYSTEM, Actor
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE, HISTORY
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among
from workflow.engine.steps import require_moved, take_step
from workflow.engine.verdicts import Verdict
from workflow.errors import Refused

PROCESS = "report_request"
BASIS = "办法17"
OPEN = ("draft", "submitted", "deciding", "approved")
KINDS = {
    "important_field": "重要字段调整", "batch": "批量操作", "locked_month": "已锁定月份的数据", "erase": "删除个人数据",
    "export": "导出个人数据", "definition": "字典、规则、口径变更", "restore": "从备份恢复", "other": "其他重要数据调整",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation that needs a request: its key, the kind of the request, what it is in words, how many records, where it is done."""

    key: str
    kind: str
    says: str
    rows: int
    link: str
    month: str = ""  # YYYY-MM, where it concerns a locked month


def digest_key(prefix: str, facts: Mapping[str, Any]) -> str:
    """The key of an operation that has no row of its own: `export:` and the SHA-256 of its facts."""
    return f"{prefix}:{hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()}"


@titled(PROCESS)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show a request."""
    what = KINDS.get(str(values.get("kind", "")), "请示报告")
    return f"请示：{what}{f'（{unit_name}）' if unit_name else ''}"


def ask_approval(
    session: Session,
    operation: Operation,
    unit_id: int | None,
    texts: Mapping[str, Any],
    *,
    now: datetime,
    actor: Actor,
    data: Mapping[str, Any] | None = None,
    on_behalf_of: str | None = None,
) -> int:
    """A request tied to an operation; its kind and number of records are the operation's. Returns the case; raises as `open_matter`.

    `data`: what the case keeps of the operation beside its form.
    """
    given = {**texts, "kind": operation.kind, "rows": str(operation.rows) if operation.rows else ""}
    if operation.month:
        given["month"] = operation.month
    case_id = open_matter(session, PROCESS, unit_id, given, now=now, actor=actor, data=data, on_behalf_of=on_behalf_of)
    row = {"case_id": case_id, "key": operation.key, "says": operation.says[:400], "link": operation.link[:400]}
    session.execute(insert(BOND).values(row))
    return case_id


def bond_of(session: Session, case_id: int) -> Any:
    """The operation to which a request is tied: key, says, link; None for one that is carried out by hand."""
    return session.execute(select(BOND).where(BOND.c.case_id == case_id)).one_or_none()


def newest_request(session: Session, key: str) -> Any:
    """The newest request for an operation that is neither refused nor withdrawn nor used up: id and state; None where there is none."""
    mine = select(CASE.c.id, CASE.c.state).join(BOND, BOND.c.case_id == CASE.c.id)
    mine = mine.where(BOND.c.key == key, CASE.c.process == PROCESS, CASE.c.state.in_(OPEN))
    return session.execute(mine.order_by(CASE.c.id.desc()).limit(1)).one_or_none()


def request_verdict(session: Session, operation: Operation, ask_link: str) -> Verdict:
    """Whether the operation may be carried out: its request is approved and not used up. `ask_link`: where to ask for approval."""
    found = newest_request(session, operation.key)
    return verdict_on(operation.says, {"case": found.id, "state": found.state} if found else None, ask_link)


def verdict_on(what: str, request: Mapping[str, Any] | None, ask_link: str) -> Verdict:
    """The same from the operation in words and its newest request, with its case and state. Pure."""
    name = "request_is_approved"
    if request is None:
        says = f"{what}属于重要数据调整，须先请示批准（处室审核、领导批准），批准后执行"
        return Verdict(name, False, says, basis=BASIS, clears_by="unit_clerk", link=ask_link)
    state, link = request["state"], f"/cases/{request['case']}"
    facts = [{"record": str(request["case"]), "field": "state", "value": state}]
    if state == "approved":
        return Verdict(name, True, "请示已批准", facts, BASIS, link=link)
    whose = {"draft": "unit_clerk", "submitted": "reviewer", "deciding": "leader"}[state]
    return Verdict(name, False, "请示尚未批准", facts, BASIS, clears_by=whose, link=link)


def require_approval(session: Session, operation: Operation, ask_link: str) -> int:
    """The approved request of an operation. Raises Refused with the verdict and where to ask."""
    verdict = request_verdict(session, operation, ask_link)
    if not verdict.holds:
        raise Refused(verdict.says, verdicts=[verdict])
    return int(verdict.facts[0]["record"])


def carried_out(session: Session, key: str, result: str, *, now: datetime) -> int | None:
    """The operation was carried out: its approved request is used up and the report of the result is filed; None where there is none.

    Raises Refused where somebody withdrew it meanwhile.
    """
    found = newest_request(session, key)
    if found is None or found.state != "approved":
        return None
    done = take_step(session, PROCESS, "execute", [found.id], now=now, actor=SYSTEM, inputs={"result": result})
    require_moved(done)
    return int(found.id)


@guard("is_carried_out_by_hand")
def is_carried_out_by_hand(context: StepContext) -> dict[int, list[Verdict]]:
    """What the platform carries out it reports itself; a person reports the rest."""
    tied = select(BOND).where(among(context.session, BOND.c.case_id, context.ids))
    by_case = {row.case_id: row for row in context.session.execute(tied)}
    links = {case_id: bond.link for case_id, bond in by_case.items()}
    return {case.id: judged("is_carried_out_by_hand", {"link": links.get(case.id)}) for case in context.cases}


@judge_of("is_carried_out_by_hand")
def _by_hand(facts: Facts) -> Verdict:
    by_hand = facts["link"] is None
    says = "由人执行的事项，由请示人报告结果" if by_hand else "平台执行的事项，执行完毕自动报告"
    return Verdict("is_carried_out_by_hand", by_hand, says, basis=BASIS, link=facts["link"] or "")


@effect("write_the_report")
def write_the_report(context: StepContext) -> None:
    """The report of the result, from what is on file: asked, endorsed, approved, carried out, by whom and when."""
    acts = _acts(context)
    for case in context.cases:
        values = case.data.get("form", {})
        lines = [
            f"关于{KINDS.get(values.get('kind', ''), '重要数据调整')}的报告（请示 {case.subject}）",
            f"请示事项：{values.get('what', '')}",
            *acts.get(case.id, ()),
            f"执行结果：{context.request.inputs['result']}（{_moment(context.now)}）",
        ]
        context.keep(case, report=lines, reported_on=context.today.isoformat())


def _acts(context: StepContext) -> dict[int, list[str]]:
    told = {"submit": "请示", "endorse": "处室审核", "approve": "领导批准"}
    wanted = select(HISTORY).where(among(context.session, HISTORY.c.case_id, context.ids), HISTORY.c.do.in_(told))
    found: dict[int, list[str]] = {}
    for act in context.session.execute(wanted.order_by(HISTORY.c.version)):
        behalf = f"代 {act.on_behalf_of} " if act.on_behalf_of else ""
        found.setdefault(act.case_id, []).append(f"{told[act.do]}：{act.actor} {behalf}{_moment(act.at)}")
    return found


def _moment(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


@effect("tell_of_report")
def tell_of_report(context: StepContext) -> None:
    """The report goes to everybody who asked, endorsed or approved."""
    concerned = people_of(context.session, context.ids)
    messages = [
        _told(context, case, sorted(concerned.get(case.id, set()) | {case.opened_by})) for case in context.cases
    ]
    emit_all(context.session, messages, context.now)


def _told(context: StepContext, case: CaseRow, accounts: list[str]) -> Message:
    item = {"kind": "report.filed", "title": "重要数据调整的结果报告", "says": case.title, "case_id": case.id}
    items = [item | {"account": account, "link": f"/cases/{case.id}"} for account in accounts]
    return Message("notice", f"report.filed:{case.id}:{case.version}", {"items": items})
