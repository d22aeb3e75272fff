"""The duties themselves missed (办法15, rules D08 and D09): no 月排查 of last month, no 季更新 of last quarter, or not done within its term. Reads only."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.access.models import Account
from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.deadline import deadline
from workflow.clock import business_date
from workflow.duty.alarms import Alarm
from workflow.duty.checking import MONTHLY, QUARTERLY
from workflow.engine.models import CASE
from workflow.engine.registry import book
from workflow.policy import Policy


def duty_alarms(session: Session, policy: Policy, calendar: WorkCalendar, now: datetime) -> list[Alarm]:
    """Which of the two is missing for the period before, once a period; not for a time before the platform had accounts."""
    today = business_date(now)
    began = session.scalar(select(func.min(Account.created_at)))
    if began is None:
        return []
    month, quarter = today.replace(day=1), date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    rules = (
        ("D08", MONTHLY, "duty.monthly", month, f"{month - timedelta(1):%Y-%m}"),
        ("D09", QUARTERLY, "duty.quarterly", quarter, _quarter(quarter - timedelta(1))),
    )
    found = []
    for rule, process, term, first, subject in rules:
        due = deadline(first, policy.term(term).n, calendar).due_on
        if business_date(began) < first and (says := _missing(session, process, subject, first, due, today)):
            found.append(Alarm("duty", rule, subject, f"{says}（{rule}，办法15）。请数据安全管理员即时办理。"))
    return found


def _quarter(last: date) -> str:
    return f"{last.year}-Q{last.month // 3}"


def _missing(session: Session, process: str, subject: str, first: date, due: date | None, today: date) -> str:
    """What is missing of a check, as a sentence; empty where it is there and in time. It is opened on the first day, early."""
    definition = book().process(process)
    state = session.scalar(select(CASE.c.state).where(CASE.c.process == process, CASE.c.subject == subject))
    if state is None:
        return f"{subject} 的{definition.title}没有建立" if today > first else ""
    if due is None or today <= due or definition.states[state].final:
        return ""
    return f"{subject} 的{definition.title}应于 {due} 前完成，现为“{definition.states[state].title}”"
