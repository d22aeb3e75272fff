"""Putting a case off in one's own list until a day. Rows of the one person; no deadline moves and no badge shrinks. No commit."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from workflow.casework.handling_models import Snooze
from workflow.engine.sets import among
from workflow.errors import BadInput

LONGEST = timedelta(60)  # calendar days


def snooze(
    session: Session, account: str, case_ids: Collection[int], until: date, *, today: date, now: datetime
) -> None:
    """Hide cases from one's default view until a day. Raises BadInput for a day that is past or too far."""
    if not today < until <= today + LONGEST:
        raise BadInput(
            f"“稍后”的日期应在 {today + timedelta(1)} 至 {today + LONGEST} 之间", errors=[{"field": "until"}]
        )
    wake(session, account, case_ids)
    session.add_all(Snooze(account=account, case_id=case_id, until_on=until, at=now) for case_id in set(case_ids))
    session.flush()


def wake(session: Session, account: str, case_ids: Collection[int]) -> None:
    """Show cases again at once."""
    session.execute(delete(Snooze).where(Snooze.account == account, among(session, Snooze.case_id, case_ids)))
