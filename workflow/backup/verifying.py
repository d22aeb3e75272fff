"""A backup is worth what a restore of it is worth: it is restored into a scratch folder, checked and thrown away (办法18, quarterly drill)."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workflow.backup import postgresql, restoring
from workflow.backup.repository import Backup, Repository, as_text
from workflow.backup.sqlite_files import integrity, row_counts
from workflow.errors import SandengError

VERIFIED = "verified.json"  # beside the manifest: the last outcome; it is no part of what is signed


@dataclass
class Verified:
    """The outcome of one verification."""

    backup: str
    ok: bool
    at: str
    rows: int
    files: int
    seconds: float
    problems: list[str]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def verify(repository: Repository, backup: Backup, now: datetime, scratch: Path) -> Verified:
    """Restore one backup with its chain into a scratch folder: digests, every page, integrity_check, rows, uploads. Keeps the outcome."""
    began = time.monotonic()
    rows, files, problems = 0, 0, []
    with tempfile.TemporaryDirectory(prefix="verify-", dir=scratch) as folder:
        try:
            rows, files = _restored(repository, backup, Path(folder))
        except SandengError as problem:
            problems.append(str(problem))
    seconds = round(time.monotonic() - began, 3)
    outcome = Verified(backup.id, not problems, as_text(now), rows, files, seconds, problems)
    _keep(repository, backup, outcome)
    return outcome


def last_verified(repository: Repository, backup: Backup) -> dict[str, Any] | None:
    """The last outcome for a backup, None where it was never verified."""
    try:
        return dict(json.loads(repository.path(backup, VERIFIED).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def _restored(repository: Repository, backup: Backup, folder: Path) -> tuple[int, int]:
    if backup.engine == "postgresql":
        return postgresql.proved(repository, backup, folder)
    chain = repository.chain(backup)
    database = folder / restoring.DATABASE
    restoring.rebuild(repository, chain, database)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        wrong, counts = integrity(connection), row_counts(connection)
    if wrong or counts != backup.counts:
        raise SandengError(f"恢复后检查未通过：{wrong[0] if wrong else '行数与清单不符'}")
    return sum(counts.values()), restoring.put_uploads(repository, chain, folder)


def _keep(repository: Repository, backup: Backup, outcome: Verified) -> None:
    fresh = repository.path(backup, f".{VERIFIED}")
    fresh.write_text(json.dumps(outcome.as_json(), ensure_ascii=False), encoding="utf-8")
    os.replace(fresh, repository.path(backup, VERIFIED))
