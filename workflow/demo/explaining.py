"""A few explanations of doubtful problems, filed by clerks and one approved by an office: through the process, like any other."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.scopes import actor_named
from workflow.casework.explanation import open_explanation
from workflow.engine.models import Case
from workflow.engine.steps import require_moved, take_step
from workflow.quality.models import Ticket
from workflow.registry.tables import TABLES

EXPLAINED_ON, APPROVED_ON = (3, 2, 1), 2  # working days left until the present
AT_ONCE = 2
TEXT = "经核实，情况属实，附证明材料，请予核准。（演示数据）"
EVIDENCE, EVIDENCE_FILE = "证明材料（演示数据）.pdf", "demonstration-evidence.pdf"
_PAGE = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 53>>stream\nBT /F 24 Tf 72 760 Td (Demonstration evidence) Tj ET   \nendstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def keep_evidence(folder: Path) -> dict[str, Any]:
    """One small file in the folder of evidence, as the cases name it."""
    (folder / EVIDENCE_FILE).write_bytes(_PAGE)
    digest = hashlib.sha256(_PAGE).hexdigest()
    return {"name": EVIDENCE, "file": EVIDENCE_FILE, "sha256": digest, "bytes": len(_PAGE)}


def explain_some(session: Session, now: datetime, evidence: dict[str, Any]) -> int:
    """Two doubtful problems of two units, explained by their clerks. Returns how many were there to explain."""
    explained = select(Case.unit_id).where(Case.process == "explanation")
    doubtful = (
        select(Ticket.id, TABLES["unit"].c.unit_code)
        .join(Case, Case.id == Ticket.case_id)
        .join(TABLES["unit"], TABLES["unit"].c.id == Ticket.unit_id)
        .where(Ticket.present, Ticket.level == "W", Case.state == "yellow", Ticket.unit_id.not_in(explained))
        .order_by(Ticket.id.desc())
    )
    given = {"text": TEXT, "evidence": [evidence]}
    chosen = {code: ticket for ticket, code in session.execute(doubtful).all()}
    for code, ticket in list(chosen.items())[:AT_ONCE]:
        clerk = actor_named(session, f"clerk@{code}", now)
        case = open_explanation(session, ticket, now=now, actor=clerk)
        require_moved(take_step(session, "explanation", "submit", [case], now=now, actor=clerk, inputs=given))
    return len(chosen)


def approve_one(session: Session, now: datetime) -> bool:
    """The oldest explanation that waits, approved by the city's reviewer. Returns whether there was one."""
    waiting = select(Case.id).where(Case.process == "explanation", Case.state == "submitted").order_by(Case.id).limit(1)
    case = session.scalar(waiting)
    if case is None:
        return False
    reviewer = actor_named(session, "reviewer", now)
    require_moved(take_step(session, "explanation", "approve", [case], now=now, actor=reviewer))
    return True
