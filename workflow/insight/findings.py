"""Every finding as one flat row: what scripts and acceptance checks read. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.engine.models import Case
from workflow.insight.wording import said
from workflow.quality.models import RuleRun, Ticket
from workflow.quality.rules import rules
from workflow.registry.tables import TABLES

COLUMNS = (
    "rule", "dataset", "key", "unit_code", "field", "message", "level", "light", "found_on", "deadline_on", "state",
)  # fmt: skip


def findings_of(session: Session, *, only_open: bool = False) -> Iterator[dict[str, Any]]:
    """Findings in the order of rule, data set and key; hints (level H) have no light and are `open` while present."""
    unit = TABLES["unit"].c
    joined = (
        select(Ticket, Case.light, Case.state, unit.unit_code)
        .outerjoin(Case, Case.id == Ticket.case_id)
        .outerjoin(TABLES["unit"], unit.id == Ticket.unit_id)
        .order_by(Ticket.rule_id, Ticket.dataset, Ticket.record_key, Ticket.part)
        .execution_options(yield_per=5000)
    )
    if only_open:
        joined = joined.where(Ticket.present)
    book = rules()
    for ticket, light, state, unit_code in session.execute(joined):
        rule = book.by_key.get((ticket.rule_id, ticket.dataset))
        yield {
            "rule": ticket.rule_id,
            "dataset": ticket.dataset,
            "key": ticket.record_key,
            "unit_code": unit_code,
            "field": ticket.field,
            "message": said(rule, ticket.part, ticket.facts) if rule else "",
            "level": ticket.level,
            "light": light or "none",
            "found_on": ticket.found_on,
            "deadline_on": ticket.deadline_on,
            "state": state or ("open" if ticket.present else "closed"),
        }


def failed_rules(session: Session, run_id: int) -> list[dict[str, str]]:
    """The rules that a run could not judge, each with its data set and error; their tickets were left as they were."""
    failed = select(RuleRun.rule_id, RuleRun.dataset, RuleRun.error).where(
        RuleRun.run_id == run_id, RuleRun.error.is_not(None)
    )
    return [{"rule": row.rule_id, "dataset": row.dataset, "error": row.error or ""} for row in session.execute(failed)]
