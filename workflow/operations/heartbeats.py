"""Signs of life of the platform's parts, in real time: what /readyz asks and what the clock and the relay leave."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.operations.models import Heartbeat

STALE_AFTER = timedelta(seconds=15)


def beat(session: Session, name: str, moment: datetime, process: str) -> None:
    """Leave a sign of life. `moment` is the real time, also where SANDENG_CLOCK moves the platform."""
    session.merge(Heartbeat(name=name, at=moment, process=process))
    session.flush()


def ages(session: Session, moment: datetime) -> dict[str, float]:
    """Part → seconds since its last sign of life; `moment` is the real time."""
    return {name: (moment - at).total_seconds() for name, at in session.execute(select(Heartbeat.name, Heartbeat.at))}


def alive(session: Session, name: str, moment: datetime) -> bool:
    """Whether that part has given a sign of life lately."""
    return ages(session, moment).get(name, float("inf")) <= STALE_AFTER.total_seconds()
