"""Which case came of which, or belongs to which: an approval and its ledger filing, a finding and its letter. Rows only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import case as when
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.casework.models import LINK, CaseLink
from workflow.casework.seeing import readable
from workflow.engine.models import CASE
from workflow.engine.outbox import insert_new

KINDS = {
    "leads_to": ("引出", "由此引出"),  # as read from the first case, as read from the other
    "permits": ("批准", "依据"),
    "belongs_to": ("属于", "包含"),
}


def link(session: Session, case_id: int, other_id: int, kind: str, now: datetime) -> None:
    """Ties two cases; the same tie twice is one."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of link {kind}")
    row = {"case_id": case_id, "other_id": other_id, "kind": kind, "written_at": now}
    session.execute(insert_new(session, CaseLink, ["case_id", "other_id", "kind"]), [row])


def linked(session: Session, actor: Actor, case_id: int) -> list[dict[str, Any]]:
    """The cases tied to one, within the person's scope: id, process, state, title, and the tie as read from this case."""
    other = when((LINK.c.case_id == case_id, LINK.c.other_id), else_=LINK.c.case_id)
    statement = (
        select(CASE.c.id, CASE.c.process, CASE.c.state, CASE.c.title, LINK.c.kind, LINK.c.case_id.label("first"))
        .select_from(LINK)
        .join(CASE, CASE.c.id == other)
        .where(or_(LINK.c.case_id == case_id, LINK.c.other_id == case_id), readable(actor))
        .order_by(CASE.c.id)
    )
    return [
        {**row, "tie": KINDS[row["kind"]][0 if row["first"] == case_id else 1]}
        for row in session.execute(statement).mappings()
    ]
