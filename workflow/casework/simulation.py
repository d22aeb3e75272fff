"""What happens if nobody acts until a day, or under another policy: the days lived through by the same code on a throw-away copy (办法20, 办法21)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Engine, func, select

from workflow.casework.copying import throw_away_copy
from workflow.casework.retiming import retime
from workflow.casework.simulated_days import Notes, SimulatedDay
from workflow.clock import SHANGHAI, business_date
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.registry import book, using
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import BadInput
from workflow.policy import Policies
from workflow.quality.daily import check_day
from workflow.quality.due import HORIZON
from workflow.quality.models import CHECK_RUN, Due
from workflow.quality.red_rounds import count_rounds
from workflow.registry.models import RecordVersion

LONGEST = 400  # days
LEADER = Person("simulation", {"leader": None})


@dataclass
class Simulation:
    """The days from today until the last, each with what it would bring."""

    begins_on: date
    until: date
    policy: str
    confirmed: bool
    days: list[SimulatedDay] = field(default_factory=list)

    @property
    def totals(self) -> dict[str, int]:
        """The sums over all days."""
        counted: Counter[str] = Counter()
        for day in self.days:
            figures = {name: getattr(day, name) for name in ("opened", "yellow", "red", "green", "receipts_overdue")}
            lists = {name: len(getattr(day, name)) for name in ("reminders", "suspensions", "ended")}
            counted.update(figures | lists)
        return dict(counted)

    def as_json(self) -> dict[str, Any]:
        """The object of `sandeng simulate --json`."""
        days = [asdict(day) for day in self.days]
        head = {"from": self.begins_on, "until": self.until, "policy": self.policy, "confirmed": self.confirmed}
        return head | {"totals": self.totals, "days": days}


def simulate(
    engine: Engine,
    now: datetime,
    until: date,
    *,
    policies: Policies | None = None,
    confirm: bool = False,
    units: Collection[int] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Simulation:
    """Lives from `now` through the end of `until` if nobody acts; `engine` is only read.

    `policies`: as if these held (terms that run are counted anew from their day zero). `confirm`: as if a leader confirmed each
    proposed suspension on its day. `units`: told of these only; lived through is the whole. Raises BadInput for a day that is past or more than 400 days away.
    """
    today = business_date(now)
    if not today <= until <= today + timedelta(LONGEST):
        raise BadInput(f"截止日期应在 {today} 至 {today + timedelta(LONGEST)} 之间")
    made = book() if policies is None else replace(book(), policies=policies)
    found = Simulation(today, until, made.policies.version, confirm)
    with throw_away_copy(engine) as copy, using(made):
        if policies is not None:
            with writing(copy) as session:
                retime(session, now)
        notes = Notes(copy, today, units)
        total = (until - today).days + 1
        for number in range(total):
            day = today + timedelta(number)
            _live(copy, day, now, confirm)
            found.days.append(notes.of(day))
            progress(number + 1, total)
    return found


def _live(copy: Engine, day: date, now: datetime, confirm: bool) -> None:
    """One day in order: timers of the night, the check at its hour (later, where the day has begun already), what remains of the day."""
    at = max(now, _moment(day, book().policies.city.time("job.full_check")))
    fire_due(copy, at)
    if _may_differ(copy, day):
        opened = check_day(copy, day, at, by="simulation").consequences
    else:
        with writing(copy) as session:
            opened = count_rounds(session, day, at)
    if confirm and any(one.process == "suspension" for one in opened):
        with writing(copy) as session:
            waiting = select(CASE.c.id).where(CASE.c.process == "suspension", CASE.c.state == "proposed")
            ids = list(session.scalars(waiting.where(CASE.c.subject.in_([one.subject for one in opened]))))
            require_moved(take_step(session, "suspension", "confirm", ids, now=at, actor=LEADER))
    fire_due(copy, max(now, _moment(day, time(23, 59, 59))))


def _may_differ(copy: Engine, day: date) -> bool:
    """Whether a check of that day may find anything but the last one: a change since, a due day that has come, a horizon passed."""
    with reading(copy) as session:
        runs = select(CHECK_RUN).where(CHECK_RUN.c.finished_at.is_not(None), CHECK_RUN.c.kind != "scoped")
        last = session.execute(runs.order_by(CHECK_RUN.c.id.desc()).limit(1)).one_or_none()
        full_on = session.scalar(select(func.max(CHECK_RUN.c.on)).where(CHECK_RUN.c.kind == "full"))
        if last is None or full_on is None or day > full_on + HORIZON:
            return True
        changed = session.scalar(select(RecordVersion.id).where(RecordVersion.id > last.watermark).limit(1))
        return (
            changed is not None or session.scalar(select(Due.record_id).where(Due.due_on <= day).limit(1)) is not None
        )


def _moment(day: date, at: time) -> datetime:
    return datetime.combine(day, at, SHANGHAI).astimezone(UTC)
