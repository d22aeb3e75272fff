"""亮红灯提醒 (办法21): sent to the head of the unit, who signs for it; a receipt that is late stays visible and is still asked for."""

from __future__ import annotations

from workflow.engine.context import StepContext
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import effect


@effect("keep_receipt")
def keep_receipt(context: StepContext) -> None:
    """When it was signed for, and whether that was late."""
    for case in context.cases:
        context.keep(case, received_on=context.today.isoformat(), received_late=case.state == "overdue")


@effect("tell_of_overdue_receipt")
def tell_of_overdue_receipt(context: StepContext) -> None:
    """Head and clerk are told again; the office sees it in the list of reminders."""
    messages = []
    for case in context.cases:
        title = "亮红灯提醒逾期未签收"
        one = {"kind": "reminder.overdue", "unit_id": case.unit_id, "case_id": case.id, "link": f"/cases/{case.id}"}
        items = [one | {"title": title, "role": "unit_head"}, one | {"title": title, "role": "unit_clerk"}]
        messages.append(Message("notice", f"reminder.overdue:{case.id}:{case.version}", {"items": items}))
    emit_all(context.session, messages, context.now)
