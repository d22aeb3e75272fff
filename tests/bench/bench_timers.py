"""Due timers: very many at once, and how long a single one waits for a clock that runs as its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select, update

from tests.bench.report import Report
from tests.quality.ticket_room import at, settle
from workflow import migrations
from workflow.db import open_engine, reading, writing
from workflow.engine.actors import CHECKER
from workflow.engine.models import CASE, TIMER
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.timers import fire_due

MON = date(2026, 3, 2)
MANY = 10_000  # the size of the bound


def run(report: Report) -> None:
    """Many at once on every database; one alone on the embedded one."""
    for engine_name in report.engines():
        for size in report.sizes(MANY, engine_name):
            with report.database(engine_name) as engine:
                bound = 10.0 if size <= MANY else None
                report.row(f"{size:,} 个定时同时到期", engine_name, _many(engine, size), bound=bound)
    waited = _alone()
    report.row("一个定时到期后多久办理（最慢）", "SQLite", max(waited), bound=5.0, note=f"{len(waited)} 次")


def _many(engine: Engine, size: int) -> float:
    settle(engine)
    for first in range(0, size, 5000):
        with writing(engine) as session:
            new = [NewCase(n % 4000, f"s{n}", "t", MON) for n in range(first, min(first + 5000, size))]
            open_cases(session, "rectification", new, now=at(MON), actor=CHECKER)
    began = time.perf_counter()
    fired = fire_due(engine, at(date(2026, 3, 6), 0))
    seconds = time.perf_counter() - began
    assert fired.fired == {"rectification.escalate": size}, fired
    return seconds


def _alone() -> list[float]:
    """Seconds between due and fired, for five tickets one after the other, with `clock` running as its own process."""
    with tempfile.TemporaryDirectory(prefix="sandeng-bench-") as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'sandeng.db'}")
        migrations.upgrade(engine)
        settle(engine)
        clock = subprocess.Popen(
            [sys.executable, "-m", "workers", "clock"], env={**os.environ, "SANDENG_DATA_DIR": folder}
        )
        try:
            time.sleep(8)  # the first days' jobs
            return [_wait(engine, n) for n in range(5)]
        finally:
            clock.terminate()
            clock.wait(20)
            engine.dispose()


def _wait(engine: Engine, n: int) -> float:
    now = datetime.now(UTC)
    with writing(engine) as session:
        (case_id,) = open_cases(
            session, "rectification", [NewCase(1, f"s{n}", "t", now.date())], now=now, actor=CHECKER
        )
        due = now + timedelta(seconds=1)
        session.execute(update(TIMER).where(TIMER.c.case_id == case_id).values(due_at=due, next_try_at=due))
    while datetime.now(UTC) < due + timedelta(seconds=30):
        with reading(engine) as session:
            if session.scalar(select(CASE.c.light).where(CASE.c.id == case_id)) == "red":
                return max(0.0, (datetime.now(UTC) - due).total_seconds())
        time.sleep(0.05)
    raise AssertionError("the timer was not fired within 30 s")
