"""The same three acts for either database: the embedded one is copied here, PostgreSQL by its own tools."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from workflow.backup import making, postgresql, restoring
from workflow.backup.making import Clock, Progress
from workflow.backup.repository import Backup
from workflow.settings import Settings


def make(
    engine: Engine,
    settings: Settings,
    kind: str,
    clock: Clock,
    progress: Progress = lambda _d, _t: None,
    patience: float = 0.0,
) -> Backup:
    """Make a `full` or `incremental` backup. Raises Conflict, BadInput."""
    if engine.dialect.name == "postgresql":
        return postgresql.make(engine, settings, kind, clock, progress, patience)
    return making.make(engine, settings, kind, clock, progress, patience)


def restore(settings: Settings, to: datetime | None, into: Path, now: datetime) -> dict[str, Any]:
    """Restore into an empty folder; returns what `--json` prints. Raises BadInput, Damaged."""
    held = making.repository(settings)
    if restoring.chosen(held.backups(), to).engine == "postgresql":
        return postgresql.restore(held, settings, to, into)
    return restoring.restore(held, to, into, now).as_json()
