"""From a fact to the moment its term has passed, with every day on the way and its reason. Nothing else counts working days."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from workflow.calendar.calendar import LAST, Day, WorkCalendar
from workflow.calendar.moments import local_midnight_utc
from workflow.errors import BadInput


class Pause(NamedTuple):
    """Days whose working days do not count, both ends included; `to_on` None while it lasts. `cause` is shown: 说明核准审核中."""

    cause: str
    from_on: dt.date
    to_on: dt.date | None = None


class DayCount(NamedTuple):
    """One day of a derivation: counted as working day `n`, or not counted and why."""

    date: dt.date
    counted: bool
    n: int | None
    why: str


@dataclass(frozen=True)
class Deadline:
    """The end of the n-th working day after day zero.

    `due_on` is the last day in time (Asia/Shanghai); `due_at` the UTC moment at which the term has passed: 00:00 of the next day.
    Both are None while an open pause keeps the term from being known. A term of 0 working days has passed as day zero begins.
    `days` runs from day zero to `due_on` without a gap (to the open pause's first counted-out day where `due_on` is None).
    """

    start: dt.date
    n: int
    due_on: dt.date | None
    due_at: dt.datetime | None
    provisional: bool
    days: tuple[DayCount, ...]
    calendar_version: str

    def as_json(self) -> dict[str, Any]:
        """For the command line and pages: dates as YYYY-MM-DD, the moment in UTC with offset."""
        return {
            "start_on": self.start.isoformat(),
            "n": self.n,
            "due_on": self.due_on.isoformat() if self.due_on else None,
            "due_at": self.due_at.isoformat() if self.due_at else None,
            "provisional": self.provisional,
            "calendar_version": self.calendar_version,
            "days": [
                {"date": day.date.isoformat(), "counted": day.counted, "n": day.n, "why": day.why} for day in self.days
            ],
        }


def deadline(
    start: dt.date, n: int, calendar: WorkCalendar, pauses: Sequence[tuple[str, dt.date, dt.date | None]] = ()
) -> Deadline:
    """The deadline n working days after start, with its derivation (办法10(一)；民法典201：开始的当日不计入).

    1. Day zero is `start`, working day or not; counting starts on the next working day of the calendar, make-up days included.
    2. Working days inside a pause are passed over; a pause that has not ended leaves the deadline open.
    3. The deadline is the end of the n-th counted day in Asia/Shanghai. n = 0: passed from the start, whatever the pauses.
    Without pauses the answer is remembered per (start, n, calendar). Raises BadInput for n < 0 or outside 1970–2099.
    """
    if n < 0:
        raise BadInput(f"工作日数不能为负：{n}")
    if not pauses or n == 0:
        return _plain(start, n, calendar)
    return _count(start, n, calendar, tuple(Pause(*pause) for pause in pauses))


def deadlines(starts: Iterable[dt.date], n: int, calendar: WorkCalendar) -> dict[dt.date, Deadline]:
    """The deadlines of many starts at once, one per distinct date: for mass steps."""
    return {start: _plain(start, n, calendar) for start in set(starts)}


@functools.lru_cache(maxsize=8192)
def _plain(start: dt.date, n: int, calendar: WorkCalendar) -> Deadline:
    return _count(start, n, calendar, ())


def _count(start: dt.date, n: int, calendar: WorkCalendar, pauses: tuple[Pause, ...]) -> Deadline:
    derivation = [DayCount(start, False, None, "起算当日，不计入")]
    provisional, counted, day = False, 0, start
    while counted < n:
        if day >= LAST:
            raise BadInput(f"自 {start} 起第 {n} 个工作日超出日历范围（至 {LAST}）")
        day += dt.timedelta(1)
        fact = calendar.is_working(day)
        provisional |= fact.provisional
        pause = _pause_on(day, pauses)
        if fact.working and not pause:
            counted += 1
        if pause and pause.to_on is None:
            derivation.append(DayCount(day, False, None, f"{pause.cause}，尚未结束，自本日起不计"))
            return Deadline(start, n, None, None, provisional, tuple(derivation), calendar.version)
        derivation.append(_explained(fact, counted, pause))
    due_at = local_midnight_utc(day + dt.timedelta(1) if n else day)
    return Deadline(start, n, day, due_at, provisional, tuple(derivation), calendar.version)


def _pause_on(day: dt.date, pauses: tuple[Pause, ...]) -> Pause | None:
    """The pause that holds on a day; one that has not ended comes first."""
    holding = [pause for pause in pauses if pause.from_on <= day and (pause.to_on is None or day <= pause.to_on)]
    return min(holding, key=lambda pause: pause.to_on is not None, default=None)


def _explained(fact: Day, counted: int, pause: Pause | None) -> DayCount:
    if not fact.working:
        return DayCount(fact.date, False, None, fact.why)
    if pause:
        return DayCount(fact.date, False, None, f"{pause.cause}不计")
    why = f"第{counted}个工作日" + fact.why.removeprefix("工作日").replace("调休上班", "，调休上班")
    return DayCount(fact.date, True, counted, why)
