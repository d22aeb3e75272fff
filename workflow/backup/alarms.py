"""Telling those who run and guard the platform that a backup is missing or broken (办法18, D10): one notice a day, gathered. Rows only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from workflow.calendar.calendar import shipped_calendar
from workflow.operations.notices import post
from workflow.policy import shipped_policies

KIND = "backup_missing"
TOLD = ("sysadmin", "security")


def tell_missing(session: Session, missing: Sequence[str], now: datetime) -> int:
    """Write the notices for what is missing; returns how many."""
    items = [
        {
            "role": role,
            "kind": KIND,
            "title": f"备份告警：{missing[0]}"[:200],
            "says": "；".join(missing),
            "link": "/system/backups",
        }
        for role in TOLD
        if missing
    ]
    return post(session, items, now, shipped_policies(), shipped_calendar())
