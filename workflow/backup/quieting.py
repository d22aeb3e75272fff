"""What a restored database must not do again: send old notices, redo requests, let old sessions in. Timers are left: they fire as due.

Works on any revision that has these tables: a restored database may be older than this release.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, text

NOTE = "恢复备份前的消息，不再发送"
NOT_REDONE = "恢复备份前的后台任务，未自动重做"
STAMP = "%Y-%m-%d %H:%M:%S.%f"


def quiet(database: Path, restored_to: datetime, now: datetime) -> dict[str, int]:
    """Mark open effects as done with a note, end requests and sessions; returns {"suppressed", "sessions_ended"}."""
    at = now.astimezone(UTC).strftime(STAMP)
    note = json.dumps({"restored_to": restored_to.isoformat(), "says": NOTE}, ensure_ascii=False)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:  # a copy that nobody uses yet
        suppressed = _run(
            connection, "outbox",
            "UPDATE outbox SET done_at = ?, payload = json_set(payload, '$.suppressed', json(?)) WHERE done_at IS NULL", at, note,
        )  # fmt: skip
        _run(
            connection, "job_request",
            "UPDATE job_request SET state = 'failed', message = ?, finished_at = ? "
            "WHERE state IN ('queued', 'running')", NOT_REDONE, at,
        )  # fmt: skip
        ended = _run(
            connection, "login_session",
            "UPDATE login_session SET ended_at = ?, ended_how = 'restored' WHERE ended_at IS NULL", at,
        )  # fmt: skip
    return {"suppressed": suppressed, "sessions_ended": ended}


def quiet_server(connection: Connection, restored_to: datetime, now: datetime) -> dict[str, int]:
    """The same on a PostgreSQL server that has recovered."""
    note = json.dumps({"restored_to": restored_to.isoformat(), "says": NOTE}, ensure_ascii=False)
    told = {"note": note, "at": now}
    suppressed = connection.execute(
        text(
            "UPDATE outbox SET done_at = :at, payload = jsonb_set(payload, '{suppressed}', CAST(:note AS jsonb)) WHERE done_at IS NULL"
        ),
        told,
    )
    connection.execute(
        text(
            "UPDATE job_request SET state = 'failed', message = :says, finished_at = :at WHERE state IN ('queued', 'running')"
        ),
        {"says": NOT_REDONE, "at": now},
    )
    ended = connection.execute(
        text("UPDATE login_session SET ended_at = :at, ended_how = 'restored' WHERE ended_at IS NULL"), {"at": now}
    )
    return {"suppressed": suppressed.rowcount, "sessions_ended": ended.rowcount}


def _run(connection: sqlite3.Connection, table: str, statement: str, *values: str) -> int:
    known = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return connection.execute(statement, values).rowcount if known else 0
