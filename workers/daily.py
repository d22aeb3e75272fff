"""The daily jobs and how one is run: its row, its work, its outcome. What a job does is workflow's; here is only when."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from workers import anchoring, backups
from workers.lease import DAILY, alone
from workflow.access.leaving import disable_departed, disable_dormant
from workflow.calendar.calendar import shipped_calendar
from workflow.casework.weekly_audit import open_weeks_audits
from workflow.db import reading, writing
from workflow.duty.checking import open_due_checks
from workflow.operations import daily
from workflow.operations.daily import Pending, Slot
from workflow.operations.digest import KIND as DIGEST
from workflow.operations.digest import digest_slots, send_digest
from workflow.periodic.monthly import open_due_months
from workflow.policy import shipped_policies
from workflow.quality.daily import check_day
from workflow.settings import get_settings

log = logging.getLogger("sandeng.daily")

FULL_CHECK, CHECK = "full_check", "check"
MONTHLY, BACKUP, BACKUP_VERIFY, WEEKLY_AUDIT = "monthly", "backup", "backup_verify", "weekly_audit"
AUDIT_CHAIN, ACCOUNTS, DUTY = "audit_chain", "accounts", "duty"
CHECKS = (FULL_CHECK, CHECK)
FIXED = {
    FULL_CHECK: "job.full_check",
    CHECK: "job.check",
    MONTHLY: "job.monthly",
    WEEKLY_AUDIT: "job.weekly_audit",
    BACKUP: "job.backup",
    BACKUP_VERIFY: "job.backup_verify",
    AUDIT_CHAIN: "job.audit_chain",
    ACCOUNTS: "job.accounts",
    DUTY: "job.duty",
}

MISSED = timedelta(days=1)  # from then on a job is of a day that was missed


def slots() -> list[Slot]:
    """Every daily job at the hour that the policy sets."""
    policies = shipped_policies()
    fixed = [Slot(job, policies.city.time(entry)) for job, entry in FIXED.items()]
    return [*fixed, *digest_slots(policies)]


def next_job(
    engine: Engine, until: datetime, of: Sequence[Slot] | None = None, start: date | None = None
) -> Pending | None:
    """The earliest daily job (of these slots, else of all) that has not been done by then; a new platform begins with `start`."""
    with reading(engine) as session:
        return daily.next_pending(session, slots() if of is None else of, until, start)


def run_job(engine: Engine, pending: Pending, now: datetime) -> bool:
    """Run one job of one day; whether it was done. A failure is kept on its row and tried again later.

    1. Waits for a job that another process runs. 2. Notes that this one is running; one that is done is left alone.
    3. Does the work, in transactions of its own. 4. Notes the outcome.
    """
    with alone(engine, DAILY):
        with writing(engine) as session:
            row = daily.begin(session, pending, now)
        return row is None or _run(engine, pending, now)


def _run(engine: Engine, pending: Pending, now: datetime) -> bool:
    began = time.monotonic()
    try:
        outcome = _work(engine, pending, late=now - pending.due_at > MISSED)
    except Exception as error:  # the day must outlive one bad job: the error is kept on its row and tried again
        log.exception("daily job %s of %s failed", pending.job, pending.business_date)
        with writing(engine) as session:
            daily.fail(session, pending, now, f"{type(error).__name__}: {error}"[:2000])
        return False
    with writing(engine) as session:
        daily.finish(session, pending, now, outcome | {"seconds": round(time.monotonic() - began, 3)})
    return True


def _work(engine: Engine, pending: Pending, *, late: bool) -> dict[str, Any]:
    if pending.job == FULL_CHECK and not late:
        return _check(engine, pending, "full")
    if pending.job == MONTHLY:
        with writing(engine) as session:
            return {"opened": open_due_months(session, pending.due_at)}
    if pending.job == WEEKLY_AUDIT:
        with writing(engine) as session:
            return {"opened": open_weeks_audits(session, pending.business_date, pending.due_at)}
    if pending.job == BACKUP:
        return backups.daily_backup(engine, get_settings(), pending, late=late)
    if pending.job == BACKUP_VERIFY:
        return backups.daily_verification(engine, get_settings(), pending, late=late)
    if pending.job == AUDIT_CHAIN:
        return anchoring.daily_audit(engine, get_settings(), pending)
    if pending.job == ACCOUNTS:
        with writing(engine) as session:
            departed = disable_departed(session, pending.due_at)
            return {"departed": departed, "dormant": disable_dormant(session, pending.due_at)}
    if pending.job == DUTY:
        with writing(engine) as session:
            return {"opened": open_due_checks(session, pending.business_date, pending.due_at)}
    if pending.job in CHECKS:  # the increment finds the same; a night that was missed needs no full run
        return _check(engine, pending, "incremental")
    assert pending.job.partition(":")[0] == DIGEST, pending.job
    return _digest(engine, pending)


def _check(engine: Engine, pending: Pending, kind: str) -> dict[str, Any]:
    return check_day(engine, pending.business_date, pending.due_at, kind=kind).as_json()


def _digest(engine: Engine, pending: Pending) -> dict[str, Any]:
    with writing(engine) as session:
        return send_digest(session, pending.job, pending.due_at, shipped_policies(), shipped_calendar())
