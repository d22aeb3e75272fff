"""Everything a ticket's page shows: the problem, its deadline day by day, what happened, what else hangs on it. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.calendar.deadline import Deadline, deadline
from workflow.clock import business_date
from workflow.engine.inbox import history, pauses_on, timers_of
from workflow.engine.models import Case
from workflow.engine.registry import book
from workflow.errors import NotFound
from workflow.insight.tickets import ticket_row
from workflow.insight.wording import rule_named
from workflow.policy import Policy
from workflow.quality.models import NegativeEntry
from workflow.quality.rulebook import Rule
from workflow.quality.terms import policies_of

RED_TIMER = "escalate"


@dataclass(frozen=True)
class TicketPage:
    """One ticket with all that its page shows; `deadline` is None for hints, which have no term.

    `resumed_on` is the day on which the problem came back into its old term, `relapse` the policy entry that says so.
    """

    ticket: Row[Any]
    rule: Rule | None
    deadline: Deadline | None
    clause: Any
    paused: str
    resumed_on: date | None
    relapse: Any
    history: list[dict[str, Any]]
    related: Sequence[Row[Any]]
    entries: Sequence[NegativeEntry]


def ticket_page(session: Session, actor: Actor, ticket_id: int) -> TicketPage:
    """The page of a ticket in scope. Raises NotFound."""
    ticket = ticket_row(session, actor, ticket_id)
    if ticket is None:
        raise NotFound
    if ticket.case_id is None:
        return TicketPage(ticket, rule_named(ticket.rule_id, ticket.dataset), None, None, "", None, None, [], [], [])
    pauses = [p for p in pauses_on(session, ticket.case_id) if p["to_on"] is None or p["to_on"] >= p["from_on"]]
    policy = policies_of(session, [ticket.unit_id])[ticket.unit_id]
    due, clause = derivation(session, ticket, policy, pauses)
    steps = history(session, ticket.case_id)
    standing = [p["cause"] for p in pauses if p["to_on"] is None]
    return TicketPage(
        ticket=ticket,
        rule=rule_named(ticket.rule_id, ticket.dataset),
        deadline=due,
        clause=clause,
        paused=standing[0] if standing and ticket.open else "",
        resumed_on=resumed_on(steps, ticket.found_on),
        relapse=policy.entry("light.relapse"),
        history=steps,
        related=related_cases(session, ticket.id),
        entries=session.scalars(select(NegativeEntry).where(NegativeEntry.ticket_id == ticket.id)).all(),
    )


def resumed_on(steps: Sequence[dict[str, Any]], found_on: date) -> date | None:
    """The day on which the problem was last found again, where its term goes on from an earlier day; None else."""
    again = [business_date(step["effective_at"]) for step in steps if step["do"] == "recur"]
    return again[-1] if again and again[-1] > found_on else None


def derivation(
    session: Session, ticket: Row[Any], policy: Policy, pauses: Sequence[dict[str, Any]]
) -> tuple[Deadline | None, Any]:
    """The deadline of the running (or last) term day by day, and the policy entry that sets its length (办法10(一))."""
    timers = [t for t in timers_of(session, ticket.case_id) if t["name"] == RED_TIMER]
    if not timers or timers[-1]["n"] is None:
        return None, None
    timer = timers[-1]
    days = [(p["cause"], p["from_on"], p["to_on"]) for p in pauses]
    return deadline(timer["start_on"], timer["n"], book().calendar, days), policy.entry(timer["term"])


def related_cases(session: Session, ticket_id: int) -> Sequence[Any]:
    """Explanations and requests to void the light that concern this ticket, newest first."""
    statement = select(Case.id, Case.process, Case.state, Case.title, Case.open, Case.opened_at, Case.opened_by)
    about = Case.process.in_(("explanation", "void_light")) & Case.subject.startswith(f"ticket:{ticket_id}:")
    return session.execute(statement.where(about).order_by(Case.id.desc())).all()


def lit_days(ticket: Row[Any], today: date) -> int:
    """Calendar days since the problem was first found, today included."""
    return ((ticket.resolved_on or today) - ticket.first_found_on).days + 1
