"""Findings against open tickets; a night in which very many tickets turn yellow with a user working beside the clock; and nights in which both want the same tickets."""

from __future__ import annotations

import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Engine, text

from tests.bench.report import Report
from tests.quality.ticket_room import at, check, finding, settle, stage
from workflow.db import open_engine, writing, writing_on
from workflow.engine.actors import CHECKER
from workflow.engine.registry import book, using
from workflow.engine.steps import NewCase, open_cases, take_step
from workflow.engine.timers import fire_due
from workflow.policy import Policies, Policy, shipped_policies
from workflow.policy_entries import WorkingDays
from workflow.quality.tickets import apply_findings

MON, TUE = date(2026, 3, 2), date(2026, 3, 3)
FOUND, TURNED = 20_000, 100_000  # the sizes of the bounds
NIGHTS, CONTESTED, AT_ONCE = (
    20,
    2_000,
    20,
)  # tickets a night that both want, and how many of them the user takes at once


def run(report: Report) -> None:
    """Both figures on every database at hand."""
    for engine_name in report.engines():
        for size in report.sizes(FOUND, engine_name):
            with report.database(engine_name) as engine:
                title = f"{size:,} 条发现对 {size:,} 张未结工单，5% 新、5% 已改"
                report.row(title, engine_name, _diff(engine, size), bound=1.0 if size <= FOUND else None)
        for size in report.sizes(TURNED, engine_name):
            with report.database(engine_name) as engine:
                seconds, waits = _night(engine, size)
            report.row(f"{size:,} 张工单一夜变黄", engine_name, seconds, bound=6.0 if size <= TURNED else None)
            p95 = statistics.quantiles(waits, n=20)[-1] * 1000 if len(waits) > 1 else 0.0
            note = f"{len(waits)} 次，最大 {max(waits) * 1000:.0f} ms"
            bound = 50 if size <= TURNED else None
            report.row(f"其间一名用户每步的 p95（{size:,} 张）", engine_name, p95, bound=bound, unit="ms", note=note)
        with report.database(engine_name) as engine:
            steps, deadlocks = _rival_nights(engine)
        work, note = f"{NIGHTS} 夜里时钟与用户争办同一批 {CONTESTED:,} 张工单的死锁", f"用户办理 {steps:,} 次"
        report.row(work, engine_name, deadlocks, bound=0, unit="次", note=note)


def _diff(engine: Engine, size: int) -> float:
    settle(engine)
    check(engine, MON, [finding(n) for n in range(size)])
    twentieth = size // 20
    found = [finding(n) for n in range(twentieth, size + twentieth)]
    with engine.connect() as connection, writing_on(connection) as session:
        run = stage(session, TUE, found)
        begun = time.perf_counter()
        applied = apply_findings(session, run, {})
        session.commit()
        seconds = time.perf_counter() - begun
    assert (applied.opened, applied.still_open, applied.resolved) == (twentieth, size - twentieth, twentieth), applied
    return seconds


def _later_yellow() -> Policies:
    """The city's policy with a day between finding and yellow, so that a night has something to turn."""
    city = shipped_policies().city
    entries = {
        **city.entries,
        "light.yellow": WorkingDays(unit="working_days", value=1, basis=["办法10(一)"], says="次日亮黄灯"),
    }
    return Policies(Policy(city.district, city.name, entries), {})


def _night(engine: Engine, size: int) -> tuple[float, list[float]]:
    """Seconds of the clock for `size` tickets, and the seconds of each step that a user took meanwhile."""
    settle(engine)
    with using(replace(book(), policies=_later_yellow())):
        for first in range(0, size, 5000):
            with writing(engine) as session:
                new = [NewCase(n % 4000, f"s{n}", "t", MON) for n in range(first, min(first + 5000, size))]
                open_cases(session, "rectification", new, now=at(MON), actor=CHECKER)
        mine = _users_tickets(engine)
        with _user_beside(engine, [[case_id] for case_id in mine]) as waits:
            begun = time.perf_counter()
            fired = fire_due(engine, at(date(2026, 3, 4), 0))
            seconds = time.perf_counter() - begun
    assert fired.fired == {"rectification.warn": size}, fired
    return seconds, waits


def _rival_nights(engine: Engine) -> tuple[int, int]:
    """The user's steps and the deadlocks of some nights in which a user resolves tickets by the score that are just turning yellow.

    A step that deadlocks breaks off the user's process; one of the clock's would be tried again, so the server's own count is asked.
    """
    settle(engine)
    chance, steps = random.Random(5), 0
    with using(replace(book(), policies=_later_yellow())):
        for night in range(NIGHTS):
            with writing(engine) as session:
                new = [NewCase(n % 400, f"n{night}s{n}", "t", MON) for n in range(CONTESTED)]
                contested = open_cases(session, "rectification", new, now=at(MON), actor=CHECKER)
            chance.shuffle(contested)
            wanted = [contested[first : first + AT_ONCE] for first in range(0, CONTESTED, AT_ONCE)]
            with _user_beside(engine, wanted, rest=0.0) as waits:
                fired = fire_due(engine, at(date(2026, 3, 4), 0))
            assert (fired.pushed, fired.failed) == (0, 0), fired
            steps += len(waits)
    if engine.dialect.name == "sqlite":
        return steps, 0  # one writer: whoever waits too long is told, and the user's process would have broken off
    counted = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    with engine.connect() as connection:
        return steps, int(connection.execute(counted).scalar_one())


def _users_tickets(engine: Engine) -> list[int]:
    """Tickets that a user resolves one by one, opened later so that the night does not touch them."""
    with writing(engine) as session:
        new = [NewCase(1, f"user{n}", "t", date(2026, 3, 4)) for n in range(3000)]
        return open_cases(session, "rectification", new, now=at(date(2026, 3, 4), 0), actor=CHECKER)


@contextmanager
def _user_beside(engine: Engine, wanted: list[list[int]], rest: float = 0.02) -> Iterator[list[float]]:
    """A user at work in a process of its own, as a web worker is; the list holds the seconds of each step once it has stopped."""
    context, waits = multiprocessing.get_context("spawn"), []
    ready, stop, told = context.Event(), context.Event(), context.Queue()
    url = engine.url.render_as_string(hide_password=False)
    user = context.Process(target=_user, args=(url, wanted, rest, ready, stop, told))
    user.start()
    ready.wait(60)
    yield waits
    stop.set()
    waits += told.get(timeout=60)
    user.join()


def _user(url: str, wanted: list[list[int]], rest: float, ready: Any, stop: Any, told: Any) -> None:
    engine, waits = open_engine(url), []
    book()
    for case_ids in wanted:
        begun = time.perf_counter()
        with writing(engine) as session:
            take_step(session, "rectification", "resolve", case_ids, now=at(date(2026, 3, 4), 0), actor=CHECKER)
        if ready.is_set():
            waits.append(time.perf_counter() - begun)
        ready.set()  # the first step, which loads the definitions, is not measured
        if stop.wait(rest):
            break
    told.put(waits)
