"""Which backups are kept: at least 100 days and eight full ones, and all that a kept one builds on (办法18: 至少保存3个月)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from workflow.backup.repository import Backup

KEPT_FOR = timedelta(days=100)  # 92 days of three months and a week of grace
FULLS = 8  # four months of half-monthly ones


def expired(backups: Sequence[Backup], now: datetime) -> list[Backup]:
    """What may be deleted, increments before what they build on.

    Kept are: everything of the last 100 days; the last one before that, from which the first of those days is restored; the newest
    eight full ones; and whatever any of these builds on.
    """
    since = now - KEPT_FOR
    older = [backup for backup in backups if backup.moment < since]
    wanted = {backup.id for backup in backups if backup.moment >= since}
    wanted |= {backup.id for backup in older[-1:]}
    wanted |= {backup.id for backup in [b for b in backups if b.kind == "full"][-FULLS:]}
    by_id = {backup.id: backup for backup in backups}
    for backup_id in list(wanted):
        link = by_id[backup_id]
        while link.parent and link.parent in by_id:
            wanted.add(link.parent)
            link = by_id[link.parent]
    return sorted((b for b in backups if b.id not in wanted), key=lambda backup: -backup.seq)
