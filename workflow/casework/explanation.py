"""说明核准 (办法10(三)): a doubtful finding that is a fact is explained, reviewed by somebody else, and stands for a time.

Guards and effects of definitions/processes/explanation.yaml, and of the rectification steps that an explanation leads to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.calendar.months import add_months
from workflow.casework.four_eyes import judged_people, of_people
from workflow.engine.actors import SYSTEM, Actor
from workflow.engine.context import CaseRow, Request, StepContext
from workflow.engine.definition import HOUSEKEEPING
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE, HISTORY, PAUSE
from workflow.engine.pauses import pause, resume
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among
from workflow.engine.steps import NewCase, advance, lock_cases, open_cases, require_moved, take_step
from workflow.engine.verdicts import Verdict
from workflow.errors import NotFound, Refused
from workflow.quality.models import TICKET
from workflow.quality.terms import policies_of
from workflow.quality.tickets import LIT, note_deadlines

CAUSE = "情况说明审核中"
BASIS = "办法10(三)"


def open_explanation(
    session: Session, ticket_id: int, *, now: datetime, actor: Actor, on_behalf_of: str | None = None
) -> int:
    """A draft explanation of a ticket; returns its case. Raises NotFound, Refused for a problem that cannot be explained away."""
    ticket = session.execute(select(TICKET).where(TICKET.c.id == ticket_id)).one_or_none()
    if ticket is None or ticket.case_id is None:
        raise NotFound(ticket=ticket_id)
    if ticket.level != "W":
        raise Refused("只有疑点（W 级）可以说明核准，错误须整改", verdicts=[_doubtful(ticket)])
    earlier = select(func.count()).where(CASE.c.process == "explanation", CASE.c.subject.like(f"ticket:{ticket_id}:%"))
    number = (session.scalar(earlier) or 0) + 1
    facts = {"ticket": ticket_id, "case": ticket.case_id, "rule": ticket.rule_id, "record_key": ticket.record_key}
    new = NewCase(
        ticket.unit_id, f"ticket:{ticket_id}:{number}", f"{ticket.rule_id} 情况说明（{ticket.record_key}）", data=facts
    )
    return open_cases(session, "explanation", [new], now=now, actor=actor, on_behalf_of=on_behalf_of)[0]


def explanations_of(session: Session, ticket_id: int) -> list[dict[str, Any]]:
    """Every explanation of a ticket, newest first."""
    ours = select(CASE).where(CASE.c.process == "explanation", CASE.c.subject.like(f"ticket:{ticket_id}:%"))
    return [dict(row) for row in session.execute(ours.order_by(CASE.c.id.desc())).mappings()]


def _tickets(context: StepContext) -> dict[int, Any]:
    """Explanation case → its ticket with the state of the ticket's case."""
    wanted = {int(case.data["ticket"]) for case in context.cases}
    joined = select(*TICKET.c, CASE.c.state.label("state")).join(CASE, CASE.c.id == TICKET.c.case_id)
    rows = context.session.execute(joined.where(among(context.session, TICKET.c.id, wanted))).all()
    by_id = {row.id: row for row in rows}
    return {case.id: by_id[int(case.data["ticket"])] for case in context.cases}


def _doubtful(ticket: Any) -> Verdict:
    return judged("problem_is_doubtful", _read(ticket, "level"))[0]


def _read(ticket: Any, name: str) -> dict[str, Any]:
    return {"ticket": ticket.id, "record": ticket.record_key, name: getattr(ticket, name)}


@judge_of("problem_is_doubtful")
def _level(facts: Facts) -> Verdict:
    doubtful = facts["level"] == "W"
    says = "疑点可以说明核准" if doubtful else "只有疑点（W 级）可以说明核准，错误须整改"
    told = [{"record": facts["record"], "field": "level", "value": facts["level"]}]
    link = f"/tickets/{facts['ticket']}"
    return Verdict("problem_is_doubtful", doubtful, says, told, BASIS, clears_by="unit_clerk", link=link)


@guard("problem_is_doubtful")
def problem_is_doubtful(context: StepContext) -> dict[int, list[Verdict]]:
    """Only a W-level finding may be explained; an error has to be put right."""
    return {id_: [_doubtful(ticket)] for id_, ticket in _tickets(context).items()}


@guard("problem_still_open")
def problem_still_open(context: StepContext) -> dict[int, list[Verdict]]:
    """There is something to explain: the ticket is neither fixed nor already waived."""
    return {id_: judged("problem_still_open", _read(ticket, "state")) for id_, ticket in _tickets(context).items()}


@judge_of("problem_still_open")
def _lit(facts: Facts) -> Verdict:
    holds = facts["state"] in LIT
    says = "问题尚未消除" if holds else "问题已消除或已核准，无须说明"
    told = [{"record": facts["record"], "field": "state", "value": facts["state"]}]
    return Verdict("problem_still_open", holds, says, told, BASIS, link=f"/tickets/{facts['ticket']}")


@guard("no_other_explanation")
def no_other_explanation(context: StepContext) -> dict[int, list[Verdict]]:
    """One explanation of a ticket at a time."""
    verdicts = {}
    for case in context.cases:
        same = select(CASE.c.id).where(
            CASE.c.process == "explanation", CASE.c.subject.like(f"ticket:{case.data['ticket']}:%")
        )
        other = context.session.scalar(
            same.where(CASE.c.id != case.id, CASE.c.state.in_(["submitted", "approved"])).limit(1)
        )
        verdicts[case.id] = judged("no_other_explanation", {"other": other})
    return verdicts


@judge_of("no_other_explanation")
def _only(facts: Facts) -> Verdict:
    other = facts["other"]
    says = "没有其他在审的说明" if other is None else "同一问题已有一份说明在审或已核准"
    link = "" if other is None else f"/cases/{other}"
    return Verdict("no_other_explanation", other is None, says, basis=BASIS, link=link)


of_people("reviewer_is_not_author", "审核人不是提交人", "审核人不得是提交人，请由他人审核", basis=BASIS)


@guard("reviewer_is_not_author")
def reviewer_is_not_author(context: StepContext) -> dict[int, list[Verdict]]:
    """Four eyes: whoever opened or submitted it, or on whose behalf it was done, does not review it."""
    authors = _people(context.session, context.ids)
    before = {case.id: {case.opened_by, *authors.get(case.id, ())} for case in context.cases}
    return judged_people(context, "reviewer_is_not_author", before, "reviewer")


def _people(session: Session, case_ids: Iterable[int]) -> dict[int, set[str]]:
    """Case → accounts that acted in it, and those on whose behalf."""
    found: dict[int, set[str]] = {}
    acts = select(HISTORY.c.case_id, HISTORY.c.actor, HISTORY.c.on_behalf_of).where(HISTORY.c.do.not_in(HOUSEKEEPING))
    for case_id, actor, behalf in session.execute(acts.where(among(session, HISTORY.c.case_id, list(case_ids)))):
        found.setdefault(case_id, set()).update({actor, behalf} - {None})
    return found


@effect("keep_explanation")
def keep_explanation(context: StepContext) -> None:
    """The text and the evidence stay with the case."""
    given = context.request.inputs
    for case in context.cases:
        context.keep(case, text=given["text"], evidence=given["evidence"], submitted_on=context.today.isoformat())


@effect("stop_the_ticket")
def stop_the_ticket(context: StepContext) -> None:
    """The ticket's clock stands while the explanation is reviewed: once in a term, so that nobody gains days by asking again."""
    for case in context.cases:
        ticket_case = _lock_ticket(context.session, case)
        if not _paused_before(context.session, ticket_case):
            pause(context.session, [ticket_case.id], CAUSE, from_on=context.today, by=context.account, now=context.now)


def _lock_ticket(session: Session, case: CaseRow) -> CaseRow:
    return lock_cases(session, "rectification", [int(case.data["case"])])[0]


def _paused_before(session: Session, case: CaseRow) -> bool:
    counted = (PAUSE.c.to_on.is_(None)) | (PAUSE.c.to_on >= PAUSE.c.from_on)
    this_term = (PAUSE.c.case_id == case.id) & (PAUSE.c.cause == CAUSE) & (PAUSE.c.from_on >= case.day_zero)
    return session.scalar(select(PAUSE.c.id).where(this_term, counted).limit(1)) is not None


def _restart(context: StepContext, *, annul: bool) -> None:
    ids = [_lock_ticket(context.session, case).id for case in context.cases]
    resume(context.session, ids, CAUSE, on=context.today, now=context.now, annul=annul)
    note_deadlines(context.session, ids)


@effect("restart_the_ticket")
def restart_the_ticket(context: StepContext) -> None:
    """Not approved: the term goes on where it stood; the days of the review do not count."""
    _restart(context, annul=False)


@effect("restart_as_if_never_stopped")
def restart_as_if_never_stopped(context: StepContext) -> None:
    """Withdrawn: nothing was reviewed, so no day is gained."""
    _restart(context, annul=True)


@effect("waive_the_ticket")
def waive_the_ticket(context: StepContext) -> None:
    """Approved: the problem counts as none until the approval expires (explanation.validity of the district's policy)."""
    _restart(context, annul=False)
    policies = policies_of(context.session, {case.unit_id for case in context.cases})
    for case in context.cases:
        until = add_months(context.today, policies[case.unit_id].term("explanation.validity").n)
        context.keep(case, expires_on=until.isoformat(), approved_by=context.account)
        _move_ticket(context, "waive", int(case.data["case"]), case)


@guard("explanation_under_approval")
def explanation_under_approval(context: StepContext) -> dict[int, list[Verdict]]:
    """A ticket is waived by its own explanation, in the same step in which that is approved."""
    row = context.session.execute(
        select(CASE).where(CASE.c.id == context.request.inputs.get("explanation"))
    ).one_or_none()
    found = None
    if row is not None:
        found = {"case": row.id, "process": row.process, "state": row.state, "about": row.data.get("case")}
    return {
        case.id: judged("explanation_under_approval", {"case": case.id, "explanation": found}) for case in context.cases
    }  # fmt: skip


@judge_of("explanation_under_approval")
def _under_approval(facts: Facts) -> Verdict:
    found = facts["explanation"]
    wanted = {"process": "explanation", "state": "submitted", "about": facts["case"]}
    holds = found is not None and {name: found[name] for name in wanted} == wanted
    says = "情况说明经审核核准" if holds else "没有经审核核准的情况说明"
    link = f"/cases/{found['case']}" if found is not None else ""
    return Verdict("explanation_under_approval", holds, says, basis=BASIS, clears_by="reviewer", link=link)


@effect("return_the_problem")
def return_the_problem(context: StepContext) -> None:
    """The approval has ended: a problem that is still there gets a new term from today, one that is gone turns green."""
    session = context.session
    for case, ticket in ((case, _tickets(context)[case.id]) for case in context.cases):
        if ticket.state != "waived":
            continue
        on: date = context.effective_on(case)
        if ticket.present:
            _move_ticket(context, "lapse", ticket.case_id, case, {ticket.case_id: on})
        else:
            _move_ticket(context, "settle", ticket.case_id, case)
        note_deadlines(session, [ticket.case_id])


def _move_ticket(
    context: StepContext, do: str, ticket_case: int, case: CaseRow, day_zero: Mapping[int, date] | None = None
) -> None:
    """A step of the ticket that follows from its explanation. Raises Refused where the ticket has moved on meanwhile."""
    because, now = {"explanation": case.id}, context.now
    session, one = context.session, [ticket_case]
    require_moved(
        take_step(session, "rectification", do, one, now=now, actor=SYSTEM, inputs=because, day_zero=day_zero)
    )


@effect("close_explanation")
def close_explanation(context: StepContext) -> None:
    """A ticket that turned green or was voided needs no explanation any more.

    One that somebody is reviewing at this very moment is left to them: waiting for it here could deadlock, and the approval
    will be refused because the problem is gone.
    """
    mine = {str(case.id) for case in context.cases}
    waiting = select(CASE.c.id, CASE.c.data).where(
        CASE.c.process == "explanation", CASE.c.state.in_(["draft", "submitted"])
    )
    units = {case.unit_id for case in context.cases if case.unit_id is not None}
    rows = context.session.execute(waiting.where(among(context.session, CASE.c.unit_id, units)))
    moot = [id_ for id_, facts in rows if str(facts["case"]) in mine]
    if moot:
        cases = lock_cases(context.session, "explanation", moot, skip_locked=True)
        advance(context.session, cases, Request("close", context.now, SYSTEM))
        resume(context.session, [int(case.data["case"]) for case in cases], CAUSE, on=context.today, now=context.now)
