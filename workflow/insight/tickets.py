"""Lists of rectification tickets as a person may see them: filtered, sorted, counted, grouped. Reads only; one function a list."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, false, func, not_, or_, select, tuple_
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope
from workflow.engine.models import Case
from workflow.errors import BadInput
from workflow.insight.dimensions import rules_of
from workflow.insight.remembered import remembered, stamps
from workflow.quality.models import NegativeEntry, Ticket
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

READ = "ticket.read"
UNIT = TABLES["unit"].c
LIGHTS = ("red", "yellow", "none", "green")
SORTS: dict[str, Any] = {
    "deadline": Ticket.deadline_on,
    "found": Ticket.first_found_on,
    "rule": Ticket.rule_id,
    "unit": Ticket.unit_id,
}
STATES = {"open": "未整改", "closed": "已办结", "all": "全部"}
NO_DATE = 99991231  # sorts after every deadline
KEPT = 2000  # open tickets whose order is remembered for a list


# The clock of a yellow light without a due moment stands: an explanation is under review, or an appeal.
PAUSED = and_(Case.open, Case.light == "yellow", Case.due_at.is_(None))


@dataclass(frozen=True)
class TicketFilter:
    """What a list of tickets is narrowed to; every part may be empty. Unit means the unit with its subordinates, without them if
    `own`; batch 0 the records that no file brought."""

    state: str = "open"
    light: str = ""
    rule: str = ""
    group: str = ""
    level: str = ""
    dataset: str = ""
    unit: str = ""
    own: str = ""
    district: str = ""
    batch: int | None = None
    record: int | None = None
    found_from: date | None = None
    found_to: date | None = None
    due_to: date | None = None
    resolved_from: date | None = None
    resolved_to: date | None = None
    red_from: date | None = None
    red_to: date | None = None
    timely: str = ""
    dimension: str = ""
    text: str = ""
    ids: tuple[int, ...] = field(default=())

    def where(self, actor: Actor) -> list[ColumnElement[bool]]:
        """The conditions, the person's scope first."""
        return [
            in_scope(actor, READ, Ticket.unit_id),
            *self._state(),
            *self._plain(),
            *self._unit(),
            *self._red(),
            *self._text(),
        ]

    def _state(self) -> list[ColumnElement[bool]]:
        if self.state == "all" or self.light == "green":
            return []
        open_ = or_(Case.open, and_(Ticket.case_id.is_(None), Ticket.present))
        return [open_] if self.state == "open" else [~open_]

    def _plain(self) -> list[ColumnElement[bool]]:
        light = func.coalesce(Case.light, "none")
        conditions: list[tuple[Any, Callable[[Any], ColumnElement[bool]]]] = [
            (self.light, light.__eq__),
            (self.rule, Ticket.rule_id.__eq__),
            (self.group, lambda group: Ticket.rule_id.startswith(group, autoescape=True)),
            (self.level, Ticket.level.__eq__),
            (self.dataset, Ticket.dataset.__eq__),
            (self.district, UNIT.district_code.__eq__),
            (self.batch, lambda batch: Ticket.batch_id == batch if batch else Ticket.batch_id.is_(None)),
            (self.record, Ticket.record_id.__eq__),
            (self.found_from, Ticket.first_found_on.__ge__),
            (self.found_to, Ticket.first_found_on.__le__),
            (self.due_to, lambda day: and_(Ticket.deadline_on <= day, not_(PAUSED))),
            (self.resolved_from, Ticket.resolved_on.__ge__),
            (self.resolved_to, Ticket.resolved_on.__le__),
            (self.timely, _timely),
            (self.dimension, lambda dimension: Ticket.rule_id.in_(rules_of(dimension))),
            (self.ids, Ticket.id.in_),
        ]
        return [condition(given) for given, condition in conditions if given not in ("", None, ())]

    def _red(self) -> list[ColumnElement[bool]]:
        """Turned red between two days: each red light is one entry of the negative list (办法10(一))."""
        if self.red_from is None and self.red_to is None:
            return []
        entered = select(NegativeEntry.ticket_id)
        if self.red_from is not None:
            entered = entered.where(NegativeEntry.entered_on >= self.red_from)
        if self.red_to is not None:
            entered = entered.where(NegativeEntry.entered_on <= self.red_to)
        return [Ticket.id.in_(entered)]

    def _unit(self) -> list[ColumnElement[bool]]:
        if not self.unit:
            return []
        if self.own:
            return [UNIT.unit_code == self.unit]
        root = select(UNIT.id).where(UNIT.unit_code == self.unit).scalar_subquery()
        return [Ticket.unit_id.in_(select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == root))]

    def _text(self) -> list[ColumnElement[bool]]:
        if not self.text:
            return []
        words = [
            Ticket.record_key.startswith(self.text, autoescape=True),
            Ticket.rule_id == self.text.upper(),
            Case.title.contains(self.text, autoescape=True),
            UNIT.name.contains(self.text, autoescape=True),
        ]
        if self.text.isascii() and self.text.isdigit() and len(self.text) < 15:
            words.append(Ticket.id == int(self.text))
        return [or_(*words)]


def _timely(wanted: str) -> ColumnElement[bool]:
    """Resolved by the end of the last day in time, or after it."""
    return Ticket.resolved_on <= Ticket.deadline_on if wanted == "yes" else Ticket.resolved_on > Ticket.deadline_on


COLUMNS = (
    Ticket.id,
    Ticket.case_id,
    Ticket.rule_id,
    Ticket.dataset,
    Ticket.record_id,
    Ticket.record_key,
    Ticket.part,
    Ticket.level,
    Ticket.field,
    Ticket.facts,
    Ticket.present,
    Ticket.first_found_on,
    Ticket.found_on,
    Ticket.deadline_on,
    Ticket.red_on,
    Ticket.resolved_on,
    Ticket.resolved_how,
    Ticket.recurrences,
    Ticket.batch_id,
    Ticket.unit_id,
    UNIT.unit_code,
    UNIT.name.label("unit_name"),
    func.coalesce(Case.light, "none").label("light"),
    Case.state,
    Case.title,
    Case.assignee,
    Case.open,
    Case.version.label("case_version"),
    PAUSED.label("paused"),
)


def _joined(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(Ticket)
        .outerjoin(Case, Case.id == Ticket.case_id)
        .join(TABLES["unit"], UNIT.id == Ticket.unit_id)
    )


def tickets(
    session: Session,
    actor: Actor,
    wanted: TicketFilter,
    *,
    sort: str = "deadline",
    after: list[Any] | None = None,
    limit: int = 50,
) -> tuple[Sequence[Row[Any]], list[Any] | None]:
    """One page of tickets and the cursor of the next one (None on the last page).

    The default order is urgency: passed deadlines first, hints without a deadline last. `sort` may begin with a minus.
    """
    down, name = sort.startswith("-"), sort.lstrip("-")
    if name not in SORTS:
        raise BadInput(f"不能按“{name}”排序", known=list(SORTS))
    key = func.coalesce(SORTS[name], NO_DATE) if name == "deadline" else SORTS[name]
    order = (key.desc(), Ticket.id.desc()) if down else (key, Ticket.id)
    statement = _joined(*COLUMNS, key.label("sort_key"))
    rows: Sequence[Any] | None = _from_kept(session, actor, wanted, statement, sort, order, after, limit)
    if rows is None:
        statement = statement.where(*wanted.where(actor))
        if after:
            here, there = tuple_(key, Ticket.id), _cursor(after)
            statement = statement.where(here < there if down else here > there)
        rows = session.execute(statement.order_by(*order).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], [_plain(last.sort_key), last.id]


def _from_kept(
    session: Session,
    actor: Actor,
    wanted: TicketFilter,
    statement: Select[Any],
    sort: str,
    order: Sequence[Any],
    after: list[Any] | None,
    limit: int,
) -> list[Any] | None:
    """The rows of a page of open tickets from their remembered order; None where that does not reach, so that the database sorts.

    Sorting 20,000 open tickets for each glance at the first fifty is what would make the list slow.
    """
    narrow = all(held.scope == "unit" for held in actor.holding(READ))  # one unit's tickets are sorted in no time
    if narrow or wanted.state != "open" or wanted.text or wanted.ids or limit >= KEPT:
        return None

    def first_ids() -> array[int]:
        ordered = _joined(Ticket.id).where(*wanted.where(actor)).order_by(*order).limit(KEPT)
        return array("q", session.scalars(ordered))

    lights, units = stamps(session)
    ids = remembered(session, ("tickets", tuple(actor.holding(READ)), wanted, sort), (*lights, *units), first_ids)
    start = 0
    if after:
        _cursor(after)
        if after[1] not in ids:
            return None
        start = ids.index(after[1]) + 1
    page = ids[start : start + limit + 1]
    if len(page) <= limit and len(ids) == KEPT:
        return None
    found = {row.id: row for row in session.execute(statement.where(Ticket.id.in_(page)))}
    return [found[ticket_id] for ticket_id in page if ticket_id in found]


def _cursor(after: list[Any]) -> Any:
    if len(after) != 2 or not isinstance(after[1], int) or not isinstance(after[0], int | str):
        raise BadInput("翻页标记无效，请回到第一页")
    return tuple_(*after)


def _plain(value: Any) -> Any:
    return value.year * 10000 + value.month * 100 + value.day if isinstance(value, date) else value


def count(session: Session, actor: Actor, wanted: TicketFilter) -> int:
    """How many tickets the filter holds."""
    return session.scalar(_joined(func.count()).where(*wanted.where(actor))) or 0


def counts_by_light(session: Session, actor: Actor, wanted: TicketFilter) -> dict[str, int]:
    """How many tickets of each light the filter holds, whatever light it asks for itself.

    Green ones are closed: a list of open tickets counts them only where it asks for green, as its rows do.
    """
    found = _by_light(session, actor, replace(wanted, light=""))
    if wanted.light == "green" and wanted.state == "open":
        found = {**found, **_by_light(session, actor, wanted)}
    return {name: found.get(name, 0) for name in LIGHTS}


def _by_light(session: Session, actor: Actor, wanted: TicketFilter) -> dict[str, int]:
    light = func.coalesce(Case.light, "none")

    def counted() -> dict[str, int]:
        statement = _joined(light, func.count()).where(*wanted.where(actor)).group_by(light)
        return {row[0]: row[1] for row in session.execute(statement)}

    if wanted.text:
        return counted()
    lights, units = stamps(session)
    key = ("tickets by light", tuple(actor.holding(READ)), wanted)
    return remembered(session, key, (*lights, *units), counted)


def causes(session: Session, actor: Actor, wanted: TicketFilter, *, limit: int = 100) -> Sequence[Row[Any]]:
    """Tickets gathered by cause, rule × import batch: one wrong column of one file is one line, not a thousand."""
    columns = (
        Ticket.rule_id,
        Ticket.dataset,
        Ticket.batch_id,
        func.count().label("count"),
        func.count(func.distinct(Ticket.unit_id)).label("units"),
        func.sum(_one(Case.light == "red")).label("red"),
        func.sum(_one(Case.light == "yellow")).label("yellow"),
        func.min(Ticket.first_found_on).label("first_found_on"),
        func.min(Ticket.deadline_on).label("deadline_on"),
    )
    grouped = _joined(*columns).where(*wanted.where(actor)).group_by(Ticket.rule_id, Ticket.dataset, Ticket.batch_id)
    ordered = grouped.order_by(func.count().desc(), Ticket.rule_id).limit(limit)
    if wanted.text:
        return session.execute(ordered).all()
    lights, units = stamps(session)
    key = ("causes", tuple(actor.holding(READ)), wanted, limit)
    return remembered(session, key, (*lights, *units), lambda: session.execute(ordered).all())


def _one(condition: ColumnElement[bool]) -> Any:
    return case((condition, 1), else_=0)


def ticket_row(session: Session, actor: Actor, ticket_id: int) -> Row[Any] | None:
    """One ticket with its case and unit; None where it is not there or out of scope."""
    statement = _joined(*COLUMNS).where(Ticket.id == ticket_id, in_scope(actor, READ, Ticket.unit_id))
    return session.execute(statement).one_or_none()


def tickets_of_record(session: Session, dataset: str, record_id: int) -> Sequence[Row[Any]]:
    """Every ticket of one record, open ones first."""
    statement = _joined(*COLUMNS).where(Ticket.dataset == dataset, Ticket.record_id == record_id)
    return session.execute(
        statement.order_by(func.coalesce(Case.open, false()).desc(), Ticket.deadline_on, Ticket.id)
    ).all()
