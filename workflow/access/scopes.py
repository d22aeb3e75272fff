"""Who may do what where: the Actor, the units in reach, the one question `may`. Scopes come from dated grants, never from the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    String,
    bindparam,
    cast,
    false,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from workflow.access.accounts import grants_in_force, in_force_on
from workflow.access.models import Account, Grant, LoginSession, Revocation, Substitution
from workflow.access.roles import administrators, role, roles_that_may
from workflow.access.sessions import ADMINISTRATORS_IDLE, FRESH, IDLE, run_out, token_hash
from workflow.clock import business_date
from workflow.db import YmdDate
from workflow.engine.sets import among
from workflow.errors import NotAllowed, NotFound
from workflow.prepared import Prepared
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

SUBSTITUTION = "substitution"  # the process by which roles are lent
LENT: Mapping[str, tuple[str, ...]] = {  # what a borrowed role brings along → for which processes (none named: for any)
    "case.read": (),
    "matter.read": (),
    "filing.begin": ("filing",),
    "ticket.read": ("filing", "explanation", "void_light"),
    "ticket.explain": ("explanation",),
    "ticket.void_request": ("void_light",),
    "monthly.read": ("monthly_report",),
}
CITY = "330200"  # GB/T 2260: 宁波市; its office sees every county (办法3 全市统筹、分级管理)


@dataclass(frozen=True)
class Held:
    """A role held over a scope: a unit with its subordinates, a district, or the platform."""

    role: str
    scope: str
    unit_id: int | None = None
    district: str | None = None

    @property
    def everywhere(self) -> bool:
        """Whether it reaches every unit of the city."""
        return self.scope == "platform" or self.district == CITY


@dataclass(frozen=True)
class Borrowed:
    """A role taken for somebody else: whose it is, over what, for which processes (none named: all)."""

    principal: str
    principal_name: str
    held: Held
    processes: tuple[str, ...] = ()

    def covers(self, process: str) -> bool:
        """Whether cases of the process are part of it; a substitution itself is never lent on."""
        return process != SUBSTITUTION and (not self.processes or process in self.processes)

    def lends(self, action: str) -> bool:
        """Whether the borrowed role brings that action along, for one of the processes that it was given for."""
        serves = LENT.get(action)
        return serves is not None and (not serves or any(self.covers(process) for process in serves))


@dataclass(frozen=True)
class Actor:
    """A signed-in person: account, name, the roles in force today, and those taken for others.

    What is borrowed counts for little by itself: it opens what its cases need (LENT), and `workflow.access.substitution` lets it act.
    """

    account: str
    person_name: str
    title: str
    unit_id: int | None
    district: str
    held: tuple[Held, ...]
    borrowed: tuple[Borrowed, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """Role names, each once, in the order of granting."""
        return tuple(dict.fromkeys(h.role for h in self.held))

    def has(self, role_name: str) -> bool:
        """Whether that role is held over any scope."""
        return role_name in self.roles

    def reach(self, session: Session, role: str, unit_ids: Set[int]) -> Set[int]:
        """Those of the units over which the role is held today; what the engine asks before each step."""
        return reached(session, [h for h in self.held if h.role == role], unit_ids)

    def everywhere(self, role: str) -> bool:
        """Whether the role is held for the whole city."""
        return any(h.role == role and h.everywhere for h in self.held)

    def inboxes(self) -> dict[str, Select[tuple[int]] | None]:
        """Role → the units over which it is held, None for all of them: whose open work the person sees."""
        return inboxes_of(self.held)

    def holding(self, action: str) -> list[Held]:
        """The held roles that allow an action."""
        allowing = roles_that_may(action)
        lent = [one.held for one in self.borrowed if one.lends(action)]
        return [h for h in (*self.held, *lent) if h.role in allowing]


def inboxes_of(held: Sequence[Held]) -> dict[str, Select[tuple[int]] | None]:
    """Role → the units over which it is among the held ones, None for all of them."""
    by_role: dict[str, list[Held]] = {}
    for one in held:
        by_role.setdefault(one.role, []).append(one)
    return {name: None if any(h.everywhere for h in mine) else _units(mine) for name, mine in by_role.items()}


def actor_named(session: Session, account: str, now: datetime) -> Actor:
    """The Actor of an account. Raises NotFound for an unknown or disabled one."""
    found = session.get(Account, account)
    if found is None or (found.disabled_on and found.disabled_on <= business_date(now)):
        raise NotFound(f"没有账号 {account}，或账号已停用")
    return _actor(found, session.execute(_given(account, business_date(now))))


@dataclass(frozen=True)
class Signed:
    """A session row with the person behind it. `ended`: how it ended, empty while it opens the platform."""

    actor: Actor
    session_id: int
    seen_at: datetime
    proved_at: datetime
    way: str
    address: str
    elsewhere: str
    ended: str

    def fresh(self, now: datetime) -> bool:
        """Whether the person proved the identity within the last five minutes."""
        return now - self.proved_at <= FRESH


def signed_session(session: Session, token: str, now: datetime) -> Signed | None:
    """The session behind a token, in force or ended; None for an unknown token. One statement: it runs before every page."""
    on = business_date(now)
    rows = [_Row._make(row) for row in _signing().rows(session, {"token": token_hash(token), "on": on})]
    if not rows:
        return None
    row, (held, borrowed) = rows[0], _held(rows)
    actor = Actor(row.account, row.person_name, row.title, row.home, row.home_district, held, borrowed)
    disabled = row.disabled_on is not None and row.disabled_on <= on
    idle = ADMINISTRATORS_IDLE if administrators().intersection(actor.roles) else IDLE
    ended = row.ended_how or ("disabled" if disabled else run_out(row.created_at, row.seen_at, idle, now))
    return Signed(actor, row.session_id, row.seen_at, row.proved_at, row.way, row.address, row.elsewhere, ended)


class _Row(NamedTuple):
    """A session with its account and one role, own or borrowed; an account without any has one row of empty roles."""

    account: str
    person_name: str
    title: str
    home: int | None
    home_district: str
    disabled_on: date | None
    session_id: int
    created_at: datetime
    seen_at: datetime
    proved_at: datetime
    way: str
    address: str
    elsewhere: str
    ended_how: str | None
    role: str | None
    scope: str | None
    unit_id: int | None
    district: str | None
    principal: str | None
    name: str | None
    only: int | None
    processes: str | None


@cache
def _signing() -> Prepared:
    """The statement of `signed_session`, built once: account, session and roles for `token` on the day `on`."""
    row, there = LoginSession, LoginSession.token_hash == bindparam("token")
    account = select(row.account).where(there).correlate(None).scalar_subquery()
    given = _given(account, bindparam("on", type_=YmdDate)).subquery()
    who = (
        Account.name, Account.person_name, Account.title, Account.unit_id, Account.district, Account.disabled_on,
    )  # fmt: skip
    what = (row.id, row.created_at, row.seen_at, row.proved_at, row.way, row.address, row.elsewhere, row.ended_how)
    found = select(*who, *what, *given.c).join(row, row.account == Account.name).outerjoin(given, true()).where(there)
    return Prepared(found, ["token", "on"])


def _actor(account: Account, given: Iterable[Any]) -> Actor:
    held, borrowed = _held(given)
    return Actor(
        account=account.name,
        person_name=account.person_name,
        title=account.title,
        unit_id=account.unit_id,
        district=account.district,
        held=held,
        borrowed=borrowed,
    )


def _given(account: str | ScalarSelect[Any], on: date | BindParameter[date]) -> CompoundSelect[Any]:
    """The roles of an account and those that it takes for others. What the principal lost is lent no more."""
    nobody = [null().label("principal"), null().label("name"), null().label("only"), null().label("processes")]
    own = grants_in_force(account, on).add_columns(*nobody).order_by(None)
    sub = Substitution
    lent = (
        select(
            Grant.role, Grant.scope, Grant.unit_id, Grant.district, sub.principal, Account.person_name, sub.unit_id,
            cast(sub.processes, String),
        )
        .join(sub, (sub.principal == Grant.account) & (sub.role == Grant.role))
        .join(Account, Account.name == sub.principal)
        .outerjoin(Revocation, Revocation.grant_id == Grant.id)
        .where(sub.substitute == account, sub.from_on <= on, sub.until_on >= on, in_force_on(on))
        .where(or_(sub.ended_on.is_(None), sub.ended_on > on))
        .where(or_(Account.disabled_on.is_(None), Account.disabled_on > on))
    )  # fmt: skip
    return union_all(own, lent)


def _held(given: Iterable[Any]) -> tuple[tuple[Held, ...], tuple[Borrowed, ...]]:
    mine: list[Held] = []
    others: list[Borrowed] = []
    for row in given:
        if row.role is None:
            continue
        held = Held(row.role, row.scope, row.unit_id, row.district)
        if row.principal is None:
            mine.append(held)
            continue
        limited = held if row.only is None else Held(row.role, "unit", row.only, None)
        others.append(Borrowed(row.principal, row.name, limited, tuple(orjson.loads(row.processes or "[]"))))
    return tuple(mine), tuple(others)


def may(actor: Actor, action: str) -> bool:
    """Whether any held role allows the action somewhere; where exactly is `in_scope`'s and `require`'s question."""
    return bool(actor.holding(action))


def may_at(session: Session, actor: Actor, action: str, unit_id: int) -> bool:
    """Whether the action is allowed at that unit."""
    return bool(session.scalar(select(in_scope(actor, action, literal(unit_id)))))


def readable(session: Session, actor: Actor) -> Callable[[int], bool]:
    """Whether a unit's records may be read."""
    return lambda unit_id: may_at(session, actor, "record.read", unit_id)


def require(session: Session, actor: Actor, action: str, unit_id: int | None) -> None:
    """Raises NotFound for a unit out of reach (what one may not see does not exist), NotAllowed where the role lacks the action."""
    if not may(actor, action):
        raise NotAllowed
    if unit_id is None or not may_at(session, actor, action, unit_id):
        raise NotFound


def in_scope(actor: Actor, action: str, unit_id: ColumnElement[Any] | Any) -> ColumnElement[bool]:
    """The condition that a unit-id column lies within what the actor may do `action` on."""
    held = actor.holding(action)
    if not held:
        return false()
    if any(h.everywhere for h in held):
        return true()
    return unit_id.in_(visible_units(actor, action))


def visible_units(actor: Actor, action: str) -> Select[tuple[int]]:
    """The ids of the units on which the actor may do `action`: own unit and subordinates, own county, or all."""
    return _units(actor.holding(action))


def reached(session: Session, held: Sequence[Held], unit_ids: Set[int]) -> Set[int]:
    """Those of the units that lie within what is held."""
    if any(h.everywhere for h in held) or not held or not unit_ids:
        return set(unit_ids) if held else set()
    if len(held) == 1 and len(unit_ids) == 1:
        return {row[0] for row in _one_of(held[0].scope).rows(session, {"held": _root(held[0]), "unit": min(unit_ids)})}
    return set(session.scalars(_units(held).where(among(session, TABLES["unit"].c.id, unit_ids))))


def _root(held: Held) -> Any:
    return held.unit_id if held.scope == "unit" else held.district


@cache
def _one_of(scope: str) -> Prepared:
    """Whether one `unit` lies below the unit, or in the county, that is `held`: what each step of most people asks. Built once."""
    unit = TABLES["unit"].c
    if scope == "unit":
        below = (UnitClosure.ancestor_id == bindparam("held"), UnitClosure.descendant_id == bindparam("unit"))
        return Prepared(select(UnitClosure.descendant_id).where(*below), ["held", "unit"])
    inside = (unit.district_code == bindparam("held"), unit.id == bindparam("unit"))
    return Prepared(select(unit.id).where(*inside), ["held", "unit"])


def _units(held: Sequence[Held]) -> Select[tuple[int]]:
    unit = TABLES["unit"].c
    if any(h.everywhere for h in held):
        return select(unit.id)
    parts: list[ColumnElement[bool]] = []
    roots = sorted({h.unit_id for h in held if h.scope == "unit" and h.unit_id is not None})
    districts = sorted({h.district for h in held if h.scope == "district" and h.district is not None})
    if roots:
        parts.append(unit.id.in_(select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id.in_(roots))))
    if districts:
        parts.append(unit.district_code.in_(districts))
    return select(unit.id).where(or_(false(), *parts))


def holders(role_name: str, unit_id: int, on: date) -> Select[str]:
    """The accounts that hold a role over a unit itself, or over its county, on a day: to whom a notice goes.

    Who holds it over a superior unit is not told: each unit answers for itself (办法8).
    """
    role(role_name)
    unit = TABLES["unit"].c
    county = select(unit.district_code).where(unit.id == unit_id).scalar_subquery()
    return (
        select(Grant.account)
        .join(Account, Account.name == Grant.account)
        .outerjoin(Revocation, Revocation.grant_id == Grant.id)
        .where(Grant.role == role_name, in_force_on(on), or_(Account.disabled_on.is_(None), Account.disabled_on > on))
        .where(or_(Grant.unit_id == unit_id, Grant.district == county, Grant.scope == "platform"))
        .distinct()
    )
