"""Showing an ID number in full: only to who has just proved the identity, for a reason, and never unregistered (办法16, 办法17)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.models import SensitiveReading
from workflow.access.scopes import Signed
from workflow.audit.notes import note, told
from workflow.errors import BadInput, NotAllowed

LEAST, MOST = 4, 200  # characters of a reason
NUMBERS = re.compile(r"[0-9]{11,}")


class ProofNeeded(NotAllowed):
    """查看完整身份证号前请再次验证身份，五分钟内有效。"""


def register_reading(
    session: Session, signed: Signed, dataset: str, key: str, unit_id: int | None, reason: str, now: datetime
) -> SensitiveReading:
    """Register, before it is shown, that somebody reads the ID number of a record.

    Raises ProofNeeded where the last proof of identity is older than five minutes, BadInput without a reason in words.
    """
    if not signed.fresh(now):
        raise ProofNeeded
    reason = reason.strip()
    if not LEAST <= len(reason) <= MOST or NUMBERS.search(reason):
        raise BadInput(f"请用 {LEAST} 至 {MOST} 个字写明理由，不要写入证件号码")
    row = SensitiveReading(account=signed.actor.account, dataset=dataset, record_key=key, reason=reason, at=now)
    session.add(row)
    session.flush()
    summary = {"reading": row.id, "reason": told(reason)}
    note(
        session,
        "record.reveal",
        at=now,
        actor=signed.actor.account,
        kind=dataset,
        key=key,
        unit_id=unit_id,
        summary=summary,
    )
    return row


def readings_of(session: Session, dataset: str, key: str, *, limit: int = 50) -> Sequence[SensitiveReading]:
    """Who read the ID number of a record and why, newest first."""
    about = select(SensitiveReading).where(SensitiveReading.dataset == dataset, SensitiveReading.record_key == key)
    return session.scalars(about.order_by(SensitiveReading.id.desc()).limit(limit)).all()
