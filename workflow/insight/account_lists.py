"""Accounts and their grants as the security officers see them: the list with its marks, one account with everything about it (办法16). Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from workflow.access.accounts import in_force_on
from workflow.access.leaving import NEARLY, WHY, departed, last_used
from workflow.access.models import Account, AccountIdentity, BreakGlass, Grant, LoginSession, Revocation
from workflow.access.roles import role, roles
from workflow.access.scopes import Actor, in_scope
from workflow.clock import business_date
from workflow.engine.models import CASE
from workflow.engine.sets import grouped
from workflow.errors import BadInput
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES
from workflow.scoping import whole_view

MANAGE = "account.manage"
PAGE = 50
STATES = {
    "on": "启用", "off": "停用", "locked": "锁定", "dormant": f"满 {NEARLY.days} 天未登录", "left": "本人已离开", "bare": "没有授权",
}  # fmt: skip
UNIT = TABLES["unit"].c


@dataclass(frozen=True)
class AccountFilter:
    """What the list is narrowed to; every part may be empty. `unit`: a unit's code, its subordinates included."""

    text: str = ""
    state: str = ""
    role: str = ""
    unit: str = ""

    def where(self, actor: Actor, now: datetime) -> list[ColumnElement[bool]]:
        """The conditions, the person's reach first."""
        conditions = [in_scope(actor, MANAGE, Account.unit_id)]
        if self.text:
            columns = (Account.name, Account.person_name, Account.title)
            conditions.append(or_(*(column.contains(self.text, autoescape=True) for column in columns)))
        if self.state:
            conditions.append(_in_state(self.state, now))
        if self.role:
            conditions.append(_holding(business_date(now)).where(Grant.role == self.role).exists())
        if self.unit:
            root = select(UNIT.id).where(UNIT.unit_code == self.unit).scalar_subquery()
            below = select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == root)
            conditions.append(Account.unit_id.in_(below))
        return conditions


def _holding(on: date) -> Select[int]:
    held = select(Grant.id).outerjoin(Revocation, Revocation.grant_id == Grant.id)
    return held.where(Grant.account == Account.name, in_force_on(on)).correlate(Account)


def _in_state(state: str, now: datetime) -> ColumnElement[bool]:
    today = business_date(now)
    on = or_(Account.disabled_on.is_(None), Account.disabled_on > today)
    if state == "dormant":
        used = exists().where(LoginSession.account == Account.name, LoginSession.seen_at >= now - NEARLY)
        old = func.coalesce(Account.enabled_at, Account.created_at) < now - NEARLY
        return on & old & ~used
    gone = departed().subquery()
    return {
        "on": on,
        "off": ~on,
        "locked": Account.locked_until > now,
        "left": on & Account.name.in_(select(gone.c.name)),
        "bare": on & ~_holding(today).exists(),
    }[state]


@dataclass(frozen=True)
class Listed:
    """One account of the list: the row, its unit, its last use, the roles in force, what marks it."""

    account: Account
    unit_code: str
    unit_name: str
    used_at: datetime | None
    roles: tuple[str, ...]
    marks: tuple[str, ...]


def accounts(
    session: Session, actor: Actor, wanted: AccountFilter, now: datetime, *, after: Sequence[Any] | None = None
) -> tuple[list[Listed], list[Any] | None]:
    """One page of accounts by name, and the cursor of the next. Four statements."""
    if after and (len(after) != 1 or not isinstance(after[0], str)):
        raise BadInput("翻页标记无效，请回到第一页")
    query = (
        select(Account, UNIT.unit_code, UNIT.name.label("unit_name"), last_used().label("used_at"))
        .outerjoin(TABLES["unit"], UNIT.id == Account.unit_id)
        .where(*wanted.where(actor, now))
    )
    if after:
        query = query.where(Account.name > after[0])
    with whole_view(session):  # whose records say that they left: the officers see that word, not the records
        rows = session.execute(query.order_by(Account.name).limit(PAGE + 1)).all()
    shown = rows[:PAGE]
    names = [row.Account.name for row in shown]
    held, gone, glass = _roles_of(session, names, business_date(now)), _gone(session, names), _emergency(session, names)
    listed = [
        Listed(
            row.Account, row.unit_code or "", row.unit_name or "", row.used_at, held.get(row.Account.name, ()),
            marks_of(row.Account, row.used_at, gone.get(row.Account.name, ""), row.Account.name in glass, now),
        )
        for row in shown
    ]  # fmt: skip
    return listed, [names[-1]] if len(rows) > PAGE else None


def count_accounts(session: Session, actor: Actor, wanted: AccountFilter, now: datetime) -> int:
    """How many accounts the list has."""
    with whole_view(session):
        return session.scalar(select(func.count()).select_from(Account).where(*wanted.where(actor, now))) or 0


def _roles_of(session: Session, names: Collection[str], on: date) -> Mapping[str, tuple[str, ...]]:
    held = select(Grant.account, Grant.role).outerjoin(Revocation, Revocation.grant_id == Grant.id)
    held = held.where(Grant.account.in_(names), in_force_on(on)).order_by(Grant.id)
    by_name = grouped((row.account, role(row.role).title) for row in session.execute(held))
    return {name: tuple(dict.fromkeys(titles)) for name, titles in by_name.items()}


def _gone(session: Session, names: Collection[str]) -> dict[str, str]:
    found = departed().subquery()
    with whole_view(session):
        rows = session.execute(select(found.c.name, found.c.why).where(found.c.name.in_(names))).all()
    return {row[0]: WHY[row[1]] for row in rows}


def _emergency(session: Session, names: Collection[str]) -> set[str]:
    return set(session.scalars(select(BreakGlass.account).where(BreakGlass.account.in_(names))))


def marks_of(account: Account, used_at: datetime | None, gone: str, emergency: bool, now: datetime) -> tuple[str, ...]:
    """What an officer should see at a glance: off, locked, why it is nobody's, how long unused, for emergencies, for demonstration."""
    if account.disabled_on is not None and account.disabled_on <= business_date(now):
        return (f"{account.disabled_on} 停用", *((gone,) if gone else ()))
    since = max(used_at or account.created_at, account.enabled_at or account.created_at)
    idle = (now - since).days
    marks = [
        ("锁定", account.locked_until is not None and account.locked_until > now),
        (gone, bool(gone)),
        (f"{idle} 天未登录", idle >= NEARLY.days and not emergency),
        ("应急账号", emergency),
        ("演示账号", account.demo),
    ]
    return tuple(text for text, holds in marks if holds)


@dataclass(frozen=True)
class GrantRow:
    """A grant as a dated row: what, where, from and until, by whom and approved by whom; `standing`: 生效 or how it ended."""

    grant: Grant
    title: str
    place: str
    revoked: Revocation | None
    standing: str

    @property
    def in_force(self) -> bool:
        """Whether it holds today."""
        return self.standing == "生效"


def grants_of(session: Session, name: str, today: date) -> list[GrantRow]:
    """Every grant that an account was ever given, newest first."""
    query = (
        select(Grant, Revocation, UNIT.unit_code, UNIT.name.label("unit_name"))
        .outerjoin(Revocation, Revocation.grant_id == Grant.id)
        .outerjoin(TABLES["unit"], UNIT.id == Grant.unit_id)
        .where(Grant.account == name)
    )
    rows = session.execute(query.order_by(Grant.id.desc())).all()
    return [
        GrantRow(row.Grant, _title(row.Grant.role), _place(row), row.Revocation, _standing(row.Grant, row.Revocation, today))
        for row in rows
    ]  # fmt: skip


def _title(name: str) -> str:
    return roles()[name].title if name in roles() else name


def _place(row: Row[Any]) -> str:
    given: Grant = row.Grant
    return {"unit": f"{row.unit_name or ''} {row.unit_code or ''}".strip(), "district": given.district or ""}.get(
        given.scope, "平台"
    )


def _standing(given: Grant, revoked: Revocation | None, today: date) -> str:
    if revoked is not None and revoked.revoked_on <= today:
        return "已收回"
    if given.until_on is not None and given.until_on < today:
        return "已到期"
    return "生效" if given.from_on <= today else "尚未开始"


@dataclass(frozen=True)
class AccountPage:
    """One account with its unit, marks, identities, grants and the changes of it that wait for the second officer."""

    listed: Listed
    identities: Sequence[AccountIdentity]
    grants: list[GrantRow]
    waiting: Sequence[Row[Any]]


def account_page(session: Session, actor: Actor, name: str, now: datetime) -> AccountPage | None:
    """Everything about one account in reach; None for one that is not. Seven statements."""
    query = select(Account, UNIT.unit_code, UNIT.name.label("unit_name"), last_used().label("used_at"))
    query = query.outerjoin(TABLES["unit"], UNIT.id == Account.unit_id)
    row = session.execute(query.where(Account.name == name, in_scope(actor, MANAGE, Account.unit_id))).one_or_none()
    if row is None:
        return None
    today = business_date(now)
    gone = _gone(session, [name]).get(name, "")
    marks = marks_of(row.Account, row.used_at, gone, bool(_emergency(session, [name])), now)
    held = _roles_of(session, [name], today).get(name, ())
    bound = select(AccountIdentity).where(AccountIdentity.account == name).order_by(AccountIdentity.provider)
    return AccountPage(
        Listed(row.Account, row.unit_code or "", row.unit_name or "", row.used_at, held, marks),
        session.scalars(bound).all(), grants_of(session, name, today), _waiting(session, name),
    )  # fmt: skip


def _waiting(session: Session, name: str) -> Sequence[Row[Any]]:
    """The open changes of an account: id, title, opened_by, opened_at, state."""
    mine = CASE.c.data["form"]["account"].as_string() == name
    query = select(CASE.c.id, CASE.c.title, CASE.c.opened_by, CASE.c.opened_at, CASE.c.state)
    query = query.where(CASE.c.process == "grant_change", CASE.c.open, mine)
    rows: Any = session.execute(query.order_by(CASE.c.id.desc()).limit(PAGE)).all()
    return rows
