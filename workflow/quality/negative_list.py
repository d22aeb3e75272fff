"""The negative list (负面清单 办法10(一), 办法21): entered by a red light, watched after the fix, reversed when the light was wrong.

Leaving the list is an official's act, never the platform's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from workflow.calendar.months import add_months
from workflow.engine.sets import among, grouped
from workflow.quality.models import ENTRY, TICKET
from workflow.quality.terms import policies_of

STATES = {"listed": "在册", "watched": "观察期", "left": "已移出", "reversed": "误列撤销"}
STANDING: ColumnElement[bool] = ENTRY.c.left_on.is_(None) & ENTRY.c.reversed_on.is_(None)


def enter(session: Session, case_ids: Mapping[int, date]) -> None:
    """One entry for each ticket whose case (id → day) turned red."""
    for on, ids in grouped((on, case_id) for case_id, on in case_ids.items()).items():
        day = bindparam(None, on, ENTRY.c.entered_on.type)
        tickets = select(TICKET.c.id, TICKET.c.unit_id, day).where(among(session, TICKET.c.case_id, ids))
        session.execute(insert(ENTRY).from_select(["ticket_id", "unit_id", "entered_on"], tickets))


def begin_watch(session: Session, case_ids: Collection[int], today: date) -> None:
    """Notes the fix and the end of the observation period, by the policy of each unit's district."""
    tickets = select(TICKET.c.id).where(among(session, TICKET.c.case_id, case_ids))
    open_entries = ENTRY.c.ticket_id.in_(tickets) & ENTRY.c.fixed_on.is_(None) & STANDING
    units = set(session.scalars(select(ENTRY.c.unit_id).where(open_entries)))
    policies = policies_of(session, units)
    for until, ours in grouped(
        (add_months(today, policies[unit].term("negative_list.observation").n), unit) for unit in units
    ).items():
        statement = update(ENTRY).where(open_entries, among(session, ENTRY.c.unit_id, ours))
        session.execute(statement.values(fixed_on=today, watch_until=until))


def reverse(session: Session, case_ids: Collection[int], today: date, reason: str) -> None:
    """Takes back the entries of lights proven wrong, with the reason."""
    tickets = select(TICKET.c.id).where(among(session, TICKET.c.case_id, case_ids))
    statement = update(ENTRY).where(ENTRY.c.ticket_id.in_(tickets), ENTRY.c.reversed_on.is_(None))
    session.execute(statement.values(reversed_on=today, reason=reason))


def state_of(entry: Any) -> str:
    """listed, watched, left or reversed."""
    if entry.reversed_on is not None:
        return "reversed"
    if entry.left_on is not None:
        return "left"
    return "watched" if entry.fixed_on is not None else "listed"


def standing(session: Session, unit_ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """Unit id → entries on the list and entries under watch; units without any are left out."""
    counted = select(ENTRY.c.unit_id, func.count(), func.count(ENTRY.c.fixed_on)).where(STANDING)
    rows = session.execute(counted.where(among(session, ENTRY.c.unit_id, unit_ids)).group_by(ENTRY.c.unit_id))
    return {unit_id: (every - watched, watched) for unit_id, every, watched in rows}


def entries(session: Session, unit_id: int) -> list[dict[str, Any]]:
    """Every entry of a unit, newest first, with its state and the ticket's rule and record key."""
    columns = [*ENTRY.c, TICKET.c.rule_id, TICKET.c.dataset, TICKET.c.record_key]
    joined = select(*columns).join(TICKET, TICKET.c.id == ENTRY.c.ticket_id).where(ENTRY.c.unit_id == unit_id)
    rows = session.execute(joined.order_by(ENTRY.c.id.desc())).all()
    return [{**row._mapping, "state": state_of(row)} for row in rows]
