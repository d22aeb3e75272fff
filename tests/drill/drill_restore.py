"""A database is deleted under load and restored from its backup (办法18): what was acknowledged and is gone, and whether that is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from tests.drill import lost_writes
from tests.drill.registry import Measured, drill

WRITES = int(os.environ.get("SANDENG_DRILL_WRITES", "10000"))
BOUND = "SQLite ≤ 1 s 的写入且如实告知；PostgreSQL 0 条"


@contextmanager
def nobody_copies() -> Iterator[None]:
    """A platform whose copier looks once in ten minutes, and whose server has no receiver of its log."""
    copier = lost_writes.COPIER
    lost_writes.COPIER = copier.replace(
        "import workers.copier,", "import workers.copier; workers.copier.EVERY = 600\nimport"
    )
    lost_writes.receiving = False
    try:
        yield
    finally:
        lost_writes.COPIER, lost_writes.receiving = copier, True


@drill(f"确认 {WRITES:,} 条写入后删库、从备份恢复", BOUND, nobody_copies)
def run(engine: Engine, folder: Path) -> Measured:
    """The database of the drill only says which kind is asked for: what is deleted is one of its own."""
    server = engine.dialect.name == "postgresql"
    try:
        loss = (
            lost_writes.postgresql_loses_nothing(WRITES)
            if server
            else lost_writes.sqlite_loses_at_most_a_second(WRITES)
        )
    except Exception as error:  # a backup that cannot be restored is a missed bound, not the end of the other drills
        return Measured(f"{type(error).__name__}: {error}"[:200], False)
    says = f"确认 {loss.acknowledged:,}，恢复 {loss.restored:,}，失 {loss.lost:,} 条（{loss.seconds:g} s）；平台自称：{loss.said}"
    return Measured(says, loss.lost == 0 if server else loss.seconds <= 1.0 and "最多1秒" in loss.said)
