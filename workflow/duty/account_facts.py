"""Facts about accounts, permissions, unused grants, sign-ins and passwords for the check-lists (办法15, 办法16). Reads only."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from workflow.access.accounts import in_force_on
from workflow.access.leaving import DORMANT, NEARLY
from workflow.access.models import Account, BreakGlass, Grant, KeyRotation, LoginSession, Revocation
from workflow.access.roles import roles
from workflow.audit.models import ROW
from workflow.clock import business_date
from workflow.duty.facts import Fact, Period, item, told_most

PASSWORD_LASTS = timedelta(days=90)
ENDING = timedelta(days=30)
MANY = 5  # refused sign-ins of one account in a period that deserve a look
NAMED = 10  # accounts named in a line; further ones are counted


def _count(session: Session, *conditions: Any) -> int:
    return session.scalar(select(func.count()).select_from(Account).where(*conditions)) or 0


@item("accounts", "账号")
def accounts(session: Session, period: Period) -> list[Fact]:
    """How many there are, what became of them in the period, and those that hardly anybody uses."""
    on = Account.disabled_on.is_(None)
    used = exists().where(LoginSession.account == Account.name, LoginSession.seen_at >= period.now - NEARLY)
    emergency = exists().where(BreakGlass.account == Account.name)
    old = func.coalesce(Account.enabled_at, Account.created_at) < period.now - NEARLY
    idle = _count(session, on, ~used, ~emergency, old)
    made, ended = (
        _count(session, period.holds(Account.created_at)),
        _count(session, period.holds_day(Account.disabled_on)),
    )
    again = _count(session, period.holds(Account.enabled_at))
    nobody = _count(session, on, Account.person_code.is_(None), Account.unit_id.is_not(None), ~emergency)
    entered = select(func.count(LoginSession.id)).join(BreakGlass, BreakGlass.account == LoginSession.account)
    glass = session.scalar(entered.where(period.holds(LoginSession.created_at))) or 0
    return [
        Fact(f"启用 {_count(session, on)} 个，停用 {_count(session, ~on)} 个；期间新建 {made} 个、停用 {ended} 个、重新启用 {again} 个"),
        Fact(f"超过 {NEARLY.days} 天未登录的启用账号 {idle} 个（满 {DORMANT.days} 天自动停用）", idle > 0),
        Fact(f"单位账号中未登记人员编码的 {nobody} 个，本人离开时不会自动停用", nobody > 0),
        Fact(f"应急账号期间登录 {glass} 次", glass > 0),
    ]  # fmt: skip


def _in_force(*columns: Any, on: Any) -> Select[Any]:
    return select(*columns).select_from(Grant).outerjoin(Revocation).where(in_force_on(on))


@item("permissions", "权限")
def permissions(session: Session, period: Period) -> list[Fact]:
    """Who holds what by number, what was given and taken, what excludes each other, what outlived its account."""
    by_role = {
        row[0]: row[1]
        for row in session.execute(_in_force(Grant.role, func.count(), on=period.today).group_by(Grant.role))
    }
    held = "、".join(f"{role.title} {by_role[name]}" for name, role in roles().items() if name in by_role)
    given = session.scalar(select(func.count(Grant.id)).where(period.holds(Grant.granted_at))) or 0
    taken = session.scalar(select(func.count(Revocation.grant_id)).where(period.holds(Revocation.at))) or 0
    ending = _in_force(func.count(), on=period.today).where(Grant.until_on <= period.today + ENDING)
    left = _in_force(func.count(), on=period.today).join(Account, Account.name == Grant.account)
    stale = session.scalar(left.where(Account.disabled_on.is_not(None))) or 0
    alone = select(func.count(Grant.id)).where(period.holds(Grant.granted_at), Grant.approved_by.is_(None))
    single = session.scalar(alone) or 0
    clashing = _clashing(session, period)
    return [
        Fact(f"生效授权：{held or '无'}"),
        Fact(f"期间授予 {given} 项、收回 {taken} 项，{ENDING.days} 天内到期 {session.scalar(ending) or 0} 项"),
        Fact(f"同时持有相互排斥角色的账号 {len(clashing)} 个{_names(clashing)}", bool(clashing)),
        Fact(f"账号已停用而授权仍在的 {stale} 项", stale > 0),
        Fact(f"期间授予而未经第二人批准的 {single} 项", single > 0),
    ]


def _clashing(session: Session, period: Period) -> list[str]:
    several = _in_force(Grant.account, on=period.today).group_by(Grant.account)
    several = several.having(func.count(func.distinct(Grant.role)) > 1)
    held: dict[str, set[str]] = {}
    for account, role in session.execute(
        _in_force(Grant.account, Grant.role, on=period.today).where(Grant.account.in_(several))
    ):
        held.setdefault(account, set()).add(role)
    excluded = {name: role.excludes for name, role in roles().items()}
    return sorted(a for a, names in held.items() if any(y in excluded[x] for x, y in combinations(sorted(names), 2)))


def _names(accounts: list[str]) -> str:
    more = "等" if len(accounts) > NAMED else ""
    return f"：{'、'.join(accounts[:NAMED])}{more}" if accounts else ""


@item("unused_grants", "未使用的授权")
def unused_grants(session: Session, period: Period) -> list[Fact]:
    """Grants given before the period whose holder did not sign in during it."""
    used = exists().where(
        LoginSession.account == Grant.account,
        LoginSession.seen_at >= period.begins,
        LoginSession.created_at < period.ends,
    )
    emergency = exists().where(BreakGlass.account == Grant.account)
    idle = _in_force(Grant.role, func.count(), on=period.today).join(Account, Account.name == Grant.account)
    idle = idle.where(Account.disabled_on.is_(None), Grant.from_on < period.first, ~used, ~emergency)
    by_role = {row[0]: row[1] for row in session.execute(idle.group_by(Grant.role))}
    told = "、".join(f"{role.title} {by_role[name]}" for name, role in roles().items() if name in by_role)
    return [Fact(f"期间从未使用的授权 {sum(by_role.values())} 项{'：' + told if told else ''}", bool(by_role))]


@item("failed_sign_ins", "登录失败")
def failed_sign_ins(session: Session, period: Period) -> list[Fact]:
    """Refused sign-ins as the audit chain has them, the accounts most concerned, what is locked now, use from two networks."""
    refused = select(ROW.c.object_key, func.count()).where(ROW.c.action == "session.refuse", period.holds(ROW.c.at))
    tried = {row[0]: row[1] for row in session.execute(refused.group_by(ROW.c.object_key))}
    known = set(session.scalars(select(Account.name).where(Account.name.in_([*tried][:5000]))))
    named = {name: n for name, n in tried.items() if name in known}
    unknown = sum(n for name, n in tried.items() if name not in known)
    often = {name: n for name, n in named.items() if n >= MANY}
    locked = _count(session, Account.locked_until > period.now)
    alarms = select(func.count()).select_from(ROW).where(ROW.c.action == "session.alarm", period.holds(ROW.c.at))
    networks = session.scalar(alarms) or 0
    return [
        Fact(f"被拒绝的登录 {sum(tried.values())} 次，其中不存在的账号 {unknown} 次"),
        Fact(f"失败 {MANY} 次及以上的账号 {len(often)} 个{'：' + told_most(often) if often else ''}", bool(often)),
        Fact(f"现被锁定的账号 {locked} 个", locked > 0),
        Fact(f"同一账号从两个网络使用的告警 {networks} 次", networks > 0),
    ]


@item("passwords", "口令和密钥")
def passwords(session: Session, period: Period) -> list[Fact]:
    """Passwords of the emergency accounts that are unset or too old, and the last change of the key of encrypted fields."""
    glasses = session.scalars(select(BreakGlass)).all()
    stale = [g.account for g in glasses if g.password_set_at is None or period.now - g.password_set_at > PASSWORD_LASTS]
    rotated = session.scalar(select(func.max(KeyRotation.finished_at)))
    told = business_date(rotated).isoformat() if rotated else "尚未更换过"
    return [
        Fact(f"应急账号 {len(glasses)} 个，密码未设或已满 {PASSWORD_LASTS.days} 天的 {len(stale)} 个{_names(stale)}", bool(stale)),
        Fact(f"最近一次更换加密密钥：{told}"),
    ]  # fmt: skip
