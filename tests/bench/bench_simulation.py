"""Ninety days lived through in advance: some 20,000 open tickets of 400 units, nobody acting, on a throw-away copy."""

from __future__ import annotations

import time
from datetime import date, timedelta

from sqlalchemy import Engine, func, insert, select

from tests.bench.report import Report
from tests.quality.ticket_room import at
from workflow.casework.simulation import simulate
from workflow.db import reading, writing
from workflow.engine.models import CASE
from workflow.quality.run import run_check
from workflow.registry.tables import TABLES
from workflow.registry.tree import rebuild

MON = date(2026, 3, 2)
UNITS = 400
PERSON, UNIT = 11, 13  # problems of a record that has little more than a name


def run(report: Report) -> None:
    """The figure on every database at hand."""
    for name in report.engines():
        with report.database(name) as engine:
            tickets = _settle(engine, report.scaled(20_000))
            begun, worked = time.perf_counter(), time.process_time()
            found = simulate(engine, at(MON), MON + timedelta(90))
            seconds, worked = time.perf_counter() - begun, time.process_time() - worked
            note = f"{tickets} 张工单，转红 {found.totals['red']}，处理器 {worked:.1f} s"
            report.row("推演90天", name, seconds, bound=10.0, note=note)


def _settle(engine: Engine, tickets: int) -> int:
    """Units in pairs of superior and subordinate, and people whose records lack what must be there; returns the open tickets."""
    entered = {"first_entered_by": "x", "first_entered_at": at(MON), "changed_at": at(MON)}
    units = [
        {"id": n, "unit_code": f"3302{n:06d}", "name": f"单位{n}", "district_code": "330200",
         "parent_id": n - 1 if n % 2 == 0 else None, **entered}
        for n in range(1, UNITS + 1)
    ]  # fmt: skip
    rows = [
        {"id": n, "person_code": f"P{n:08d}", "unit_id": n % UNITS + 1, "name": "张某某", **entered}
        for n in range(1, max(2, (tickets - UNITS * UNIT) // PERSON))
    ]
    with writing(engine) as session:
        session.execute(insert(TABLES["unit"]), units)
        session.execute(insert(TABLES["person"]), rows)
        rebuild(session)
    run_check(engine, MON, at(MON), kind="full")
    with reading(engine) as session:
        return session.scalar(select(func.count()).select_from(CASE).where(CASE.c.open)) or 0
