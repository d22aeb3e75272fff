"""The working days before the present, lived through: problems come, some are put right, the check runs, timers fire. Edge: it commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine

from workflow.calendar.calendar import WorkCalendar
from workflow.casework.weekly_audit import open_weeks_audits
from workflow.clock import SHANGHAI, business_date
from workflow.db import writing
from workflow.demo.agenda import act
from workflow.demo.bundle import Bundle
from workflow.demo.deciding import decide_proposals
from workflow.demo.doing import Doing
from workflow.demo.edits import Desk, only_values
from workflow.demo.errors.mechanism import Spoiled, key_of
from workflow.demo.explaining import APPROVED_ON, EXPLAINED_ON, approve_one, explain_some
from workflow.demo.spoiling import Spoiler
from workflow.engine.timers import fire_due
from workflow.periodic.monthly import open_due_months
from workflow.quality.daily import check_day
from workflow.quality.run import run_check

WORKING_DAYS = 12
CHECKED_AT, ACTED_AT, EDITED_AT, EXPLAINED_AT = time(7, 30), time(10, 0), time(15, 0), time(16, 30)  # Asia/Shanghai
DECIDED_ON = 3  # working days left until the present
COMES_LATER = 0.6  # share of the problems
COMES_AGAIN = 0.1  # share of those put right
SLOW_UNITS = 0.2  # share of the units that let things lie
# Share of problems that are put right, and working days at most until they are: prompt units, slow units.
PROMPT, SLOW = (0.92, 3), (0.4, 7)
Say = Callable[[str], None]


@dataclass
class Script:
    """Which problem comes on which working day, and which is put right on which; day 0 is the day of the first import. `evidence` goes with explanations."""

    seed: int
    evidence: dict[str, Any]
    days: int = WORKING_DAYS
    coming: defaultdict[int, list[Spoiled]] = field(default_factory=lambda: defaultdict(list))
    fixing: defaultdict[int, list[Spoiled]] = field(default_factory=lambda: defaultdict(list))

    def spread(self, made: Iterable[Bundle], spoiler: Spoiler) -> Iterator[Bundle]:
        """The spoiled bundles as they look on day 0: problems that come later are taken out again."""
        rng, seen = Random(f"{self.seed}/days"), 0
        for bundle in made:
            for spoiled in spoiler.done[seen:]:
                if self._plan(spoiled, rng) > 0:
                    _take_back(bundle, spoiled)
            seen = len(spoiler.done)
            yield bundle

    def _plan(self, spoiled: Spoiled, rng: Random) -> int:
        """The day on which a problem comes; notes when it is put right."""
        day = 0
        if only_values(spoiled.changes) and rng.random() < COMES_LATER:
            day = 1 + int(rng.random() ** 0.6 * (self.days - 1))
            self.coming[day].append(spoiled)
        share, patience = SLOW if Random(spoiled.unit).random() < SLOW_UNITS else PROMPT
        if rng.random() < share:
            fixed = day + 1 + rng.randrange(patience)
            self.fixing[fixed].append(spoiled)
            if only_values(spoiled.changes) and rng.random() < COMES_AGAIN:
                self.coming[fixed + 2].append(spoiled)
        return day


def _take_back(bundle: Bundle, spoiled: Spoiled) -> None:
    """Undo an error in the records themselves."""
    for change in reversed(spoiled.changes):
        record = next(r for r in bundle.sets[change.dataset] if key_of(change.dataset, r) == change.key)
        record.update(change.before or {})


def first_day(today: date, calendar: WorkCalendar, back: int = WORKING_DAYS) -> date:
    """The day so many working days before today."""
    day = today
    while back:
        day -= timedelta(days=1)
        back -= calendar.is_working(day).working
    return day


def live_through(
    engine: Engine, script: Script, start: date, now: datetime, calendar: WorkCalendar, say: Say
) -> dict[str, int]:
    """Every day from `start` to the day before the present, in order; today's own work is the clock's.

    Each morning the timers due, the daily check (办法10(一)) and what comes round; on working days what people do (agenda.py),
    then the day's edits and a check of what they changed. Returns counts.
    """
    counts = {"days": 0, "came": 0, "fixed": 0}
    day, working_day, opened = start, 0, False
    while day < business_date(now):
        counts["days"] += 1
        opened |= _morning(engine, day, first=day == start)
        if calendar.is_working(day).working:
            _forenoon(engine, day, working_day, script.evidence, month_opened=opened)
            opened = False
            counts["came"] += len(script.coming[working_day])
            counts["fixed"] += len(script.fixing[working_day])
            _afternoon(engine, day, script.fixing[working_day], script.coming[working_day])
            _evening(engine, day, script.days - working_day, script.evidence)
            working_day += 1
            say(f"演示数据：{day} 已校验（{working_day}/{script.days} 个工作日）")
        day += timedelta(days=1)
    fire_due(engine, datetime.combine(day, time(0), SHANGHAI))
    return counts


def _morning(engine: Engine, day: date, *, first: bool) -> bool:
    """Timers, the check, and the daily jobs of weekly audits and monthly reports. Returns whether reports were opened."""
    moment = datetime.combine(day, CHECKED_AT, SHANGHAI)
    fire_due(engine, moment)
    check_day(engine, day, moment, kind="full" if first else "incremental")
    with writing(engine) as session:
        open_weeks_audits(session, day, moment)
        return open_due_months(session, moment) > 0


def _forenoon(engine: Engine, day: date, working_day: int, evidence: dict[str, Any], *, month_opened: bool) -> None:
    with writing(engine) as session:
        doing = Doing(session, datetime.combine(day, ACTED_AT, SHANGHAI), evidence)
        act(doing, working_day, month_opened=month_opened)


def _afternoon(engine: Engine, day: date, fixed: list[Spoiled], came: list[Spoiled]) -> None:
    moment = datetime.combine(day, EDITED_AT, SHANGHAI)
    fire_due(engine, moment)
    with writing(engine) as session:
        for spoiled in fixed:
            Desk(session, spoiled.unit, moment, "对照原始材料更正（演示数据）").put_right(spoiled.changes)
        for spoiled in came:
            Desk(session, spoiled.unit, moment, "日常维护（演示数据）").spoil(spoiled.changes)
    if fixed or came:
        run_check(engine, day, moment + timedelta(minutes=5), by="demo")


def _evening(engine: Engine, day: date, left: int, evidence: dict[str, Any]) -> None:
    """Towards the end a few doubtful problems are explained, one explanation is approved, and proposals to suspend are decided."""
    moment = datetime.combine(day, EXPLAINED_AT, SHANGHAI)
    with writing(engine) as session:
        if left in EXPLAINED_ON:
            explain_some(session, moment, evidence)
        if left == APPROVED_ON:
            approve_one(session, moment)
        if left == DECIDED_ON:
            decide_proposals(session, moment)
