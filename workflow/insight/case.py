"""Everything the page of a case shows: what it is about, which steps are open with their verdicts, what happened. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.access.substitution import opened_for, stand_ins
from workflow.casework.four_eyes import ACTS
from workflow.casework.seeing import one_readable, readable
from workflow.engine.context import CaseRow
from workflow.engine.definition import Definition
from workflow.engine.inbox import acts_of
from workflow.engine.judging import OpenStep, steps_open_on
from workflow.engine.models import Case
from workflow.engine.registry import book
from workflow.errors import NotFound
from workflow.insight.tickets import UNIT
from workflow.quality.models import Ticket
from workflow.registry.tables import TABLES


@dataclass(frozen=True)
class CasePage:
    """One case with all that its page shows; `memory` holds what the verdicts have read, for panels that show the same."""

    case: Case
    definition: Definition
    unit: Any
    ticket: Ticket | None
    steps: list[OpenStep]
    history: list[dict[str, Any]]
    memory: dict[Any, Any]


def case_in_scope(session: Session, actor: Actor, case_id: int) -> Case:
    """A case of a unit in scope. Raises NotFound."""
    found = session.scalars(one_readable(actor), {"case": case_id}).one_or_none()
    if found is None:
        raise NotFound
    return found


def case_page(session: Session, actor: Actor, case_id: int, now: datetime) -> CasePage:
    """The page of a case in scope. Raises NotFound."""
    listed = select(Case, UNIT.unit_code, UNIT.name).outerjoin(TABLES["unit"], UNIT.id == Case.unit_id)
    found = session.execute(listed.where(Case.id == case_id, readable(actor))).one_or_none()
    if found is None:
        raise NotFound
    case: Case = found.Case
    definition = book().version(session, case.definition)
    acts = acts_of(session, case.id, definition)
    memory: dict[Any, Any] = {ACTS: {case.id: acts}}
    return CasePage(
        case=case,
        definition=definition,
        unit=found if case.unit_id else None,
        ticket=ticket_of(session, case),
        steps=steps_of(session, case, actor, now, memory),
        history=acts,
        memory=memory,
    )


def steps_of(
    session: Session, case: Case, actor: Actor, now: datetime, memory: dict[Any, Any] | None = None
) -> list[OpenStep]:
    """The steps open to the person, and after them those that are open only on somebody's behalf."""
    row, known = CaseRow._make(getattr(case, name) for name in CaseRow._fields), {} if memory is None else memory
    steps = steps_open_on(session, row, actor, now, None, known)
    mine = case.opened_by == actor.account and bool(actor.borrowed)
    opener = opened_for(session, [case.id]).get(case.id) if mine else None
    for lent, principal in stand_ins(actor, case.process, case.opened_by, opener):
        there = {step.do for step in steps}
        steps += [s for s in steps_open_on(session, row, lent, now, principal, known) if s.do not in there]
    return steps


def ticket_of(session: Session, case: Case) -> Ticket | None:
    """The ticket that a case is: a rectification's own, or the one that an explanation or a voiding is about."""
    about = case.data.get("ticket")
    if about is None and case.process != "rectification":
        return None
    which = Ticket.case_id == case.id if about is None else Ticket.id == about
    return session.scalars(select(Ticket).where(which)).one_or_none()
