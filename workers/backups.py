"""The daily backup and its verification (办法18), and both on request. Only the database that the settings name is backed up."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from sqlalchemy import Engine

from workflow.access.sealed_files import sweep
from workflow.backup.alarms import tell_missing
from workflow.backup.engines import make
from workflow.backup.making import repository, working_folder
from workflow.backup.restoring import chosen
from workflow.backup.state import FULL_WITHIN, state_of
from workflow.backup.verifying import verify
from workflow.clock import present
from workflow.db import writing
from workflow.errors import SandengError
from workflow.operations.daily import Pending
from workflow.operations.models import JobRequest
from workflow.operations.progress import Progress
from workflow.settings import Settings, get_settings

FULL_DAYS = (1, 16)
DAY = 86_400.0  # seconds
PATIENCE = 600.0  # seconds that the daily backup waits for one that is being made
MAKE, VERIFY = "backup", "backup_verify"  # kinds of requests


def daily_backup(engine: Engine, settings: Settings, pending: Pending, *, late: bool) -> dict[str, Any]:
    """The backup of one day. A day that was missed is not made up for: its state is gone, and the next backup holds what came of it."""
    sweep(settings.folder("uploads"), time.time() - DAY)
    if skipped := not_here(engine, settings, late):
        return skipped
    made = make(engine, settings, kind_on(pending.business_date, settings), present, patience=PATIENCE)
    return {"backup": made.id, "bytes": made.bytes}


def daily_verification(engine: Engine, settings: Settings, pending: Pending, *, late: bool) -> dict[str, Any]:
    """Restore the newest backup into a scratch folder; tell those who run and guard the platform what is missing or broken."""
    if skipped := not_here(engine, settings, late):
        return skipped
    held, now = repository(settings), present()
    outcome = verify(held, chosen(held.backups(), None), now, working_folder(settings))
    missing = state_of(settings, now).missing
    with writing(engine) as session:
        tell_missing(session, missing, pending.due_at)
    if not outcome.ok:
        raise SandengError("；".join(outcome.problems))
    return {"backup": outcome.backup, "rows": outcome.rows, "missing": missing}


def kind_on(day: date, settings: Settings) -> str:
    """Full on the 1st and 16th, and where the last full one is older than 16 days; else incremental."""
    last = state_of(settings, present()).last_full
    if day.day in FULL_DAYS or last is None or present() - last > FULL_WITHIN:
        return "full"
    return "incremental"


def make_requested(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"kind"}: a backup that somebody asked for."""
    made = make(engine, get_settings(), str(request.params["kind"]), present, progress)
    return {"message": f"已完成备份 {made.id}（{made.bytes / 1e6:.1f} MB）", "result": {"backup": made.id}}


def verify_requested(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"backup"}: a verification that somebody asked for."""
    settings = get_settings()
    held = repository(settings)
    progress(0, 1)
    outcome = verify(held, held.backup(str(request.params["backup"])), present(), working_folder(settings))
    progress(1, 1)
    says = "通过" if outcome.ok else f"未通过：{'；'.join(outcome.problems)}"
    return {"message": f"备份 {outcome.backup} 验证{says}", "result": outcome.as_json()}


def not_here(engine: Engine, settings: Settings, late: bool = False) -> dict[str, Any]:
    """Why no backup is made here, {} where one is."""
    if engine.url.render_as_string(hide_password=False) != settings.database_url:
        return {"skipped": "不是本平台配置的数据库"}
    if engine.dialect.name == "postgresql" and not settings.backup_tool:
        return {"skipped": "未设置 SANDENG_BACKUP_TOOL"}
    if settings.backup_tool == "external":
        return {"skipped": "备份由外部工具负责（SANDENG_BACKUP_TOOL=external）"}
    return {"skipped": "补办的日期不补做备份"} if late else {}
