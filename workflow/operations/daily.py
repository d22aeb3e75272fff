"""Daily jobs as rows (business date, job): a repeat is a no-op, a missed day is caught up in order with its own moment as now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from workflow.audit.notes import note
from workflow.clock import SHANGHAI, business_date
from workflow.operations.models import DailyJob

RETRY_AFTER = (
    60,
    300,
    1500,
    7200,
)  # seconds after the first, second … failure; then it is given up and shown to a person


@dataclass(frozen=True)
class Slot:
    """One job at its set hour (Asia/Shanghai) of each day."""

    job: str
    at: time


@dataclass(frozen=True)
class Pending:
    """A job of a day that is to be run, with the moment that it takes as now (UTC)."""

    business_date: date
    job: str
    due_at: datetime


def next_pending(session: Session, slots: Sequence[Slot], until: datetime, start: date | None = None) -> Pending | None:
    """The earliest job not yet done whose hour has come by `until`; a new platform begins with `start` (default: that day).

    A failed job is due again at its next try, without holding up the later ones; one that is given up is not.
    """
    first = session.scalar(select(func.min(DailyJob.business_date))) or start or business_date(until)
    waiting = _unfinished_from(session, first)
    rows = {(row.business_date, row.job): row for row in _rows_since(session, waiting)}
    for pending in _calendar_of(slots, waiting, until):
        row = rows.get((pending.business_date, pending.job))
        if row is None or row.state == "running" or (row.next_try_at and row.next_try_at <= until):
            return pending
    return None


def begin(session: Session, pending: Pending, now: datetime) -> DailyJob | None:
    """Note that the job is running; None where it is done already. A row left `running` by a dead process is taken over."""
    row = session.get(DailyJob, (pending.business_date, pending.job), with_for_update=True)
    if row is not None and row.state == "done":
        return None
    if row is None:
        row = DailyJob(
            business_date=pending.business_date,
            job=pending.job,
            due_at=pending.due_at,
            state="running",
            attempts=0,
            started_at=now,
        )
        session.add(row)
    row.state, row.started_at, row.next_try_at = "running", now, None
    row.attempts += 1
    session.flush()
    return row


def finish(session: Session, pending: Pending, now: datetime, outcome: dict[str, Any]) -> None:
    """Note that it is done, with its counts."""
    row = session.get_one(DailyJob, (pending.business_date, pending.job))
    row.state, row.finished_at, row.outcome, row.error = "done", now, outcome, None
    _note(session, pending, now, "done", outcome)


def fail(session: Session, pending: Pending, now: datetime, error: str) -> None:
    """Note the failure and when to try again; after the last try it stays failed."""
    row = session.get_one(DailyJob, (pending.business_date, pending.job))
    row.state, row.finished_at, row.error = "failed", now, error
    tries = row.attempts - 1
    row.next_try_at = now + timedelta(seconds=RETRY_AFTER[tries]) if tries < len(RETRY_AFTER) else None
    _note(session, pending, now, "failed", {"attempts": row.attempts})


def _note(session: Session, pending: Pending, now: datetime, result: str, summary: dict[str, Any]) -> None:
    job = f"job.{pending.job.partition(':')[0]}"
    note(
        session,
        job,
        at=now,
        actor="clock",
        kind="daily_job",
        key=f"{pending.business_date} {pending.job}",
        result=result,
        summary=summary,
    )


def given_up(session: Session) -> list[DailyJob]:
    """The daily jobs that failed for good: a person has to look."""
    lost = select(DailyJob).where(DailyJob.state == "failed", DailyJob.next_try_at.is_(None))
    return list(session.scalars(lost.order_by(DailyJob.business_date, DailyJob.due_at)))


def _unfinished_from(session: Session, first: date) -> date:
    """The first day that may still have something to do: the last day with rows, or the earliest with an unfinished one."""
    last = session.scalar(select(func.max(DailyJob.business_date))) or first
    open_rows = or_(DailyJob.state == "running", DailyJob.next_try_at.is_not(None))
    unfinished = session.scalar(select(func.min(DailyJob.business_date)).where(open_rows))
    return min(last, unfinished or last)


def _rows_since(session: Session, day: date) -> Sequence[DailyJob]:
    return session.scalars(select(DailyJob).where(DailyJob.business_date >= day)).all()


def _calendar_of(slots: Sequence[Slot], first: date, until: datetime) -> Iterator[Pending]:
    """Every job of every day from `first`, in order of time, whose hour has come."""
    day = first
    while day <= business_date(until):
        for slot in sorted(slots, key=lambda slot: (slot.at, slot.job)):
            due_at = datetime.combine(day, slot.at, SHANGHAI).astimezone(until.tzinfo)
            if due_at <= until:
                yield Pending(day, slot.job, due_at)
        day += timedelta(days=1)
