"""What the page of an application and of a weekly audit shows beside the form: balance, notice, signatures, audit, standing. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.casework.approval_guards import remembered_balances
from workflow.casework.signing import signatures_of
from workflow.casework.standing_guards import standing_verdicts
from workflow.casework.weekly_audit import Figures, audit_figures, remembered_audits
from workflow.engine.verdicts import Verdict
from workflow.insight.case import CasePage
from workflow.registry.balances import Balance
from workflow.registry.dictionary import dictionary
from workflow.registry.models import NOTICE

ISSUE = {"approve", "grant_exception"}  # steps that bring a notice
ASK = {"countersign", "add_signer"}  # steps that ask for signatures


@dataclass(frozen=True)
class Line:
    """One quota type of the unit, by its name."""

    title: str
    balance: Balance


@dataclass(frozen=True)
class Beside:
    """What stands beside an application."""

    balances: Sequence[Line]
    notice: Any
    signatures: Sequence[Any]
    audit: Any


def balance_lines(
    session: Session, unit_id: int | None, today: date, memory: dict[Any, Any] | None = None
) -> list[Line]:
    """The quota types of a unit in order of their codes."""
    if unit_id is None:
        return []
    found = remembered_balances({} if memory is None else memory, session, unit_id, today)
    label = dictionary().codes["quota_type"].label
    return [Line(label(code), found[code]) for code in sorted(found)]


def notice_of(session: Session, case_id: int) -> Any:
    """The notice that a case brought; None before it is decided."""
    return session.execute(select(NOTICE).where(NOTICE.c.case_id == case_id)).one_or_none()


def beside_application(session: Session, shown: CasePage, today: date) -> Beside:
    """Everything beside an application. What the verdicts have read is not read again, nor what cannot be there yet."""
    unit_id, memory, done = shown.case.unit_id, shown.memory, {act["do"] for act in shown.history}
    audit = remembered_audits(memory, session, {unit_id}, today).get(unit_id) if unit_id is not None else None
    return Beside(
        balance_lines(session, unit_id, today, memory),
        notice_of(session, shown.case.id) if done & ISSUE else None,
        signatures_of(session, shown.case.id) if done & ASK else (),
        audit,
    )


@dataclass(frozen=True)
class AuditFacts:
    """What an auditor reads: the figures of now and the verdicts on the unit."""

    figures: Figures
    verdicts: list[Verdict]


def audit_facts(session: Session, unit_id: int, today: date, memory: dict[Any, Any]) -> AuditFacts:
    """The live facts of a unit for its weekly audit (办法10(二)); `memory`: what the page's verdicts have read."""
    return AuditFacts(audit_figures(session, unit_id), standing_verdicts(session, unit_id, today, memory))
