"""撤销误亮: a light proven wrong is voided with a reason, asked for by one person and confirmed by another (办法10(一), 办法21)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.casework.four_eyes import judged_people, of_people
from workflow.engine.actors import SYSTEM, Actor
from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE, HISTORY
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput, NotFound
from workflow.quality.models import TICKET

BASIS = "办法21"
VOIDABLE = ("yellow", "red", "green", "waived")


def request_void(
    session: Session, ticket_id: int, reason: str, *, now: datetime, actor: Actor, on_behalf_of: str | None = None
) -> int:
    """Asks for a light to be voided; returns the case that waits for a second person. Raises NotFound, BadInput without reason."""
    ticket = session.execute(select(TICKET).where(TICKET.c.id == ticket_id)).one_or_none()
    if ticket is None or ticket.case_id is None:
        raise NotFound(ticket=ticket_id)
    if not reason.strip():
        raise BadInput("须写明灯亮错的理由")
    ours = select(func.count()).where(CASE.c.process == "void_light", CASE.c.subject.like(f"ticket:{ticket_id}:%"))
    number = (session.scalar(ours) or 0) + 1
    facts: dict[str, Any] = {"ticket": ticket_id, "case": ticket.case_id, "reason": reason.strip()}
    title = f"{ticket.rule_id} 撤销误亮（{ticket.record_key}）"
    new = NewCase(ticket.unit_id, f"ticket:{ticket_id}:{number}", title, data=facts)
    return open_cases(session, "void_light", [new], now=now, actor=actor, on_behalf_of=on_behalf_of)[0]


of_people("not_own_request", "确认人不是提请人", "不得确认自己提请的事项", basis=BASIS)


@guard("not_own_request")
def not_own_request(context: StepContext) -> dict[int, list[Verdict]]:
    """The second person is another person, also behind a substitute."""
    acts = select(HISTORY.c.case_id, HISTORY.c.actor, HISTORY.c.on_behalf_of)
    people: dict[int, set[str | None]] = {case.id: {case.opened_by} for case in context.cases}
    for case_id, actor, behalf in context.session.execute(
        acts.where(among(context.session, HISTORY.c.case_id, context.ids))
    ):
        people[case_id].update({actor, behalf})
    return judged_people(context, "not_own_request", people, "leader")


@guard("light_can_be_voided")
def light_can_be_voided(context: StepContext) -> dict[int, list[Verdict]]:
    """The ticket has, or had, a light that was not voided yet."""
    verdicts = {}
    for case in context.cases:
        state = context.session.scalar(select(CASE.c.state).where(CASE.c.id == case.data["case"]))
        read = {"subject": case.subject, "ticket": case.data["ticket"], "state": state}
        verdicts[case.id] = judged("light_can_be_voided", read)
    return verdicts


@judge_of("light_can_be_voided")
def _voidable(facts: Facts) -> Verdict:
    holds = facts["state"] in VOIDABLE
    says = "该问题亮过灯，可以撤销" if holds else "该问题没有可撤销的灯"
    told = [{"record": facts["subject"], "field": "state", "value": facts["state"]}]
    return Verdict("light_can_be_voided", holds, says, told, BASIS, link=f"/tickets/{facts['ticket']}")


@effect("void_the_light")
def void_the_light(context: StepContext) -> None:
    """Confirmed: the ticket is voided; its effects take back what followed from the light."""
    for case in context.cases:
        because, reason = {"void_light": case.id}, str(case.data["reason"])
        session, one = context.session, [int(case.data["case"])]
        require_moved(
            take_step(
                session, "rectification", "void", one, now=context.now, actor=SYSTEM, reason=reason, inputs=because
            )
        )


@guard("void_under_confirmation")
def void_under_confirmation(context: StepContext) -> dict[int, list[Verdict]]:
    """A ticket is voided only in the step in which the second person confirms the request about it."""
    row = context.session.execute(
        select(CASE).where(CASE.c.id == context.request.inputs.get("void_light"))
    ).one_or_none()
    found = None
    if row is not None:
        found = {"case": row.id, "process": row.process, "state": row.state, "about": row.data.get("case")}
    return {case.id: judged("void_under_confirmation", {"case": case.id, "request": found}) for case in context.cases}


@judge_of("void_under_confirmation")
def _under_confirmation(facts: Facts) -> Verdict:
    found, wanted = facts["request"], {"process": "void_light", "state": "requested", "about": facts["case"]}
    holds = found is not None and {name: found[name] for name in wanted} == wanted
    says = "撤销误亮已由第二人确认" if holds else "没有经第二人确认的撤销提请"
    link = f"/cases/{found['case']}" if found is not None else ""
    return Verdict("void_under_confirmation", holds, says, basis=BASIS, clears_by="leader", link=link)
