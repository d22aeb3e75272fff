"""The list of security alarms: when, which cause, what, acknowledged by whom, the incident opened from it (办法19). Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from workflow.access.models import SecurityAlarm
from workflow.engine.models import CASE
from workflow.errors import BadInput

PAGE = 50
STATES = {"open": "未确认", "done": "已确认"}


@dataclass(frozen=True)
class AlarmFilter:
    """What the list is narrowed to; every part may be empty."""

    cause: str = ""
    state: str = ""
    text: str = ""

    def where(self) -> list[ColumnElement[bool]]:
        """The conditions."""
        row, conditions = SecurityAlarm, list[ColumnElement[bool]]()
        if self.cause:
            conditions.append(row.cause == self.cause)
        if self.state:
            conditions.append(
                row.acknowledged_at.is_(None) if self.state == "open" else row.acknowledged_at.is_not(None)
            )
        if self.text:
            conditions.append(or_(*(c.contains(self.text, autoescape=True) for c in (row.key, row.says))))
        return conditions


class ListedAlarm(NamedTuple):
    """An alarm, and the incidents reported from it (id, title, state)."""

    alarm: SecurityAlarm
    incidents: list[Row[Any]]


def alarms(
    session: Session, wanted: AlarmFilter, *, after: Sequence[Any] | None = None
) -> tuple[list[ListedAlarm], list[Any] | None]:
    """One page, newest first, and the cursor of the next. Two statements."""
    query = select(SecurityAlarm).where(*wanted.where())
    if after:
        if len(after) != 1 or not isinstance(after[0], int):
            raise BadInput("翻页标记无效，请回到第一页")
        query = query.where(SecurityAlarm.id < after[0])
    rows = session.scalars(query.order_by(SecurityAlarm.id.desc()).limit(PAGE + 1)).all()
    shown = rows[:PAGE]
    reported = _incidents(session, [row.key for row in shown])
    listed = [ListedAlarm(row, [case for case in reported if case.key == row.key]) for row in shown]
    return listed, [shown[-1].id] if len(rows) > PAGE else None


def _incidents(session: Session, keys: list[str]) -> Sequence[Row[Any]]:
    named = CASE.c.data["form"]["alarm"].as_string()
    query = select(CASE.c.id, CASE.c.title, CASE.c.state, named.label("key"))
    rows: Any = session.execute(query.where(CASE.c.process == "incident", named.in_(keys)).order_by(CASE.c.id)).all()
    return rows


def counts(session: Session, wanted: AlarmFilter) -> dict[str, int]:
    """State → how many alarms the list has, the state itself left aside."""
    narrowed = AlarmFilter(wanted.cause, "", wanted.text).where()
    given = select(func.count(), func.count(SecurityAlarm.acknowledged_at)).where(*narrowed)
    total, done = session.execute(given).one()
    return {"open": total - done, "done": done}
