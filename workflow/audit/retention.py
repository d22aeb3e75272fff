"""Retention: entries older than the policy says go, and a signed checkpoint stays from which verification goes on. Rows only, no commit.

网络安全法第二十三条: logs are kept for at least six months; 184 days is the longest six months there are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from workflow.audit.chain import locked_head
from workflow.audit.models import CHECKPOINT, ROW
from workflow.audit.notes import note
from workflow.audit.seal import Signer
from workflow.audit.verify import checkpoint_facts
from workflow.errors import BadInput

LEAST = 184  # days


def purge(session: Session, days: int, now: datetime, signer: Signer, actor: str) -> int:
    """Remove the entries at the beginning of the chain that are older than `days`; returns how many. Raises BadInput below 184.

    Only an unbroken beginning goes: an entry within the term keeps everything behind it. The purge is an entry itself.
    """
    if days < LEAST:
        raise BadInput(f"审计记录至少保存 {LEAST} 天，不能改为 {days} 天")
    locked_head(session, now)
    first_kept = select(func.min(ROW.c.seq)).where(ROW.c.at >= now - timedelta(days))
    until = session.scalar(first_kept)
    old = ROW.c.seq < until if until is not None else ROW.c.at < now - timedelta(days)
    last = session.execute(select(ROW.c.seq, ROW.c.hash).where(old).order_by(ROW.c.seq.desc()).limit(1)).one_or_none()
    if last is None:
        return 0
    counted = session.execute(select(func.count(), func.max(ROW.c.at)).where(old)).one()
    session.execute(insert(CHECKPOINT), [_signed(last, counted, now, signer)])
    session.execute(delete(ROW).where(old))
    note(
        session,
        "audit.purge",
        at=now,
        actor=actor,
        kind="audit",
        key=last.seq,
        summary={"purged": counted[0], "days": days},
    )
    return int(counted[0])


def _signed(last: Any, counted: Any, now: datetime, signer: Signer) -> dict[str, Any]:
    row = {"seq": last.seq, "hash": last.hash, "last_at": counted[1], "purged": counted[0], "at": now}
    return row | {"public_key": signer.public_key, "signature": signer.sign(checkpoint_facts(row))}
