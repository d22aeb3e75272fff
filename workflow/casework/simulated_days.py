"""What a simulated day brought, read from the history rows it wrote in the copy. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.orm import Session

from workflow.casework.holds import in_force
from workflow.casework.models import HOLD
from workflow.db import reading
from workflow.engine.models import CASE, HISTORY
from workflow.engine.sets import among
from workflow.quality.models import ENTRY
from workflow.quality.negative_list import STANDING
from workflow.registry.models import UnitClosure
from workflow.registry.places import names_of

COUNTED = {  # (process, action) → figure of the day
    ("rectification", "open"): "opened",
    ("rectification", "recur"): "opened",
    ("rectification", "warn"): "yellow",
    ("rectification", "escalate"): "red",
    ("rectification", "resolve"): "green",
    ("reminder", "lapse"): "receipts_overdue",
}
LISTED = {("reminder", "open"), ("suspension", "open"), ("suspension", "confirm"), ("suspension", "end")}


@dataclass
class SimulatedDay:
    """What one day would bring: counts of tickets, units reminded, suspensions proposed, begun and ended, units that may not apply."""

    on: date
    opened: int = 0
    yellow: int = 0
    red: int = 0
    green: int = 0
    receipts_overdue: int = 0
    reminders: list[dict[str, Any]] = field(default_factory=list)
    suspensions: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    blocked_units: int = 0
    newly_blocked: list[str] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        """Whether nothing happens on it."""
        figures = (self.opened, self.yellow, self.red, self.green, self.receipts_overdue)
        return not (any(figures) or self.reminders or self.suspensions or self.ended or self.newly_blocked)


class Notes:
    """Goes through the copy day by day; what was noted before is not noted again. `units` narrows everything to some units."""

    def __init__(self, copy: Engine, today: date, units: Collection[int] | None = None) -> None:
        self.copy, self.units = copy, units
        with reading(copy) as session:
            self.seen = session.scalar(select(func.coalesce(func.max(HISTORY.c.id), 0))) or 0
            self.blocked = self._blocked(session, today)

    def of(self, day: date) -> SimulatedDay:
        """The day's figures and lists; lists name units by code."""
        noted = SimulatedDay(day)
        with reading(self.copy) as session:
            self._count(session, noted)
            blocked = self._blocked(session, day)
            fresh = sorted(code for code, _ in names_of(session, blocked - self.blocked).values())
        noted.blocked_units, noted.newly_blocked, self.blocked = len(blocked), fresh, blocked
        return noted

    def _count(self, session: Session, noted: SimulatedDay) -> None:
        columns = (CASE.c.process, HISTORY.c.do)
        joined = select(*columns, func.count()).join(CASE, CASE.c.id == HISTORY.c.case_id)
        before = self.seen
        self.seen = session.scalar(select(func.coalesce(func.max(HISTORY.c.id), 0))) or 0
        mine = joined.where(HISTORY.c.id > before, *self._mine(session, CASE.c.unit_id))
        for process, do, count in session.execute(mine.group_by(*columns)):
            figure = COUNTED.get((process, do))
            if figure:
                setattr(noted, figure, getattr(noted, figure) + count)
        _list(session, noted, HISTORY.c.id > before, *self._mine(session, CASE.c.unit_id))

    def _mine(self, session: Session, column: Any) -> list[ColumnElement[bool]]:
        return [] if self.units is None else [among(session, column, self.units)]

    def _blocked(self, session: Session, day: date) -> set[int]:
        """The units that may not apply on a day: a red light, a problem on the negative list, or a hold (standing_guards)."""
        red = select(CASE.c.unit_id).where(CASE.c.process == "rectification", CASE.c.open, CASE.c.light == "red")
        listed = select(ENTRY.c.unit_id).where(STANDING, ENTRY.c.fixed_on.is_(None))
        held = select(HOLD.c.unit_id).where(in_force(day))
        found = {unit_id for units in (red, listed, held) for unit_id in session.scalars(units.distinct())} - {None}
        return found if self.units is None else found & set(self.units)


def _list(session: Session, noted: SimulatedDay, *conditions: ColumnElement[bool]) -> None:
    columns = (CASE.c.id, CASE.c.process, HISTORY.c.do, CASE.c.unit_id, CASE.c.data)
    new = select(*columns).join(CASE, CASE.c.id == HISTORY.c.case_id).where(*conditions)
    consequent = new.where(CASE.c.process.in_(["reminder", "suspension"])).order_by(HISTORY.c.id)
    rows = [row for row in session.execute(consequent) if (row.process, row.do) in LISTED]
    names = names_of(session, [row.unit_id for row in rows]) if rows else {}
    sizes = _sizes(session, [row.unit_id for row in rows]) if rows else {}
    proposed = {row.id: _told(row, names, sizes) for row in rows if row.do == "open" and row.process == "suspension"}
    for row in rows:
        if row.do == "confirm":
            one = proposed.setdefault(row.id, _told(row, names, sizes))
            one["until"] = row.data["until_on"]
        elif row.do == "end":
            noted.ended.append(_told(row, names, sizes))
        elif row.process == "reminder":
            noted.reminders.append(_told(row, names, sizes))
    noted.suspensions = list(proposed.values())


def _told(row: Any, names: dict[int, tuple[str, str]], sizes: dict[int, int]) -> dict[str, Any]:
    code, name = names.get(row.unit_id, ("", ""))
    told = {"unit": code, "name": name, "streak": row.data.get("streak")}
    if row.process == "suspension":
        told |= {"months": row.data.get("months"), "units_bound": sizes.get(row.unit_id, 1), "until": None}
    return told


def _sizes(session: Session, unit_ids: list[int]) -> dict[int, int]:
    """Unit id → itself and everything below it, counted."""
    counted = select(UnitClosure.ancestor_id, func.count()).where(
        among(session, UnitClosure.ancestor_id, set(unit_ids))
    )
    return dict(session.execute(counted.group_by(UnitClosure.ancestor_id)).all())
