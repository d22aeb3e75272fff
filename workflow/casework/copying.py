"""A throw-away copy of the database for simulations: an embedded file in a private folder, gone at the end. The original is only read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, event, func, insert, select
from sqlalchemy.orm import Session

from workflow.db import Base, open_engine, reading
from workflow.quality.models import CHECK_RUN
from workflow.registry.models import RecordVersion

AT_ONCE = 2000
# What no simulated day reads: what is only looked back on, sent out, or belongs to people's accounts.
LEFT_OUT = {
    "case_history", "outbox", "consumed", "notice", "notice_read", "login_session", "idempotent_write", "saved_filter",
    "account", "role_grant", "role_revocation", "job_request", "import_batch", "rule_run", "daily_job", "heartbeat",
    "audit_row", "audit_head", "audit_checkpoint",
}  # fmt: skip


@contextmanager
def throw_away_copy(engine: Engine) -> Iterator[Engine]:
    """An engine on a copy of everything that a simulated day reads, in one consistent state; removed with its folder at the end.

    SQLite: the online backup, so that users go on working. PostgreSQL: one read snapshot, table by table, into the embedded
    database, which gives the same findings (tests/quality/test_conformance.py). The edge has declared every table (workflow.models).
    """
    with tempfile.TemporaryDirectory(prefix="sandeng-simulation-") as folder:
        path = Path(folder) / "copy.db"
        if engine.dialect.name == "sqlite":
            _back_up(engine, path)
        copy = open_engine(f"sqlite:///{path}")
        event.listen(copy, "connect", _careless)
        try:
            if engine.dialect.name != "sqlite":
                _fill(engine, copy)
            yield copy
        finally:
            copy.dispose()


def _careless(connection: Any, _record: Any) -> None:
    """A copy that is thrown away need not survive a power cut, nor hold on to rows that were left out."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _back_up(engine: Engine, path: Path) -> None:
    import sqlite3

    source = engine.raw_connection()
    target = sqlite3.connect(path)
    try:
        source.driver_connection.backup(target)  # type: ignore[union-attr]
    finally:
        target.close()
        source.close()


def _fill(engine: Engine, copy: Engine) -> None:
    with reading(engine) as source, copy.begin() as target:
        Base.metadata.create_all(target)
        for table in Base.metadata.sorted_tables:
            if table.name not in LEFT_OUT:
                _copy_table(source, target, table)


def _copy_table(source: Session, target: Connection, table: Table) -> None:
    wanted: Select[Any] = select(table)
    if table.name == RecordVersion.__tablename__:  # the increment asks only for what the last run has not seen
        last = select(func.max(CHECK_RUN.c.id)).where(
            CHECK_RUN.c.finished_at.is_not(None), CHECK_RUN.c.kind != "scoped"
        )
        seen = source.scalar(select(CHECK_RUN.c.watermark).where(CHECK_RUN.c.id == last.scalar_subquery())) or 0
        highest = select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery()
        wanted = wanted.where((table.c.id > seen) | (table.c.id == highest))
    for rows in source.execute(wanted.execution_options(yield_per=AT_ONCE)).partitions(AT_ONCE):
        target.execute(insert(table), [row._asdict() for row in rows])
