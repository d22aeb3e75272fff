"""The five alarms (办法19): each cause is made beside a running clock, and how long it takes until the platform tells of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import OperationalError

from tests.audit import intruder
from tests.audit.intruder import fill, inside
from tests.drill.registry import Measured, drill
from workflow.access.accounts import LOCKED_FOR, create_account
from workflow.access.models import Account, SensitiveReading
from workflow.audit.models import ROW
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.duty.alarms import ACTION, CAUSES
from workflow.operations.models import DailyJob
from workflow.policy import shipped_policies
from workflow.quality.models import ENTRY, TICKET
from workflow.settings import get_settings

MOST = 60.0  # seconds between cause and alarm
FIVE = ("chain", "backup", "reading", "lockout", "red")
LOOK_OUT = "import workers.alarming; from workers.__main__ import main; import sys; sys.argv[1:] = ['clock']; main()"
look_out = LOOK_OUT


@contextmanager
def looked_for_every_ten_minutes() -> Iterator[None]:
    """A clock that looks for alarms once in ten minutes."""
    global look_out
    look_out = LOOK_OUT.replace("workers.alarming;", "workers.alarming; workers.alarming.EVERY = 600.0;", 1)
    try:
        yield
    finally:
        look_out = LOOK_OUT


def _break_the_chain(engine: Engine) -> None:
    """As soon as the clock is not writing."""
    for _ in range(100):
        try:
            with inside(engine) as connection:
                intruder.take_away(connection, 10)
            return
        except OperationalError:
            time.sleep(0.2)
    raise AssertionError("the database is never free")


def _lose_the_backups(engine: Engine) -> None:
    """The log says that a backup was made, and there is none, nor can the embedded database's copier make one: its disk is gone."""
    disk = get_settings().backups()
    shutil.rmtree(disk, ignore_errors=True)
    disk.touch()
    with writing(engine) as session:
        session.execute(update(DailyJob).where(DailyJob.job == "backup").values(outcome={"backup": "lost"}))


def _no_backup_today(engine: Engine) -> None:
    """The day's backup counts as seen to, so that the clock makes none; nothing was made yet."""
    now = datetime.now(UTC)
    with writing(engine) as session:
        for day in (business_date(now) - timedelta(1), business_date(now)):
            done = DailyJob(business_date=day, job="backup", due_at=now, state="done", started_at=now, outcome={})
            session.add(done)


def _read_much(engine: Engine) -> None:
    now, many = datetime.now(UTC), shipped_policies().city.count("alarm.readings") + 1
    row = {"account": "curious0", "dataset": "person", "record_key": "P1", "reason": "核对", "at": now}
    with writing(engine) as session:
        session.execute(insert(SensitiveReading), [row] * many)


def _try_passwords(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(Account).values(locked_until=datetime.now(UTC) + LOCKED_FOR))


def _turn_red(engine: Engine) -> None:
    now, many = datetime.now(UTC), shipped_policies().city.count("alarm.reds") + 1
    today = business_date(now)
    problem = {"dataset": "person", "rule_id": "F01", "unit_id": 1, "level": "E", "present": True, "first_found_on": date(2026, 3, 1),
               "found_on": date(2026, 3, 1), "last_run_id": 1, "record_key": "P1"}  # fmt: skip
    with writing(engine) as session:
        rows = [problem | {"record_id": n} for n in range(1, many + 1)]
        tickets = session.scalars(insert(TICKET).returning(TICKET.c.id), rows).all()
        entries = [{"ticket_id": ticket, "unit_id": 1, "entered_on": today} for ticket in tickets]
        session.execute(insert(ENTRY), entries)


MADE: dict[str, Callable[[Engine], None]] = {
    "chain": _break_the_chain, "backup": _lose_the_backups, "reading": _read_much, "lockout": _try_passwords, "red": _turn_red,
}  # fmt: skip


def _told(engine: Engine) -> set[str]:
    with reading(engine) as session:
        keys = session.scalars(select(ROW.c.object_key).where(ROW.c.action == ACTION)).all()
    return {str(key).partition(":")[0] for key in keys}


@contextmanager
def _clock(engine: Engine, folder: Path) -> Iterator[None]:
    """The platform's clock on this database, as a process."""
    url = engine.url.render_as_string(hide_password=False)
    environment = os.environ | {"SANDENG_DATABASE_URL": url, "SANDENG_ENV": "test", "SANDENG_BACKUP_TOOL": "basebackup"}
    environment.pop("SANDENG_CLOCK", None)
    with (folder / "clock.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", look_out], env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _looked(folder: Path, engine: Engine) -> None:
    """Wait until the clock has begun and looked a first time, at nothing wrong."""
    from workflow.operations.models import Heartbeat

    until = time.monotonic() + 120
    while time.monotonic() < until:
        with reading(engine) as session:
            if session.get(Heartbeat, "clock") is not None:
                time.sleep(3)
                return
        time.sleep(0.2)
    raise AssertionError((folder / "clock.log").read_text(encoding="utf-8")[-500:])


@drill("五种告警", f"成因出现后 ≤ {MOST:.0f} s 告知", looked_for_every_ten_minutes)
def alarms(engine: Engine, folder: Path) -> Measured:
    """Every cause at once, each told by itself."""
    assert set(FIVE) <= set(CAUSES)
    fill(engine, 20)
    _no_backup_today(engine)
    long_ago = datetime.now(UTC) - timedelta(days=40)
    with writing(engine) as session:
        for n in range(shipped_policies().city.count("alarm.lockouts") + 1):
            create_account(session, name=f"curious{n}", person_name="某", now=long_ago, by="first")
    with _clock(engine, folder):
        _looked(folder, engine)
        early = _told(engine) & set(FIVE)
        began, seconds = time.monotonic(), dict[str, float]()
        for make in MADE.values():
            make(engine)
        while len(seconds) < len(FIVE) and time.monotonic() - began < MOST:
            seconds |= {
                cause: time.monotonic() - began for cause in _told(engine) if cause in FIVE and cause not in seconds
            }
            time.sleep(0.2)
    late = [CAUSES[cause] for cause in FIVE if cause not in seconds]
    slowest = max(seconds.values(), default=0.0)
    says = f"{len(seconds)} 种已告知，最慢 {slowest:.1f} s" + (f"；未告知：{'、'.join(late)}" if late else "")
    return Measured(says, not late and not early)
