"""Who works on a case: claimed, released, passed on by conditional UPDATE. Says who, never changes the state; open work stays in everybody's list."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from workflow.engine.actors import Actor
from workflow.engine.models import CASE, HISTORY
from workflow.errors import BadInput, Conflict, NotFound


def claim(session: Session, case_id: int, account: str) -> None:
    """Take a free open case on; taking one's own again changes nothing. Raises Conflict where a colleague holds it."""
    free = (CASE.c.id == case_id) & CASE.c.open & (CASE.c.assignee.is_(None) | (CASE.c.assignee == account))
    if not session.execute(update(CASE).where(free).values(assignee=account).returning(CASE.c.id)).all():
        row = session.execute(select(CASE.c.open, CASE.c.assignee).where(CASE.c.id == case_id)).one_or_none()
        if row is None:
            raise NotFound(case=case_id)
        raise Conflict(f"此事项已由 {row.assignee} 办理" if row.open else "此事项已办结", assignee=row.assignee)


def release(session: Session, case_id: int, account: str) -> None:
    """Put one's own case back; a case that one does not hold is left as it is."""
    session.execute(update(CASE).where(CASE.c.id == case_id, CASE.c.assignee == account).values(assignee=None))


def reassign(
    session: Session, case_id: int, to: Actor, *, by: Actor, reason: str, now: datetime, version: int | None = None
) -> None:
    """Pass an open case on to somebody whose turn it is too; one history row says who, to whom and why.

    Raises BadInput without a reason or where the other person does not hold the role for the unit, Conflict where somebody
    acted since `version` was seen or the case is closed.
    """
    row = session.execute(select(CASE).where(CASE.c.id == case_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(case=case_id)
    if not row.open or row.inbox is None:
        raise Conflict("此事项已办结，不能转交")
    if not reason.strip():
        raise BadInput("请写明转交的理由", errors=[{"field": "reason"}])
    if to.account == row.assignee:
        raise BadInput(f"此事项已由 {to.account} 办理", errors=[{"field": "to"}])
    held = to.has(row.inbox) and (
        row.unit_id is None or row.unit_id in to.reach(session, row.inbox, frozenset({row.unit_id}))
    )
    if not held:
        raise BadInput(f"{to.account} 不负责该单位的这一环节，不能转交", errors=[{"field": "to"}])
    seen = row.version if version is None else version
    passed = update(CASE).where(CASE.c.id == case_id, CASE.c.version == seen, CASE.c.open)
    if not session.execute(passed.values(assignee=to.account, version=seen + 1).returning(CASE.c.id)).all():
        raise Conflict("您打开之后，他人已办理，请刷新后重试", case=case_id)
    act = {"do": "reassign", "from_state": row.state, "to_state": row.state, "actor": by.account, "at": now}
    facts = {"assignee": to.account, "was": row.assignee}
    rest = {"case_id": case_id, "version": seen + 1, "effective_at": now, "reason": reason.strip(), "facts": facts}
    session.execute(insert(HISTORY), [act | rest])
