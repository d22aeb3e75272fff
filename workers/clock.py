"""The clock: one active process fires due timers, runs the daily jobs in order and relays effects; others stand by and take over."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

import workflow.models  # noqa: F401  (declares every table)
from workers import alarming, anchoring, copier, daily, relay
from workers.lease import lease_on
from workers.signals import Stop
from workflow.clock import business_date, present
from workflow.db import writing
from workflow.engine.timers import fire_due
from workflow.heap import settle
from workflow.operations.daily import Slot
from workflow.operations.heartbeats import beat
from workflow.scoping import open_whole
from workflow.settings import get_settings

TICK = 0.5  # seconds between two looks at the timers
STAND_BY = 0.25  # seconds between two tries to become the active clock
BEAT_EVERY = 3.0  # seconds
LEAVE_WITHIN = 4.0  # seconds for a job or the relay to come to an end
LIVE = timedelta(hours=1)  # a job that is later than this is caught up: timers wait for it, so that days pass in order

log = logging.getLogger("sandeng.clock")


@dataclass
class Fired:
    """What one passage of time brought about."""

    timers: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    jobs: Counter[str] = field(default_factory=Counter)

    def fire(self, engine: Engine, until: datetime, keep_going: Callable[[], bool] = lambda: True) -> int:
        """Fire every timer due until then; returns how many fired."""
        result = fire_due(engine, until, keep_going=keep_going)
        self.timers.update(result.fired)
        self.failed += result.failed + result.pushed
        return sum(result.fired.values())


def pass_time(engine: Engine, until: datetime, start: date | None = None) -> Fired:
    """Everything that time brings until then, in order: each daily job after the timers due before it (办法10(一)).

    `start` is the first business date of a platform that has not run any daily job (default: that of `until`).
    """
    fired = Fired()
    while pending := daily.next_job(engine, until, start=start):
        fired.fire(engine, pending.due_at)
        done = daily.run_job(engine, pending, until)
        fired.jobs[pending.job] += done
        fired.failed += not done
    fired.fire(engine, until)
    return fired


def fire(until: datetime) -> dict[str, Any]:
    """`sandeng fire`: pass time up to a moment, as a report."""
    engine, began = open_whole(get_settings()), time.monotonic()
    fired = pass_time(engine, until, business_date(min(present(), until)))
    engine.dispose()
    return {
        "until": until.isoformat(),
        "fired": dict(fired.timers),
        "jobs": dict(fired.jobs),
        "failed": fired.failed,
        "seconds": round(time.monotonic() - began, 3),
    }


def run(once: bool = False) -> None:
    """Run until asked to stop; with `once`, pass time up to the present and hand on the effects."""
    engine = open_whole(get_settings())
    stop = Stop()
    if once:
        pass_time(engine, present())
        relay.follow(engine, stop, once=True)
    else:
        settle()
        Clock(engine, stop, copying=engine.dialect.name == "sqlite").run()
    engine.dispose()


class Clock:
    """One clock process: standing by, or active with the lease in hand."""

    def __init__(
        self, engine: Engine, stop: Stop, slots: Sequence[Slot] | None = None, *, copying: bool = False
    ) -> None:
        """`copying`: follow the embedded database with the copier of its backup (办法18)."""
        self.engine = engine
        self.copying = copying
        self.stop = stop
        self.slots = slots
        self.lease = lease_on(engine)
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._relay: threading.Thread | None = None
        self._copier: threading.Thread | None = None
        self._anchors: threading.Thread | None = None
        self._alarms: threading.Thread | None = None
        self._job: threading.Thread | None = None
        self._job_is_late = False
        self._beaten = float("-inf")

    def run(self) -> None:
        """Tick while holding the lease, else try to get it. A database that is away is waited for."""
        while not self.stop.asked():
            try:
                if self.lease.hold():
                    self._tick()
                else:
                    self.stop.wait(STAND_BY)
            except OperationalError as error:
                log.warning("database unreachable: %s", error.orig)
                self.stop.wait(2.0)
        self._leave()

    def _tick(self) -> None:
        """One look at timers and daily jobs, then a wait until the next."""
        self._relay = self._relay or _thread("relay", relay.follow, self.engine, self.stop)
        if self.copying:
            self._copier = self._copier or _thread("copier", copier.follow, self.engine, self.stop)
        self._anchors = self._anchors or _thread("anchors", anchoring.follow, self.engine, self.stop)
        self._alarms = self._alarms or _thread("alarms", alarming.follow, self.engine, self.stop)
        now = present()
        busy = self._job is not None and self._job.is_alive()
        pending = None if busy else daily.next_job(self.engine, now, self.slots)
        if pending is not None:
            self._job_is_late = now - pending.due_at >= LIVE
            Fired().fire(self.engine, pending.due_at if self._job_is_late else now, self._going_on)
            self._job = _thread(pending.job, daily.run_job, self.engine, pending, now)
        elif not (busy and self._job_is_late):
            Fired().fire(self.engine, now, self._going_on)
        self._beat()
        self._rest()

    def _rest(self) -> None:
        """Until the next look: shorter when a job of a missed day ends, so that the days follow each other at once."""
        if self._job is not None and self._job.is_alive() and self._job_is_late:
            self._job.join(TICK)
        else:
            self.stop.wait(TICK)

    def _going_on(self) -> bool:
        self._beat()
        return not self.stop.asked()

    def _beat(self) -> None:
        if time.monotonic() - self._beaten >= BEAT_EVERY:
            with writing(self.engine) as session:
                beat(session, "clock", datetime.now(UTC), self.name)
            self._beaten = time.monotonic()

    def _leave(self) -> None:
        """Wait a little for what is under way; what is not done by then is done again by the next clock."""
        for thread in (self._job, self._relay, self._copier, self._anchors, self._alarms):
            if thread is not None:
                thread.join(LEAVE_WITHIN)
        self.lease.release()


def _thread(name: str, work: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
    thread.start()
    return thread
