"""每周审核 (办法10(二)): each Monday, and on demand, the office looks at the data of every unit that applies; the week's pass opens the gate.

One case a unit and ISO week. What it shows is read live: red lights, negative list, holds, open tickets.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case as when
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.calendar.deadline import deadline
from workflow.casework.approving import PROCESS as APPROVAL
from workflow.casework.telling import tell_units
from workflow.engine.actors import SYSTEM
from workflow.engine.context import StepContext, once
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE
from workflow.engine.registry import book, effect, guard
from workflow.engine.sets import among
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput
from workflow.registry.places import names_of

PROCESS = "weekly_audit"
BASIS = "办法10(二)"
STATES = (
    "submitted",
    "auditing",
    "reviewing",
    "countersigning",
    "meeting",
    "deciding",
)  # past the unit, before the decision


def week_of(day: date) -> str:
    """The ISO week of a day, as 2026-W10."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def week_ends_on(day: date) -> date:
    """The Sunday of a day's ISO week."""
    return day + timedelta(7 - day.isoweekday())


def open_audits(session: Session, unit_ids: Collection[int], today: date, now: datetime) -> int:
    """An audit of this week for each unit that has none yet; returns how many were opened."""
    names = names_of(session, unit_ids)
    subjects = {unit_id: f"{code}:{week_of(today)}" for unit_id, (code, _) in names.items()}
    there = select(CASE.c.subject).where(CASE.c.process == PROCESS, CASE.c.subject.in_(list(subjects.values())))
    known = set(session.scalars(there))
    facts = {"week": week_of(today), "week_ends_on": week_ends_on(today).isoformat()}
    new = [
        NewCase(unit_id, subject, f"每周审核（{week_of(today)}）：{names[unit_id][1]}"[:200], data=facts)
        for unit_id, subject in subjects.items()
        if subject not in known
    ]
    open_cases(session, PROCESS, new, now=now, actor=SYSTEM) if new else None
    return len(new)


def open_weeks_audits(session: Session, today: date, now: datetime) -> int:
    """The daily job: on Mondays an audit for every unit with an application under way; returns how many, on other days none."""
    if today.isoweekday() != 1:
        return 0
    applying = select(CASE.c.unit_id).where(
        CASE.c.process == APPROVAL, CASE.c.state.in_(STATES), CASE.c.unit_id.is_not(None)
    )
    units = set(session.scalars(applying.distinct()))
    return open_audits(session, units, today, now)


@effect("ask_for_audit")
def ask_for_audit(context: StepContext) -> None:
    """An application that comes after Monday has its unit audited on demand (readings 5.8)."""
    units = {case.unit_id for case in context.cases if case.unit_id is not None}
    open_audits(context.session, units, context.today, context.now)


@guard("this_weeks_audit_passed")
def this_weeks_audit_passed(context: StepContext) -> dict[int, list[Verdict]]:
    """The unit's audit of the ISO week of today says 通过 (办法10(二))."""
    units = {case.unit_id for case in context.cases if case.unit_id is not None}
    found = remembered_audits(context.memory, context.session, units, context.today)
    week = week_of(context.today)
    return {
        case.id: judged("this_weeks_audit_passed", {"week": week, "audit": _read(found.get(case.unit_id or 0))})
        for case in context.cases
    }


def _read(audit: Any) -> dict[str, Any] | None:
    if audit is None:
        return None
    title = book().process(PROCESS).states[audit.state].title
    return {"case": audit.id, "subject": audit.subject, "state": audit.state, "title": title}


@judge_of("this_weeks_audit_passed")
def _passed(facts: Facts) -> Verdict:
    name, week, audit = "this_weeks_audit_passed", facts["week"], facts["audit"]
    if audit is None:
        says = f"{week} 周尚未建立审核，退回周审核环节即自动建立"
        return Verdict(name, False, says, basis=BASIS, clears_by="reviewer")
    holds, link = audit["state"] == "passed", f"/cases/{audit['case']}"
    says = f"{week} 周审核{'已通过' if holds else '为“' + audit['title'] + '”，须审核通过'}"
    fact = {"record": audit["subject"], "field": "state", "value": audit["state"], "says": says, "link": link}
    clears = "unit_clerk" if audit["state"] == "rectifying" else "reviewer"
    return Verdict(name, holds, says, [fact], BASIS, clears_by=clears, link=link)


def audits_of_week(session: Session, unit_ids: Collection[int], today: date) -> dict[int, Any]:
    """Unit id → its audit of the week of that day."""
    mine = select(CASE.c.id, CASE.c.unit_id, CASE.c.state, CASE.c.subject).where(
        CASE.c.process == PROCESS,
        among(session, CASE.c.unit_id, unit_ids),
        CASE.c.subject.endswith(f":{week_of(today)}"),
    )
    return {row.unit_id: row for row in session.execute(mine)}


def remembered_audits(memory: dict[Any, Any], session: Session, units: set[int], today: date) -> dict[int, Any]:
    """The same, read once for a page and its verdicts."""
    return once(memory, (PROCESS, frozenset(units)), lambda: audits_of_week(session, units, today))


@effect("keep_term")
def keep_term(context: StepContext) -> None:
    """The last day of a rectification within days, counted as working days after today."""
    given = str(context.request.inputs["days"])
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= 10):
        raise BadInput("整改期限应为 1 至 10 个工作日", errors=[{"field": "days"}])
    until = deadline(context.today, int(given), book().calendar).due_on
    assert until is not None
    for case in context.cases:
        context.keep(case, rectify_until=until.isoformat())


@effect("keep_audit")
def keep_audit(context: StepContext) -> None:
    """Who audited, when, with what result, and the figures as they were then."""
    for case in context.cases:
        figures = audit_figures(context.session, case.unit_id or 0)
        result = {"result": context.step.title, "audited_by": context.account, "audited_on": context.today.isoformat()}
        context.keep(case, **result, reason=context.request.reason or "", figures=vars(figures))


@effect("tell_of_audit")
def tell_of_audit(context: StepContext) -> None:
    """The unit learns the result of the week's audit."""
    told = {
        case.id: (f"每周审核：{context.definition.states[context.step.to].title}", [case.unit_id])
        for case in context.cases
        if case.unit_id is not None
    }
    tell_units(context, f"weekly_audit.{context.step.to}", told)


@dataclass(frozen=True)
class Figures:
    """What the auditor looks at first, in numbers."""

    red: int
    yellow: int
    applications: int
    letters: int = 0  # letters past their working days, unanswered (办法10(四))


def audit_figures(session: Session, unit_id: int) -> Figures:
    """Open red and yellow tickets, applications under way and letters past their term of a unit. One statement."""
    tickets, applying = CASE.c.process == "rectification", CASE.c.process == APPROVAL
    counted = select(
        func.coalesce(func.sum(when((tickets & (CASE.c.light == "red"), 1), else_=0)), 0),
        func.coalesce(func.sum(when((tickets & (CASE.c.light == "yellow"), 1), else_=0)), 0),
        func.coalesce(func.sum(when((applying & CASE.c.state.in_(STATES), 1), else_=0)), 0),
        func.coalesce(func.sum(when(((CASE.c.process == "letter") & (CASE.c.state == "overdue"), 1), else_=0)), 0),
    ).where(CASE.c.unit_id == unit_id, CASE.c.open)
    return Figures(*map(int, session.execute(counted).one()))
