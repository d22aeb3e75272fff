"""Whether the platform can work: the questions of /readyz, each with its answer. Reading only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.engine.models import Outbox
from workflow.operations.daily import given_up
from workflow.operations.heartbeats import STALE_AFTER, ages
from workflow.operations.models import DailyJob

Answer = dict[str, Any]


def readiness(session: Session, moment: datetime, head: str) -> dict[str, Answer]:
    """Question → {"ok", …facts}: database, migrations, clock. `moment` is the real time, `head` the revision of this release."""
    from alembic.runtime.migration import MigrationContext

    revision = MigrationContext.configure(session.connection()).get_current_revision()
    age = ages(session, moment).get("clock")
    alive = age is not None and age <= STALE_AFTER.total_seconds()
    return {
        "database": {"ok": True},
        "migrations": {"ok": (revision or "") == head, "revision": revision, "wanted": head},
        "clock": {"ok": alive, "seconds_since_heartbeat": None if age is None else round(age, 1)},
    }


def concerns(session: Session) -> dict[str, Any]:
    """What does not stop the platform but wants a person: daily jobs given up, effects tried in vain, the last full check."""
    last = select(func.max(DailyJob.finished_at)).where(DailyJob.job == "full_check", DailyJob.state == "done")
    stuck = select(func.count()).where(Outbox.done_at.is_(None), Outbox.attempts >= 5)
    finished = session.scalar(last)
    return {
        "daily_jobs_given_up": [f"{row.business_date} {row.job}" for row in given_up(session)],
        "effects_stuck": session.scalar(stuck) or 0,
        "last_full_check": finished.isoformat() if finished else None,
    }
