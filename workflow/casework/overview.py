"""Lists of suspensions, reminders and entries to act on, within a person's scope. Reads only, one statement each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, String, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope
from workflow.casework.seeing import readable
from workflow.engine.models import Case
from workflow.insight.tickets import UNIT
from workflow.quality.models import NegativeEntry, Ticket
from workflow.registry.tables import TABLES

READ = "case.read"
AT_MOST = 100
WAITING = ("proposed", "lift_requested")


def cases_of(
    session: Session, actor: Actor, process: str, *, state: str = "", limit: int = AT_MOST
) -> Sequence[Row[Any]]:
    """The cases of a process in scope, those that wait for a decision first, then the newest: (Case, unit_code, name)."""
    joined = select(Case, UNIT.unit_code, UNIT.name).join(TABLES["unit"], UNIT.id == Case.unit_id)
    ours = joined.where(Case.process == process, readable(actor))
    if state:
        ours = ours.where(Case.state == state)
    order = (~Case.state.in_(WAITING), ~Case.open, Case.state_since.desc(), Case.id.desc())
    return session.execute(ours.order_by(*order).limit(limit)).all()


def counts_of(session: Session, actor: Actor, process: str) -> dict[str, int]:
    """State → cases of a process in scope."""
    ours = select(Case.state, func.count()).where(Case.process == process, readable(actor))
    return dict(session.execute(ours.group_by(Case.state)).all())


def entries_to_act_on(
    session: Session, actor: Actor, today: date, *, which: str = "", limit: int = AT_MOST
) -> Sequence[Row[Any]]:
    """Standing entries of the negative list in scope, the longest watched first: (NegativeEntry, rule_id, record_key, unit, case, its state).

    `which`: over (the watch period has passed), watched, listed, asked (a reversal waits), or all.
    """
    columns = (
        NegativeEntry, Ticket.rule_id, Ticket.record_key, UNIT.unit_code, UNIT.name,
        Case.id.label("case_id"), Case.state, Case.data,
    )  # fmt: skip
    subject = literal("entry:").concat(cast(NegativeEntry.id, String))
    joined = (
        select(*columns)
        .join(Ticket, Ticket.id == NegativeEntry.ticket_id)
        .join(TABLES["unit"], UNIT.id == NegativeEntry.unit_id)
        .outerjoin(Case, (Case.process == "negative_list") & (Case.subject == subject))
        .where(NegativeEntry.left_on.is_(None), NegativeEntry.reversed_on.is_(None))
        .where(in_scope(actor, READ, NegativeEntry.unit_id), *_which(which, today))
    )
    order = (NegativeEntry.watch_until.is_(None), NegativeEntry.watch_until, NegativeEntry.id)
    return session.execute(joined.order_by(*order).limit(limit)).all()


def _which(which: str, today: date) -> list[Any]:
    watched = NegativeEntry.fixed_on.is_not(None)
    parts: dict[str, list[Any]] = {
        "over": [watched, NegativeEntry.watch_until < today],
        "watched": [watched, or_(NegativeEntry.watch_until.is_(None), NegativeEntry.watch_until >= today)],
        "listed": [NegativeEntry.fixed_on.is_(None)],
        "asked": [Case.state == "reversal_asked"],
    }
    return parts.get(which, [])


def entry_in_scope(session: Session, actor: Actor, entry_id: int) -> NegativeEntry | None:
    """One entry of a unit in scope."""
    ours = select(NegativeEntry).where(NegativeEntry.id == entry_id, in_scope(actor, READ, NegativeEntry.unit_id))
    return session.scalars(ours).one_or_none()
