"""Effects of a ticket's steps: the negative list, notices, the ticket's own dates. Rows only."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from workflow.engine.context import StepContext
from workflow.engine.outbox import emit
from workflow.engine.registry import effect
from workflow.engine.sets import among, grouped
from workflow.quality import negative_list
from workflow.quality.models import TICKET

LIGHTS = {"yellow": "数据问题亮黄灯", "red": "数据问题亮红灯"}


@effect("tell_of_light")
def tell_of_light(context: StepContext) -> None:
    """A notice for each unit to its clerk, of a red light also to its head (办法10(一)、办法20); one effect for the whole step."""
    light = context.definition.states[context.step.to].light
    roles = ["unit_clerk", "unit_head"] if light == "red" else ["unit_clerk"]
    told = {"kind": f"light.{light}", "title": LIGHTS[light], "link": f"/tickets?light={light}"}
    items = []
    for unit_id, cases in grouped((case.unit_id, case.id) for case in context.cases).items():
        one = {"unit_id": unit_id, "count": len(cases), "case_id": cases[0] if len(cases) == 1 else None}
        items += [told | one | {"role": role} for role in roles]
    first = context.cases[0]
    emit(context.session, "notice", f"light.{light}:{first.id}:{first.version}", {"items": items}, context.now)


@effect("enter_negative_list")
def enter_negative_list(context: StepContext) -> None:
    """Each red light is an entry on the negative list (办法10(一))."""
    on = {case.id: context.effective_on(case) for case in context.cases}
    negative_list.enter(context.session, on)


@effect("start_watch_period")
def start_watch_period(context: StepContext) -> None:
    """What was on the list and is fixed is watched from now on (办法10(一))."""
    red = [case.id for case in context.cases if case.state == "red"]
    if red:
        negative_list.begin_watch(context.session, red, context.today)


@effect("note_waiver")
def note_waiver(context: StepContext) -> None:
    """The ticket shows that its problem was explained and the explanation approved."""
    _close(context, "waived")


@effect("note_new_term")
def note_new_term(context: StepContext) -> None:
    """The approval has ended and the problem is still there: a new term from today."""
    ours = update(TICKET).where(among(context.session, TICKET.c.case_id, context.ids))
    context.session.execute(ours.values(resolved_on=None, resolved_how=None, found_on=context.today))


@effect("reverse_consequences")
def reverse_consequences(context: StepContext) -> None:
    """A light proven wrong leaves no trace but its history: list entry reversed, rounds voided, proposals withdrawn (办法21)."""
    from workflow.quality.red_rounds import void_rounds

    _close(context, "voided")
    reason = context.request.reason or ""
    negative_list.reverse(context.session, context.ids, context.today, reason)
    tickets = _tickets(context.session, context.ids)
    void_rounds(context.session, tickets, today=context.today, now=context.now, by=context.account, reason=reason)


def _close(context: StepContext, how: str) -> None:
    ours = update(TICKET).where(among(context.session, TICKET.c.case_id, context.ids))
    context.session.execute(ours.values(resolved_on=context.today, resolved_how=how))


def _tickets(session: Session, case_ids: list[int]) -> set[int]:
    return set(session.scalars(select(TICKET.c.id).where(among(session, TICKET.c.case_id, case_ids))))
