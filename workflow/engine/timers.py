"""The clock's half of the engine: fires what has come due, each effect exactly once however many clocks run. One transaction a chunk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, or_, select, update
from sqlalchemy.orm import Session

from workflow.calendar.moments import local_midnight_utc
from workflow.clock import business_date
from workflow.db import analyze, snapshot_on, writing_on
from workflow.engine.actors import CLOCK
from workflow.engine.context import Request
from workflow.engine.models import CASE, TIMER
from workflow.engine.sets import among, grouped
from workflow.engine.steps import advance, lock_cases

HANDS = {"sqlite": 1, "postgresql": 2}  # connections at work at once: one where there is one writer
CHUNK = 700  # timers in one transaction at most
AHEAD = 40  # chunks whose timers are read at once: the sum of small readings would be a tenth of the night
FEWEST = 200  # and at least, where so many are due: with fewer, the cost of committing outweighs the work
HOLD = 0.025  # seconds of work for which a chunk may keep SQLite's only write lock from the user beside it
TRIES = 5
BACK_OFF = timedelta(minutes=1)  # doubled with every further try
BREATH = 0.003  # seconds between chunks on SQLite; who waits for the lock asks every millisecond
MANY = 3  # full chunks after which PostgreSQL counts its tables anew


class DueTimer(NamedTuple):
    """An armed timer whose moment has come."""

    id: int
    case_id: int
    process: str
    do: str
    attempts: int
    due_at: datetime


@dataclass
class FireResult:
    """What came due: fired by "process.action", pushed forward after an error, given up after five tries, dropped as overtaken."""

    fired: Counter[str] = field(default_factory=Counter)
    pushed: int = 0
    failed: int = 0
    overtaken: int = 0
    lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, action: str, fired: int, overtaken: int) -> None:
        """Counts a chunk of one action, "process.action"."""
        with self.lock:
            self.fired[action] += fired
            self.overtaken += overtaken

    def add_failure(self, given_up: bool) -> None:
        """Counts a timer that failed."""
        with self.lock:
            self.failed += given_up
            self.pushed += not given_up

    @property
    def touched(self) -> int:
        """How many timers are no longer where they were."""
        return sum(self.fired.values()) + self.pushed + self.failed + self.overtaken


def fire_due(
    engine: Engine, now: datetime, limit: int = CHUNK, *, keep_going: Callable[[], bool] = lambda: True
) -> FireResult:
    """Fires every timer due at `now`, in the order of their days, in transactions of at most `limit` timers.

    1. Reads the next due timers of one business date, many chunks ahead, and groups them by process and action.
    2. For each chunk of a group, in one transaction: locks the cases, then claims the timers by conditional UPDATE, takes the step
       with effective_at = due_at. A case that somebody holds right now waits for the next pass. On PostgreSQL two hands share what
       came due at one moment.
    3. A chunk that fails is halved until the failing timer is alone; that one is pushed forward, and after five tries
       marked failed for a person to see.

    `keep_going` is asked before each chunk, on PostgreSQL by both hands.
    """
    result = FireResult()
    with ExitStack() as opened:
        connections = [opened.enter_context(engine.connect()) for _ in range(HANDS[engine.dialect.name])]
        hands = [_Hand(connection, now, limit, keep_going, result) for connection in connections]
        while keep_going():
            before = result.touched
            due = next_due(connections[0], now, limit)
            for (process, do), timers in grouped(((timer.process, timer.do), timer) for timer in due).items():
                _share(hands, process, do, timers)
            if result.touched == before:
                break
    return result


def _share(hands: Sequence[_Hand], process: str, do: str, timers: Sequence[DueTimer]) -> None:
    """One hand works in the order of the timers; several where many share a moment, so that no order is lost."""
    queue = _Queue(timers)
    if len(timers) < 2 * hands[0].size or timers[0].due_at != timers[-1].due_at:
        hands = hands[:1]
    with ThreadPoolExecutor(len(hands)) as pool:
        work = [pool.submit(copy_context().run, hand.work, process, do, queue) for hand in hands[1:]]
        hands[0].work(process, do, queue)
        for other in work:
            other.result()


class _Queue:
    """What is left of the timers read ahead."""

    def __init__(self, timers: Sequence[DueTimer]) -> None:
        self._timers, self._taken, self._lock = timers, 0, Lock()

    def take(self, size: int) -> Sequence[DueTimer]:
        """The next timers; empty at the end."""
        with self._lock:
            first, self._taken = self._taken, self._taken + size
        return self._timers[first : first + size]


class _Hand:
    """One connection that fires chunks of timers, so that a user works beside it."""

    def __init__(
        self, connection: Connection, now: datetime, limit: int, keep_going: Callable[[], bool], result: FireResult
    ) -> None:
        self.connection, self.now, self.keep_going, self.result = connection, now, keep_going, result
        one_writer = connection.dialect.name == "sqlite"
        self.limit, self.full = limit, 0
        self.size = min(limit, FEWEST) if one_writer else limit  # the first chunk may be slow: nothing is cached yet

    def work(self, process: str, do: str, queue: _Queue) -> None:
        """Fires chunk by chunk until nothing is left."""
        while self.keep_going() and (chunk := queue.take(self.size)):
            self._after(len(chunk), self._fire(process, do, chunk))

    def _fire(self, process: str, do: str, timers: Sequence[DueTimer]) -> float:
        """Fires one chunk, halving it where it fails; returns the seconds of work under its locks, 0 where it failed."""
        try:
            with writing_on(self.connection) as session:
                begun = time.perf_counter()
                fired, overtaken = _claim_and_step(session, process, do, timers, self.now)
                held = time.perf_counter() - begun
        except Exception as error:  # the night must outlive one bad case: whatever it raised is kept on its timer
            self.connection.rollback()
            if len(timers) == 1:
                self._push_forward(timers[0], f"{type(error).__name__}: {error}"[:1000])
                return 0.0
            half = len(timers) // 2
            self._fire(process, do, timers[:half])
            self._fire(process, do, timers[half:])
            return 0.0
        self.result.add(f"{process}.{do}", fired, overtaken)
        return held

    def _push_forward(self, timer: DueTimer, error: str) -> None:
        attempts = timer.attempts + 1
        given_up = attempts >= TRIES
        values = {
            "attempts": attempts,
            "last_error": error,
            "next_try_at": self.now + BACK_OFF * 2 ** (attempts - 1),
            "state": "failed" if given_up else "armed",
        }
        with writing_on(self.connection) as session:
            ours = update(TIMER).where(
                TIMER.c.id == timer.id, TIMER.c.state == "armed", TIMER.c.attempts == timer.attempts
            )
            if session.execute(ours.values(**values)).rowcount:  # type: ignore[attr-defined]
                self.result.add_failure(given_up)

    def _after(self, fired: int, held: float) -> None:
        if self.connection.dialect.name == "sqlite":
            self._fit(fired, held)
            time.sleep(BREATH)
            return
        self.full += fired == self.limit
        if self.full == MANY:
            self._count_anew()

    def _fit(self, fired: int, held: float) -> None:
        """The next chunk keeps SQLite's only write lock for HOLD seconds; a few timers tell nothing."""
        fewest = min(FEWEST, self.limit)
        if fired >= fewest and held > 0:
            self.size = max(fewest, min(self.limit, 2 * self.size, int(fired * HOLD / held)))

    def _count_anew(self) -> None:
        """Fresh statistics: a night's many timers share one moment, which those of the day before know nothing of."""
        with writing_on(self.connection) as session:
            analyze(session.connection(), "timer", "case_file")


def next_due(connection: Connection, now: datetime, limit: int) -> list[DueTimer]:
    """The first due timers: those of the first moment, unit by unit and AHEAD chunks of them; where these are few, the first of its
    whole business date in the order of their moments, at most `limit`.

    Whose unit is the same stand side by side in the indexes, and a chunk tells a unit once.
    """
    armed = [TIMER.c.state == "armed", TIMER.c.next_try_at <= now]
    with snapshot_on(connection) as session:
        first = session.scalar(select(TIMER.c.due_at).where(*armed).order_by(TIMER.c.next_try_at, TIMER.c.id).limit(1))
        if first is None:
            return []
        rows = _due(session, [*armed, TIMER.c.due_at == first], AHEAD * limit, CASE.c.unit_id)
        if len(rows) * 10 >= limit:
            return rows
        end = local_midnight_utc(business_date(first) + timedelta(1))
        return _due(session, [*armed, TIMER.c.due_at < end], limit, TIMER.c.due_at)


def _due(
    session: Session, conditions: Sequence[ColumnElement[bool]], limit: int, order: ColumnElement[Any]
) -> list[DueTimer]:
    first = select(TIMER.c.id).where(*conditions).order_by(TIMER.c.next_try_at, TIMER.c.id).limit(limit)
    columns = select(TIMER.c.id, TIMER.c.case_id, CASE.c.process, TIMER.c.name, TIMER.c.attempts, TIMER.c.due_at)
    named = columns.join(CASE, CASE.c.id == TIMER.c.case_id).where(TIMER.c.id.in_(first))
    return [DueTimer._make(row) for row in session.execute(named.order_by(order, TIMER.c.id))]


class TimerRefused(Exception):
    """The guards of a step refused what the clock was to do."""


def _claim_and_step(
    session: Session, process: str, do: str, timers: Sequence[DueTimer], now: datetime
) -> tuple[int, int]:
    """How many timers fired, and how many had been overtaken (their case left the state by then)."""
    cases = lock_cases(session, process, sorted({timer.case_id for timer in timers}), skip_locked=True)
    locked = {case.id for case in cases}
    ours = [timer.id for timer in timers if timer.case_id in locked]
    if not ours:
        return 0, 0
    still_due = [TIMER.c.state == "armed", TIMER.c.next_try_at <= now]
    claim = update(TIMER).where(among(session, TIMER.c.id, ours), *still_due).values(state="fired", ended_at=now)
    claimed = set(session.scalars(claim.returning(TIMER.c.case_id)))
    due = [case for case in cases if case.id in claimed]
    moments: datetime | dict[int, datetime] = {timer.case_id: timer.due_at for timer in timers}
    if len(alike := {timer.due_at for timer in timers}) == 1:
        moments = alike.pop()
    moved = advance(session, due, Request(do, now, CLOCK, effective_at=moments, fired=True))
    guarded = [verdict for verdicts in moved.refused.values() for verdict in verdicts if verdict.guard != "state"]
    if guarded:
        raise TimerRefused("；".join(verdict.says for verdict in guarded if not verdict.holds))
    if moved.refused:
        overtaken = update(TIMER).where(
            among(session, TIMER.c.id, ours), among(session, TIMER.c.case_id, moved.refused)
        )
        session.execute(overtaken.values(state="cancelled"))
    return len(moved.moved), len(moved.refused)


def retry(session: Session, timer_id: int, now: datetime) -> None:
    """Arms a timer that had been given up once more, after a person has seen to its cause."""
    failed = update(TIMER).where(TIMER.c.id == timer_id, TIMER.c.state == "failed")
    session.execute(failed.values(state="armed", attempts=0, next_try_at=now))


def troubled(session: Session) -> list[dict[str, object]]:
    """Timers that failed or are being tried again, for a person to see."""
    columns = [
        TIMER.c.id,
        TIMER.c.case_id,
        CASE.c.process,
        CASE.c.title,
        TIMER.c.name,
        TIMER.c.due_at,
        TIMER.c.attempts,
    ]
    joined = select(*columns, TIMER.c.state, TIMER.c.last_error, TIMER.c.next_try_at).join(
        CASE, CASE.c.id == TIMER.c.case_id
    )
    trouble = or_(TIMER.c.state == "failed", (TIMER.c.state == "armed") & (TIMER.c.attempts > 0))
    return [dict(row) for row in session.execute(joined.where(trouble).order_by(TIMER.c.due_at)).mappings()]
