"""Which days are working days and why. The table of notices rules; a year without a notice is provisional and always says so."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from workflow.calendar.notices import FOLDER, Notice, read_notices
from workflow.errors import BadInput

FIRST, LAST = dt.date(1970, 1, 1), dt.date(2099, 12, 31)
WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_BASE = FIRST.toordinal()

# 全国年节及纪念日放假办法: what the solar calendar alone fixes; lunar festivals and 调休 wait for the notice.
_FIXED = {(1, 1): "元旦", (5, 1): "劳动节", (10, 1): "国庆节", (10, 2): "国庆节", (10, 3): "国庆节"}
_FIXED_SINCE_2025 = _FIXED | {(5, 2): "劳动节"}  # 2024年修订


class Day(NamedTuple):
    """One date: working or not, the reason in Chinese, and whether the year's notice is still to come.

    `kind` is work, weekend, holiday or makeup; `name` the holiday and `notice` the notice number, empty where there is none.
    """

    date: dt.date
    working: bool
    why: str
    provisional: bool
    kind: str
    name: str = ""
    notice: str = ""


class WorkCalendar:
    """The working days of 1970–2099, immutable; `version` is the hash of what the notices say.

    Positions are arrays over all days, so that counting n working days is one subtraction and one look-up.
    """

    def __init__(self, notices: Mapping[int, tuple[Notice, ...]]) -> None:
        self._notices = {year: notices[year] for year in sorted(notices)}
        self.announced = frozenset(self._notices)
        self.version = hashlib.sha256(repr(self._notices).encode()).hexdigest()[:16]
        self._named = _days_named(self._notices)
        self._working = _working_flags(self._named, self.announced)
        self._facts: dict[dt.date, Day] = {}
        self._through = array("I")  # working days from FIRST through that day
        self._days = array("I")  # ordinals of the working days
        for position, working in enumerate(self._working):
            if working:
                self._days.append(_BASE + position)
            self._through.append(len(self._days))

    def __hash__(self) -> int:
        return hash(self.version)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkCalendar) and other.version == self.version

    def notices(self, year: int) -> tuple[Notice, ...]:
        """The year's notices in order of issue; none while the year is provisional."""
        return self._notices.get(year, ())

    def is_provisional(self, day: dt.date) -> bool:
        """Whether the notice for that day's year is still to come."""
        return day.year not in self.announced

    def is_working(self, day: dt.date) -> Day:
        """The day with its reason. Raises BadInput outside 1970–2099."""
        fact = self._facts.get(day)
        if fact is None:
            fact = self._facts[day] = self._judge(day)
        return fact

    def _judge(self, day: dt.date) -> Day:
        working = bool(self._working[self._position(day)])
        provisional = self.is_provisional(day)
        kind, name, notice = self._named.get(day.toordinal(), _unnamed(day, provisional))
        why = _reason(day, kind, name, notice)
        if provisional:
            why += f"（{day.year}年放假安排尚未公布，暂定）"
        return Day(day, working, why, provisional, kind, name, notice)

    def month(self, yyyymm: int) -> list[Day]:
        """Every day of a month, for the calendar page."""
        first = dt.date(yyyymm // 100, yyyymm % 100, 1)
        days = (first + dt.timedelta(step) for step in range(31))
        return [self.is_working(day) for day in days if day.month == first.month]

    def working_index(self, day: dt.date) -> int:
        """Working days from 1970-01-01 through that day: differences of it count working days."""
        return self._through[self._position(day)]

    def deadline_on(self, start: dt.date, n: int) -> dt.date:
        """The n-th working day after start (start itself is day zero; n = 0 gives start). No derivation, about 0.3 µs."""
        if n < 0:
            raise BadInput(f"工作日数不能为负：{n}")
        if n == 0:
            return start
        try:
            return dt.date.fromordinal(self._days[self._through[self._position(start)] + n - 1])
        except IndexError:
            raise BadInput(f"自 {start} 起第 {n} 个工作日超出日历范围（至 {LAST}）") from None

    def next_working_day(self, day: dt.date) -> dt.date:
        """The first working day after that day."""
        return self.deadline_on(day, 1)

    def working_days_between(self, start: dt.date, end: dt.date) -> int:
        """Working days after start up to and including end; negative when end is earlier. The inverse of deadline_on."""
        return self.working_index(end) - self.working_index(start)

    def _position(self, day: dt.date) -> int:
        position = day.toordinal() - _BASE
        if not 0 <= position < len(self._working):
            raise BadInput(f"日期 {day} 超出日历范围（{FIRST} 至 {LAST}）")
        return position


def load_calendar(folder: Path = FOLDER) -> WorkCalendar:
    """The calendar of a folder of YYYY.yaml files. Raises DefinitionError naming file and notice."""
    return WorkCalendar(read_notices(folder))


@functools.cache
def shipped_calendar() -> WorkCalendar:
    """The calendar that this release carries (definitions/calendars), loaded once per process."""
    return load_calendar()


def _days_named(notices: Mapping[int, tuple[Notice, ...]]) -> dict[int, tuple[str, str, str]]:
    named: dict[int, tuple[str, str, str]] = {}
    for notice in (notice for year in notices.values() for notice in year):
        for holiday in notice.holidays:
            named.update((day.toordinal(), ("holiday", holiday.name, notice.number)) for day in holiday.days())
        named.update((day.toordinal(), ("makeup", makes_up, notice.number)) for day, makes_up in notice.work)
    return named


def _working_flags(named: dict[int, tuple[str, str, str]], announced: frozenset[int]) -> bytearray:
    first_weekday = FIRST.weekday()
    week = bytes(1 if (first_weekday + step) % 7 < 5 else 0 for step in range(7))
    days = LAST.toordinal() - _BASE + 1
    flags = bytearray((week * (days // 7 + 1))[:days])
    for year in range(FIRST.year, LAST.year + 1):
        if year not in announced:
            for month, day in _fixed_holidays(year):
                flags[dt.date(year, month, day).toordinal() - _BASE] = 0
    for ordinal, (kind, _, _) in named.items():
        flags[ordinal - _BASE] = kind == "makeup"
    return flags


def _fixed_holidays(year: int) -> dict[tuple[int, int], str]:
    return _FIXED_SINCE_2025 if year >= 2025 else _FIXED


def _unnamed(day: dt.date, provisional: bool) -> tuple[str, str, str]:
    name = _fixed_holidays(day.year).get((day.month, day.day), "") if provisional else ""
    if name:
        return "holiday", name, ""
    return ("work" if day.weekday() < 5 else "weekend"), "", ""


def _reason(day: dt.date, kind: str, name: str, notice: str) -> str:
    if kind == "holiday":
        return f"{name}放假（{notice}）" if notice else name
    if kind == "makeup":
        return f"调休上班（{name}，{notice}）"
    return "工作日" if kind == "work" else WEEKDAYS[day.weekday()]
