"""Accounts: creating, granting, revoking, disabling, checking a password. Writes access rows, beside sessions.py; no commit."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, NoReturn

from sqlalchemy import BindParameter, ColumnElement, ScalarSelect, Select, and_, insert, or_, select
from sqlalchemy.orm import Session

from workflow.access.models import Account, Grant, Revocation
from workflow.access.passwords import break_glass_of, expired, hash_password, matches
from workflow.access.roles import role
from workflow.access.second_factor import use_code
from workflow.access.sessions import end_all_sessions
from workflow.audit.notes import note, told
from workflow.clock import business_date
from workflow.engine.outbox import insert_new
from workflow.errors import BadInput, Conflict, NotFound, Refused

FAILURES_ALLOWED = 5
LOCKED_FOR = timedelta(minutes=30)

_unknown = hash_password(secrets.token_urlsafe(16))


class SignInFailed(Refused):
    """账号或密码不正确。"""


class CodeWrong(Refused):
    """动态口令不正确或已使用过，请等待下一个口令。"""


class AccountLocked(Refused):
    """连续五次未通过，账号已锁定三十分钟。"""


class PasswordExpired(Refused):
    """密码已满九十天，请先修改密码。"""


class AccountDisabled(Refused):
    """账号已停用，请联系机构编制部门的安全管理员。"""


def create_account(session: Session, *, name: str, person_name: str, now: datetime, by: str, **more: Any) -> Account:
    """One account, without any role yet. `password` is hashed; title, unit_id, district, demo are taken as they are.

    Raises Conflict for a name that is taken, also where somebody else is taking it at this moment.
    """
    if not name:
        raise BadInput("账号不能为空")
    password = more.pop("password", None)
    row = {"name": name, "person_name": person_name, "created_at": now, "created_by": by, **more}
    row["password_hash"] = hash_password(password) if password else None
    fresh = insert_new(session, Account, ["name"]).returning(Account.name)
    if not session.scalars(fresh, row).all():  # two at once: the later waits for the earlier and is refused
        raise Conflict(f"账号 {name} 已存在")
    account = session.get_one(Account, name)
    note(session, "account.create", at=now, actor=by, kind="account", key=name, unit_id=account.unit_id)
    return account


def grant(session: Session, *, account: str, role_name: str, scope: str, now: datetime, by: str, **more: Any) -> Grant:
    """Give a role from today on (办法16 分级管理、分类赋权). `unit_id` or `district` name the scope; `until_on` is the last day.

    `approved_by`, `case_id`: the second person and the case of a change approved by two (workflow.casework.granting).
    """
    if session.get(Account, account, with_for_update=True) is None:  # two grants at once: the later sees the earlier
        raise NotFound(f"没有账号 {account}")
    if role(role_name).scope != scope:
        raise BadInput(f"角色“{role(role_name).title}”的授权范围应为 {role(role_name).scope}")
    if more.get("approved_by") in (by, account):
        raise Refused("授权须由提出人和本人以外的另一人批准")
    _prove_compatible(session, account, role_name, business_date(now))
    more.setdefault("from_on", business_date(now))
    row = Grant(account=account, role=role_name, scope=scope, granted_at=now, granted_by=by, **more)
    session.add(row)
    session.flush()
    given = {"grant": row.id, "role": role_name, "scope": scope, "district": row.district, "until": row.until_on}
    given["approved_by"] = row.approved_by
    note(session, "account.grant", at=now, actor=by, kind="account", key=account, unit_id=row.unit_id, summary=given)
    return row


def _prove_compatible(session: Session, account: str, role_name: str, on: date) -> None:
    """Who runs, guards or audits the platform does no business, and nobody checks what they made themselves (办法16)."""
    if clash := clashing(session, account, role_name, on):
        raise Refused(f"“{role(role_name).title}”不得与“{'、'.join(clash)}”由同一人担任")


def clashing(session: Session, account: str, role_name: str, on: date) -> list[str]:
    """The titles of the roles held on a day that exclude another role, in order."""
    held = {row.role for row in session.execute(grants_in_force(account, on))}
    return sorted(role(name).title for name in held & role(role_name).excludes)


def revoke(
    session: Session, grant_id: int, *, now: datetime, by: str, reason: str, approved_by: str | None = None,
    case_id: int | None = None,
) -> None:  # fmt: skip
    """Take a grant back from today on; the grant itself stays as it was. `approved_by`, `case_id`: as in `grant`."""
    given = session.get(Grant, grant_id)
    if given is None:
        raise NotFound(f"没有编号为 {grant_id} 的授权")
    if session.get(Revocation, grant_id):
        raise Conflict("该授权已收回")
    second = {"approved_by": approved_by, "case_id": case_id}
    session.add(Revocation(grant_id=grant_id, revoked_on=business_date(now), by=by, reason=reason, at=now, **second))
    taken = {"grant": grant_id, "role": given.role, "reason": told(reason), "approved_by": approved_by}
    note(
        session,
        "account.revoke",
        at=now,
        actor=by,
        kind="account",
        key=given.account,
        unit_id=given.unit_id,
        summary=taken,
    )


def disable(session: Session, name: str, *, now: datetime, by: str = "system", why: str = "", reason: str = "") -> None:
    """Disable an account and end its sessions at once (办法16): one officer's act, for it only takes away.

    `why`: the word for a cause that the platform found; `reason`: what a person gave, told as a digest.
    """
    account = session.get(Account, name)
    if account is None:
        raise NotFound(f"没有账号 {name}")
    account.disabled_on = min(account.disabled_on or business_date(now), business_date(now))
    end_all_sessions(session, name, "disabled", now)
    summary = {**({"why": why} if why else {}), **({"reason": told(reason)} if reason else {})}
    note(
        session, "account.disable", at=now, actor=by, kind="account", key=name, unit_id=account.unit_id, summary=summary
    )


def enable(session: Session, name: str, *, now: datetime, by: str, approved_by: str = "") -> None:
    """Let a disabled account in again; its ninety days count from now."""
    account = session.get(Account, name)
    if account is None or account.disabled_on is None:
        raise NotFound(f"没有停用的账号 {name}")
    account.disabled_on, account.enabled_at = None, now
    forget_failures(account)
    second = {"approved_by": approved_by} if approved_by else None
    note(session, "account.enable", at=now, actor=by, kind="account", key=name, unit_id=account.unit_id, summary=second)


def authenticate(
    session: Session, name: str, password: str, *, now: datetime, production: bool = False, to_change: bool = False
) -> Account:
    """The account, if the password is right; in production those for emergencies alone have one that counts.

    Five failures lock for 30 minutes, counted in the row: the caller keeps the count even when this raises. `to_change`: a password
    past its 90 days is taken, to be changed. Raises SignInFailed, AccountLocked, AccountDisabled or PasswordExpired.
    """
    account = session.get(Account, name, with_for_update=True)  # failures that come together are counted one by one
    emergency = break_glass_of(session, name)
    if account is None or (production and (account.demo or emergency is None)):
        matches(_unknown, password)  # an unknown name costs as long as a wrong password
        refuse_sign_in(session, None, name, now, "unknown")
        raise SignInFailed
    _prove_not_locked(session, account, now)
    if not matches(account.password_hash or _unknown, password):
        fail(session, account, now, "password")
    prove_enabled(session, account, now)
    if emergency is not None and expired(emergency, now) and not to_change:
        refuse_sign_in(session, account, name, now, "expired")
        raise PasswordExpired
    if emergency is None:
        forget_failures(account)
    return account


def authenticate_code(session: Session, name: str, code: str, *, now: datetime) -> Account:
    """The account, if the one-time code is right: the second step of those for emergencies, after the password.

    Wrong codes count like wrong passwords. Raises CodeWrong, AccountLocked, AccountDisabled.
    """
    account = session.get_one(Account, name, with_for_update=True)
    _prove_not_locked(session, account, now)
    prove_enabled(session, account, now)
    if not use_code(session, name, code, now):
        fail(session, account, now, "code", CodeWrong)
    forget_failures(account)
    return account


def _prove_not_locked(session: Session, account: Account, now: datetime) -> None:
    if account.locked_until and account.locked_until > now:
        refuse_sign_in(session, account, account.name, now, "locked")
        raise AccountLocked


def prove_enabled(session: Session, account: Account, now: datetime) -> None:
    """Raises AccountDisabled, told, for an account that is."""
    if account.disabled_on and account.disabled_on <= business_date(now):
        refuse_sign_in(session, account, account.name, now, "disabled")
        raise AccountDisabled


def fail(session: Session, account: Account, now: datetime, why: str, error: type[Refused] = SignInFailed) -> NoReturn:
    """Count a failure; the fifth locks. Raises the error, or AccountLocked."""
    _count_failure(account, now)
    refuse_sign_in(session, account, account.name, now, "locks" if account.locked_until else why)
    raise AccountLocked if account.locked_until else error


def forget_failures(account: Account) -> None:
    """A sign-in that went through begins the count anew."""
    if account.failures or account.locked_until:
        account.failures, account.locked_until = 0, None


def refuse_sign_in(session: Session, account: Account | None, name: str, now: datetime, why: str) -> None:
    """Note a refused sign-in. An unknown name is told as a digest only: people type their password into the wrong field."""
    key, unit_id = (account.name, account.unit_id) if account else (told(name), None)
    note(
        session,
        "session.refuse",
        at=now,
        actor="",
        kind="account",
        key=key,
        unit_id=unit_id,
        result="refused",
        summary={"why": why},
    )


def _count_failure(account: Account, now: datetime) -> None:
    if account.locked_until:  # an old lock has run out
        account.failures, account.locked_until = 0, None
    account.failures += 1
    if account.failures >= FAILURES_ALLOWED:
        account.locked_until = now + LOCKED_FOR


def create_in_bulk(
    session: Session, accounts: Iterable[dict[str, Any]], grants: Iterable[dict[str, Any]]
) -> tuple[int, int]:
    """Many accounts and grants at once, for set-up; names that exist keep what they have. Returns how many of each were made."""
    known = set(session.scalars(select(Account.name)))
    fresh = [a for a in accounts if a["name"] not in known]
    names = {a["name"] for a in fresh}
    rows = [g for g in grants if g["account"] in names]
    if fresh:
        session.execute(insert(Account), fresh)
        session.execute(insert(Grant), rows)
        made = {"accounts": len(fresh), "grants": len(rows), "names": told(sorted(names))}
        by, at = fresh[0]["created_by"], fresh[0]["created_at"]
        note(session, "account.create", at=at, actor=by, kind="account", key=f"{len(fresh)} accounts", summary=made)
    return len(fresh), len(rows)


def in_force_on(day: date | BindParameter[date]) -> ColumnElement[bool]:
    """The condition that a Grant, outer-joined with its Revocation, holds on a day."""
    return and_(
        Grant.from_on <= day,
        or_(Grant.until_on.is_(None), Grant.until_on >= day),
        or_(Revocation.revoked_on.is_(None), Revocation.revoked_on > day),
    )


def grants_in_force(
    account: str | ScalarSelect[Any], on: date | BindParameter[date]
) -> Select[str, str, int | None, str | None]:
    """The statement for the grants of an account that hold on that day."""
    return (
        select(Grant.role, Grant.scope, Grant.unit_id, Grant.district)
        .outerjoin(Revocation, Revocation.grant_id == Grant.id)
        .where(Grant.account == account, in_force_on(on))
        .order_by(Grant.id)
    )
