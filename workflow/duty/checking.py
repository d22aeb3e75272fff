"""月排查 and 季更新 (办法15): a check-list a month and a quarter, prefilled with the platform's own facts, judged by one and confirmed by another.

Guards and effects of definitions/processes/security_check.yaml and security_update.yaml; the judgements stand in the form.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

import workflow.duty.account_facts
import workflow.duty.platform_facts  # noqa: F401
from workflow.access.telling import tell_security
from workflow.casework.four_eyes import judged_people, of_people, took_part
from workflow.clock import SHANGHAI
from workflow.duty.facts import READERS, Period, facts_of
from workflow.engine.actors import SYSTEM
from workflow.engine.context import StepContext
from workflow.engine.models import CASE
from workflow.engine.registry import book, effect, guard
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.verdicts import Verdict

MONTHLY, QUARTERLY = "security_check", "security_update"
BASIS = "办法15"
AUTHORS = ("edit", "refresh", "submit")


def open_due_checks(session: Session, today: date, now: datetime) -> int:
    """The daily job: on the 1st the check of the month before, on a quarter's first day its update too; returns how many were opened."""
    if today.day != 1:
        return 0
    last = today - timedelta(1)
    month = Period(last.replace(day=1), last, now)
    opened = _open(session, MONTHLY, f"{last:%Y-%m}", f"月排查（{last.year}年{last.month}月）", month)
    if last.month % 3 == 0:
        quarter = month._replace(first=date(last.year, last.month - 2, 1))
        subject, name = f"{last.year}-Q{last.month // 3}", f"季更新（{last.year}年第{last.month // 3}季度）"
        opened += _open(session, QUARTERLY, subject, name, quarter)
    return opened


def _open(session: Session, process: str, subject: str, title: str, period: Period) -> int:
    there = select(CASE.c.id).where(CASE.c.process == process, CASE.c.subject == subject)
    if session.scalar(there) is not None:
        return 0
    facts = {"first": period.first.isoformat(), "last": period.last.isoformat(), "form": {}}
    new = NewCase(None, subject, title, data=facts | _facts(session, process, period))
    case_id = open_cases(session, process, [new], now=period.now, actor=SYSTEM)[0]
    says = "平台已填好有关数据，请逐项判断后提交第二人确认。"
    tell_security(session, f"{process}.open", title, says, subject, period.now, link=f"/cases/{case_id}")
    return 1


def _facts(session: Session, process: str, period: Period) -> dict[str, Any]:
    """What the platform knows about each item that the process's form asks about."""
    asked = [field.name for field in book().process(process).form if field.name in READERS]
    return {"facts": facts_of(session, asked, period), "facts_at": f"{period.now.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"}


@effect("take_duty_facts")
def take_duty_facts(context: StepContext) -> None:
    """The facts of the period as they are now, in the place of those taken before."""
    for case in context.cases:
        period = Period(date.fromisoformat(case.data["first"]), date.fromisoformat(case.data["last"]), context.now)
        context.keep(case, **_facts(context.session, case.process, period))


@effect("mark_duty_late")
def mark_duty_late(context: StepContext) -> None:
    """That the term of a check or of a step of an incident ran out; it stays with the case (如实记载)."""
    basis = "、".join(context.definition.basis)
    for case in context.cases:
        context.keep(case, late_on=context.effective_on(case).isoformat())
        says = f"{context.definition.title}应按期办理（{basis}），现为“{context.definition.states[case.state].title}”，逾期已记载。"
        title, kind, key = f"{case.title}逾期未完成"[:200], f"{case.process}.late", f"{case.subject}:{case.version}"
        tell_security(context.session, kind, title, says, key, context.now, link=f"/cases/{case.id}")


@effect("keep_duty_result")
def keep_duty_result(context: StepContext) -> None:
    """Who confirmed, when, and which items were not in order."""
    for case in context.cases:
        form = case.data.get("form", {})
        odd = [READERS[name][0] for name in READERS if form.get(name) == "odd"]
        context.keep(case, confirmed_by=context.account, confirmed_on=context.today.isoformat(), odd=odd)


of_people("checked_by_another", "确认人不是排查人", "填写或提交排查的人不得自己确认，请由另一人确认", basis=BASIS)


@guard("checked_by_another")
def checked_by_another(context: StepContext) -> dict[int, list[Verdict]]:
    """Who confirms a check filled in no part of it."""
    return judged_people(context, "checked_by_another", took_part(context, AUTHORS))
