"""Ten thousand timers while the clocks are killed: each effect exactly once, on both databases, with a queue that forgets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, func, select

from tests.workers.conftest import Spawn, eventually
from tests.workers.drill import set_alarms
from workflow.db import reading
from workflow.engine.models import Case, CaseHistory, Outbox, Timer
from workflow.operations.models import Heartbeat, Notice
from workflow.settings import Settings

TIMERS = 10_000
CLOCKS = 3
KILLS = 8
DRILL = Path(__file__).with_name("drill.py")


def count(engine: Engine, *conditions: object, of: object = Case.id) -> int:
    """How many rows meet these conditions."""
    with reading(engine) as session:
        return session.scalar(select(func.count(of)).where(*conditions)) or 0  # type: ignore[arg-type]


def active_clock(engine: Engine) -> int:
    """The process id that the clock's last sign of life names; 0 before the first."""
    with reading(engine) as session:
        name = session.scalar(select(Heartbeat.process).where(Heartbeat.name == "clock"))
    return int(name.rpartition(":")[2]) if name else 0


def kill_active(clocks: list[subprocess.Popen[bytes]], engine: Engine) -> int | None:
    """Kill the active clock with -9; returns its place, None where its successor has not given a sign of life yet."""
    active = active_clock(engine)
    for place, clock in enumerate(clocks):
        if clock.pid == active:
            clock.send_signal(signal.SIGKILL)
            clock.wait(5)
            return place
    return None


@pytest.mark.slow
@pytest.mark.usefixtures("settings")
def test_ten_thousand_timers_survive_clocks_that_are_killed_again_and_again(
    both_engines: Engine,
    valkey: Redis,
    spawn: Spawn,
    part: Callable[..., subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = both_engines
    monkeypatch.setenv("SANDENG_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    set_alarms(engine, TIMERS)
    start = lambda: spawn(sys.executable, str(DRILL))  # noqa: E731
    clocks, kills, began = [start() for _ in range(CLOCKS)], 0, time.monotonic()
    part("worker")
    while count(engine, Timer.state == "armed", of=Timer.id):
        assert time.monotonic() - began < 150, "not all fired in time"
        time.sleep(1)
        if kills < KILLS and (place := kill_active(clocks, engine)) is not None:
            clocks[place] = start()
            kills += 1
        if kills == 2:
            valkey.flushall()
    eventually(lambda: not count(engine, Outbox.done_at.is_(None), of=Outbox.id), within=90, what="effects left over")
    assert kills >= 3
    assert count(engine, Timer.state == "fired", of=Timer.id) == TIMERS
    assert count(engine, Case.state == "rung") == TIMERS
    assert count(engine, CaseHistory.do == "ring", of=CaseHistory.id) == TIMERS
    assert count(engine, of=Outbox.id) == TIMERS
    assert count(engine, Notice.count == 1, of=Notice.id) == TIMERS == count(engine, of=Notice.id)


def test_another_clock_takes_over_within_seconds(
    settings: Settings, city: Engine, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    clocks = [spawn(sys.executable, str(DRILL)) for _ in range(2)]
    first = eventually(lambda: active_clock(city), within=20)
    next(clock for clock in clocks if clock.pid == first).send_signal(signal.SIGKILL)
    second = next(clock.pid for clock in clocks if clock.pid != first)
    eventually(lambda: active_clock(city) == second, within=5)
    set_alarms(city, 20)
    eventually(lambda: count(city, Case.state == "rung") == 20, within=5, what="a due timer fires within 5 s")
