"""Local passwords: what a new one must be, the last ones, their 90 days, and the two accounts that may have one in production.

Everybody else signs in through an identity provider (办法16). The two are for emergencies; their number is a constraint of the table.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from workflow.access.alarms import keep_alarm
from workflow.access.models import Account, BreakGlass, PastPassword, SecondFactor
from workflow.access.telling import tell_security
from workflow.audit.notes import note
from workflow.errors import BadInput, NotFound, Refused

LENGTH = 12  # characters at least
LONGEST = 200
CLASSES = 3  # of capitals, small letters, digits, other characters
LIFETIME = timedelta(days=90)
REMEMBERED = 5  # the last passwords, none of which may come again
SLOTS = (1, 2)

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)  # OWASP's minimum for argon2id


def hash_password(password: str) -> str:
    """The argon2id hash of a password."""
    return _hasher.hash(password)


def matches(hashed: str, password: str) -> bool:
    """Whether a password is the one that was hashed."""
    try:
        return _hasher.verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def faults_of(password: str, account: str) -> list[str]:
    """What keeps a password from being taken, as sentences; none where it is good."""
    kinds = (str.isupper, str.islower, str.isdigit, lambda c: not c.isalnum())
    found = sum(any(kind(c) for c in password) for kind in kinds)
    name = account.partition("@")[0].lower()
    return [
        *([f"密码至少 {LENGTH} 个字符"] if len(password) < LENGTH else []),
        *([f"密码最长 {LONGEST} 个字符"] if len(password) > LONGEST else []),
        *(["大写字母、小写字母、数字、其他字符四类中至少要有三类"] if found < CLASSES else []),
        *(["密码不得包含账号"] if len(name) > 2 and name in password.lower() else []),
    ]


def set_password(session: Session, name: str, password: str, *, now: datetime, by: str) -> None:
    """Give an account for emergencies a new password. Raises BadInput with every fault, Refused for any other account."""
    row = _break_glass(session, name)
    if row is None:
        raise Refused("只有应急账号可以设置密码，其他人员通过浙政钉或统一身份认证登录")
    if faults := faults_of(password, name):
        raise BadInput("；".join(faults), errors=faults)
    mine = select(PastPassword).where(PastPassword.account == name).order_by(PastPassword.id.desc())
    past = list(session.scalars(mine))
    if any(matches(old.password_hash, password) for old in past[:REMEMBERED]):
        raise BadInput(f"不得使用最近 {REMEMBERED} 次用过的密码")
    account = session.get_one(Account, name)
    account.password_hash = hash_password(password)
    account.failures, account.locked_until = 0, None
    row.password_set_at = now
    session.add(PastPassword(account=name, password_hash=account.password_hash, set_at=now))
    if gone := [old.id for old in past[REMEMBERED - 1 :]]:
        session.execute(delete(PastPassword).where(PastPassword.id.in_(gone)))
    session.flush()
    note(session, "account.password", at=now, actor=by, kind="account", key=name)


def expired(row: BreakGlass, now: datetime) -> bool:
    """Whether a password is older than its 90 days."""
    return row.password_set_at is None or now - row.password_set_at > LIFETIME


def break_glass_of(session: Session, name: str) -> BreakGlass | None:
    """The slot of an account for emergencies; None for every other account."""
    return _break_glass(session, name)


def make_break_glass(session: Session, name: str, *, now: datetime, by: str) -> BreakGlass:
    """Let an account sign in with a password of its own in an emergency; there are two at most. Raises Refused, NotFound."""
    if session.get(Account, name) is None:
        raise NotFound(f"没有账号 {name}")
    taken = {row.slot: row.account for row in session.scalars(select(BreakGlass))}
    free = [slot for slot in SLOTS if slot not in taken]
    if name in taken.values():
        raise Refused(f"{name} 已是应急账号")
    if not free:
        raise Refused(f"应急账号最多 {len(SLOTS)} 个，现有 {'、'.join(sorted(taken.values()))}")
    row = BreakGlass(slot=free[0], account=name, given_at=now, given_by=by)
    session.add(row)
    session.flush()
    _tell(session, row, "设为应急账号，可用密码和动态口令登录", now, by, "break_glass")
    return row


def end_break_glass(session: Session, name: str, *, now: datetime, by: str) -> None:
    """Take the password and the second factor away again. Raises NotFound."""
    row = _break_glass(session, name)
    if row is None:
        raise NotFound(f"{name} 不是应急账号")
    session.get_one(Account, name).password_hash = None
    for kind in (PastPassword, SecondFactor):
        session.execute(delete(kind).where(kind.account == name))
    session.delete(row)
    session.flush()
    _tell(session, row, "不再是应急账号，密码和动态口令已作废", now, by, "break_glass_end")


def tell_use(session: Session, name: str, now: datetime) -> None:
    """An account for emergencies was signed in with: the security officers know at once."""
    says = "应急账号只在身份认证系统不能使用时登录，请核实缘由。"
    key = f"{name}:{now.isoformat()}"
    keep_alarm(session, "emergency", f"emergency:{key}", f"应急账号 {name} 已登录。{says}", now)
    link = f"/sessions?account={name}"
    tell_security(session, "break_glass_use", f"应急账号 {name} 已登录", says, key, now, link=link, urgent=True)


def _tell(session: Session, row: BreakGlass, says: str, now: datetime, by: str, verb: str) -> None:
    summary: dict[str, Any] = {"slot": row.slot}
    note(session, f"account.{verb}", at=now, actor=by, kind="account", key=row.account, summary=summary)
    key = f"{row.account}:{now.isoformat()}"
    tell_security(session, verb, f"账号 {row.account} {says}", f"办理人 {by}。", key, now, link="/sessions")


def _break_glass(session: Session, name: str) -> BreakGlass | None:
    return session.scalars(select(BreakGlass).where(BreakGlass.account == name)).one_or_none()
