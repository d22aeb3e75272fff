"""The inbox: cases whose turn is mine, my office's, all open ones, those that I worked on. No window of time hides open work. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, not_, or_, select, text, tuple_
from sqlalchemy.orm import Session

from workflow.access.roles import role, roles
from workflow.access.scopes import SUBSTITUTION, Actor, Borrowed, inboxes_of
from workflow.casework.handling_models import Snooze
from workflow.casework.seeing import readable
from workflow.clock import SHANGHAI
from workflow.db import UtcDateTime
from workflow.engine.definition import MIGRATE
from workflow.engine.inbox import in_reach
from workflow.engine.models import BY_PEOPLE, Case, CaseHistory
from workflow.errors import BadInput, NotFound
from workflow.insight.tickets import PAUSED, UNIT
from workflow.quality.models import Ticket
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

VIEWS = {
    "": "轮到我",
    "mine": "我办理中",
    "free": "无人办理",
    "later": "稍后",
    "office": "本单位在办",
    "all": "全部未结",
    "done": "我办过的",
}
COLUMNS = {  # what a list may show beside the title
    "light": "灯",
    "state": "状态",
    "unit": "单位",
    "due": "期限",
    "assignee": "办理人",
    "opened": "提出",
    "since": "状态自",
    "id": "编号",
}
USUAL = ("light", "state", "unit", "due", "assignee")
FAR = literal(datetime(9999, 12, 31, tzinfo=SHANGHAI), UtcDateTime())
URGENCY = case((Case.light == "red", 0), (Case.light == "yellow", 1), else_=2)
DUE = case((Case.light == "red", func.coalesce(Case.due_at, Case.state_since)), else_=func.coalesce(Case.due_at, FAR))


@dataclass(frozen=True)
class TaskFilter:
    """What the inbox is narrowed to. `unit`: code of a unit, its subordinates included; `due_to`: last day of the deadline, red included."""

    view: str = ""
    process: str = ""
    state: str = ""
    light: str = ""
    unit: str = ""
    text: str = ""
    due_to: date | None = None

    def where(self, actor: Actor, today: date) -> list[ColumnElement[bool]]:
        """Every condition."""
        plain = {Case.process: self.process, Case.state: self.state, Case.light: self.light}
        conditions = [_in_view(self.view, actor, today), *(column == value for column, value in plain.items() if value)]
        if self.unit:
            root = select(UNIT.id).where(UNIT.unit_code == self.unit).scalar_subquery()
            conditions.append(
                Case.unit_id.in_(select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == root))
            )
        if self.due_to:
            ends = datetime.combine(self.due_to + timedelta(1), time(), SHANGHAI)
            conditions.append(or_(Case.due_at <= ends, and_(Case.light == "red", Case.due_at.is_(None))))
        return [*conditions, *_says(self.text)]


def _in_view(view: str, actor: Actor, today: date) -> ColumnElement[bool]:
    if view == "done":
        return and_(Case.id.in_(_acted(actor.account)), not_(_my_turn(actor)), _visible(actor))
    if view == "all":
        return and_(Case.open, _visible(actor))
    if view == "office":
        return and_(Case.open, Case.inbox.in_(_beside(actor)), _visible(actor))
    turn = _my_turn(actor)
    if view == "mine":
        return and_(turn, Case.assignee == actor.account)
    if view == "free":
        return and_(turn, Case.assignee.is_(None))
    later = Case.id.in_(put_off(actor.account, today))
    return and_(turn, later if view == "later" else not_(later))


def _acted(account: str) -> Any:
    """The ids of the cases in which an account acted, or somebody on its behalf; to move thousands to a new version is no act in them."""
    did = select(CaseHistory.case_id).where(CaseHistory.actor == account, text(BY_PEOPLE), CaseHistory.do != MIGRATE)
    return did.union_all(select(CaseHistory.case_id).where(CaseHistory.on_behalf_of == account))


def _my_turn(actor: Actor) -> ColumnElement[bool]:
    own = in_reach(actor.inboxes())
    return and_(Case.open, or_(own, *(_for_another(one, actor.account) for one in actor.borrowed)))


def _for_another(one: Borrowed, account: str) -> ColumnElement[bool]:
    """What waits for a borrowed role, but what the person applied for."""
    named = Case.process.in_(one.processes) if one.processes else Case.process != SUBSTITUTION
    return and_(in_reach(inboxes_of([one.held])), Case.opened_by != account, named)


def _visible(actor: Actor) -> ColumnElement[bool]:
    return readable(actor)


def _beside(actor: Actor) -> list[str]:
    """The roles that are given over the same kind of place as the person's: the unit's own, or the office's own."""
    kinds = {role(name).scope for name in actor.roles}
    return sorted(name for name, each in roles().items() if each.scope in kinds)


def put_off(account: str, today: date) -> Any:
    """The ids of the cases that a person put off beyond today."""
    return select(Snooze.case_id).where(Snooze.account == account, Snooze.until_on > today)


def _says(wanted: str) -> list[ColumnElement[bool]]:
    if not wanted:
        return []
    named = select(UNIT.id).where(UNIT.name.contains(wanted, autoescape=True) | (UNIT.unit_code == wanted))
    words: list[ColumnElement[bool]] = [Case.title.contains(wanted, autoescape=True), Case.unit_id.in_(named)]
    words.append(Case.subject.startswith(wanted, autoescape=True))
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 15:
        words.append(Case.id == int(wanted))
    return [or_(*words)]


def my_tasks(
    session: Session,
    actor: Actor,
    wanted: TaskFilter,
    today: date,
    *,
    after: list[Any] | None = None,
    limit: int = 50,
) -> tuple[Sequence[Any], list[Any] | None]:
    """One page, most urgent first (what I worked on: the latest first), with the cursor of the next. Tickets carry rule, key and deadline."""
    chosen = select(Case.id, URGENCY.label("urgency"), DUE.label("due")).where(*wanted.where(actor, today))
    latest = wanted.view == "done"
    if after:
        chosen = chosen.where(_beyond(after, latest))
    order = (Case.state_since.desc(), Case.id.desc()) if latest else (URGENCY, DUE, Case.id)
    page = chosen.order_by(*order).limit(limit + 1).subquery()
    rows = session.execute(
        select(
            Case.id, Case.process, Case.state, Case.title, Case.light, Case.due_at, Case.opened_at, Case.assignee,
            Case.version, Case.inbox, Case.opened_by, Case.state_since, Ticket.id.label("ticket_id"), Ticket.rule_id,
            Ticket.record_key, Ticket.deadline_on, UNIT.unit_code, UNIT.name.label("unit_name"), page.c.urgency, page.c.due,
            PAUSED.label("paused"),
        )
        .join(page, page.c.id == Case.id)
        .outerjoin(Ticket, Ticket.case_id == Case.id)
        .outerjoin(TABLES["unit"], UNIT.id == Case.unit_id)
        .order_by(*((Case.state_since.desc(), Case.id.desc()) if latest else (page.c.urgency, page.c.due, Case.id)))
    ).all()  # fmt: skip
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    moment = last.state_since if latest else last.due
    return rows[:limit], [last.urgency, moment.isoformat(), last.id]


def _beyond(after: list[Any], latest: bool) -> ColumnElement[bool]:
    try:
        urgency, moment, case_id = int(after[0]), datetime.fromisoformat(after[1]), int(after[2])
    except (ValueError, TypeError, IndexError):
        raise BadInput("翻页标记无效，请回到第一页") from None
    if moment.tzinfo is None:
        raise BadInput("翻页标记无效，请回到第一页")
    at = literal(moment, UtcDateTime())
    if latest:
        return tuple_(Case.state_since, Case.id) < tuple_(at, literal(case_id))
    return tuple_(URGENCY, DUE, Case.id) > tuple_(literal(urgency), at, literal(case_id))


def chosen_tasks(session: Session, actor: Actor, wanted: TaskFilter, today: date, *, most: int) -> list[int]:
    """The ids of the whole list, as many as may be acted on together."""
    chosen = select(Case.id).where(*wanted.where(actor, today)).order_by(Case.id).limit(most)
    return list(session.scalars(chosen))


def counts_by_process(session: Session, actor: Actor, wanted: TaskFilter, today: date) -> dict[str, int]:
    """Process → cases that the list would show, whichever process it is narrowed to."""
    conditions = TaskFilter(**{**vars(wanted), "process": ""}).where(actor, today)
    counted = select(Case.process, func.count()).where(*conditions).group_by(Case.process)
    return {row[0]: row[1] for row in session.execute(counted)}


@dataclass(frozen=True)
class Turn:
    """How many cases wait for the person: all of them (the badge), those held, those free, those put off."""

    all: int
    mine: int
    free: int
    later: int

    @property
    def now(self) -> int:
        """What the default view lists."""
        return self.all - self.later


def turn(session: Session, actor: Actor, today: date) -> Turn:
    """The badge and its parts; one statement."""
    later = Case.id.in_(put_off(actor.account, today))
    parts = (Case.assignee == actor.account, Case.assignee.is_(None), later)
    sums = [func.coalesce(func.sum(case((part, 1), else_=0)), 0) for part in parts]
    return Turn(*session.execute(select(func.count(), *sums).where(_my_turn(actor))).one())


def require_my_turn(session: Session, actor: Actor, case_id: int) -> Case:
    """An open case that waits for one of the person's roles, for a unit that it is held for. Raises NotFound."""
    found = session.scalars(select(Case).where(Case.id == case_id, _my_turn(actor))).one_or_none()
    if found is None:
        raise NotFound
    return found
