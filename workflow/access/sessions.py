"""Sessions as rows: beginning, keeping alive, ending. One open session an account, a new one ends the old; no commit.

The browser holds a random token, the row its SHA-256. A row that has ended, idled out or outlived its eight hours opens nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from workflow.access.alarms import keep_alarm
from workflow.access.models import Account, Grant, LoginSession
from workflow.access.roles import administrators
from workflow.access.telling import tell_account, tell_security
from workflow.audit.notes import note
from workflow.clock import SHANGHAI
from workflow.errors import NotFound

IDLE = timedelta(minutes=15)
ADMINISTRATORS_IDLE = timedelta(minutes=10)
ABSOLUTE = timedelta(hours=8)
FRESH = timedelta(minutes=5)  # how long a proof of identity opens what is sensitive
WAYS = {"password": "密码", "zzd": "浙政钉", "oidc": "统一身份认证"}
ENDINGS = {
    "signed_out": "本人退出",
    "superseded": "在另一处登录",
    "revoked": "被收回",
    "disabled": "账号停用",
    "idle": "超时未操作",
    "expired": "满八小时",
}


class Begun(NamedTuple):
    """A new session: its token, which is kept nowhere on the server, and what it ended."""

    token: str
    ended: LoginSession | None


def begin_session(
    session: Session, account: str, *, now: datetime, address: str = "", agent: str = "", way: str = "password"
) -> Begun:
    """A new signed-in session of an account that has proved itself.

    An open session of the account ends (办法16 一人一号): both sides are told, and the security officers where the two are in use
    from different networks.
    """
    session.execute(select(Account.name).where(Account.name == account).with_for_update())  # one after the other
    ended = _supersede(session, account, address[:64], now)
    token = secrets.token_urlsafe(32)
    row = LoginSession(token_hash=token_hash(token), account=account, created_at=now, seen_at=now, proved_at=now)
    row.address, row.agent, row.way = address[:64], agent[:200], way
    session.add(row)
    session.flush()
    summary = {"session": session_digest(token), "way": way}
    note(session, "session.begin", at=now, actor=account, kind="account", key=account, summary=summary)
    return Begun(token, ended)


def _supersede(session: Session, account: str, address: str, now: datetime) -> LoginSession | None:
    """End the account's open session; returns it where it was still in use."""
    mine = select(LoginSession).where(LoginSession.account == account, LoginSession.ended_at.is_(None))
    old = session.scalars(mine).one_or_none()
    if old is None:
        return None
    over = run_out(old.created_at, old.seen_at, idle_limit(session, account), now)
    _end(session, LoginSession.id == old.id, over or "superseded", now)
    if over:
        return None
    at = f"{now.astimezone(SHANGHAI):%m月%d日 %H:%M}"
    says = f"前一会话（{old.address or '地址不明'}）已于 {at} 因在 {address or '地址不明'} 登录而结束；如非本人操作，请立即联系数据安全管理员。"
    tell_account(session, account, "session_superseded", "您的账号在另一处登录，前一会话已结束", says, f"{old.id}", now)
    if network_of(old.address) != network_of(address):
        _alarm(session, old.id, account, old.address, address, now)
    return old


def keep_alive(session: Session, session_id: int, *, address: str, now: datetime) -> None:
    """Note that an open session is in use now; from a second network, alarm once for each."""
    row = session.get(LoginSession, session_id, with_for_update=True)
    if row is None or row.ended_at is not None:
        return
    row.seen_at = max(row.seen_at, now)
    here = network_of(address)
    if here not in (network_of(row.address), network_of(row.elsewhere)):
        row.elsewhere = address[:64]
        _alarm(session, row.id, row.account, row.address, address, now)


def _alarm(session: Session, session_id: int, account: str, first: str, second: str, now: datetime) -> None:
    """Concurrent use from two networks: an audit entry and a notice to the security officers."""
    networks = {"networks": [network_of(first), network_of(second)]}
    note(
        session, "session.alarm", at=now, actor=account, kind="account", key=account, result="refused", summary=networks
    )
    says = f"账号 {account} 的会话先后在 {first or '地址不明'} 和 {second or '地址不明'} 使用，请向本人核实；不是本人的，停用账号。"
    keep_alarm(session, "networks", f"networks:{account}:{session_id}:{network_of(second)}", says, now, networks)
    tell_security(
        session,
        "session_networks",
        f"告警：账号 {account} 同时从两个网络使用",
        says,
        f"{session_id}:{network_of(second)}",
        now,
        link=f"/sessions?account={account}",
        urgent=True,
    )


def prove_anew(session: Session, session_id: int, now: datetime) -> None:
    """The person behind an open session has proved the identity once more."""
    open_one = update(LoginSession).where(LoginSession.id == session_id, LoginSession.ended_at.is_(None))
    for account in session.scalars(open_one.values(proved_at=now).returning(LoginSession.account)).all():
        note(session, "session.prove", at=now, actor=account, kind="account", key=account)


def end_session(session: Session, token: str, *, how: str, now: datetime) -> None:
    """End one session; ending an ended one does nothing."""
    _end(session, LoginSession.token_hash == token_hash(token), how, now)


def revoke_session(session: Session, session_id: int, *, by: str, now: datetime, reason: str = "") -> str:
    """End somebody's session at once and tell the person; returns the account. Raises NotFound where it is not open."""
    ended = _end(session, LoginSession.id == session_id, "revoked", now, by=by)
    if not ended:
        raise NotFound("该会话已经结束")
    says = f"收回人 {by}{'，理由：' + reason if reason else ''}。"
    tell_account(session, ended[0], "session_revoked", "您的会话已被收回", says, f"{session_id}", now)
    return ended[0]


def end_all_sessions(session: Session, account: str, how: str, now: datetime) -> None:
    """End every open session of an account."""
    _end(session, LoginSession.account == account, how, now)


def _end(session: Session, which: Any, how: str, now: datetime, by: str = "") -> list[str]:
    still = update(LoginSession).where(which, LoginSession.ended_at.is_(None)).returning(LoginSession.account)
    accounts = list(session.scalars(still.values(ended_at=now, ended_how=how)).all())
    for account in accounts:
        note(session, "session.end", at=now, actor=by or account, kind="account", key=account, summary={"how": how})
    return accounts


def run_out(created_at: datetime, seen_at: datetime, idle: timedelta, now: datetime) -> str:
    """How a session ended by itself: idle, expired (eight hours in all), or empty while it holds."""
    return "expired" if now - created_at > ABSOLUTE else "idle" if now - seen_at > idle else ""


def idle_limit(session: Session, account: str) -> timedelta:
    """Ten minutes for who ever was granted a role of those who run, guard or audit the platform, fifteen for everybody else."""
    administers = select(Grant.id).where(Grant.account == account, Grant.role.in_(administrators()))
    return ADMINISTRATORS_IDLE if session.scalar(administers.limit(1)) else IDLE


def network_of(address: str) -> str:
    """The network of an address: /24 of IPv4, /48 of IPv6; the text itself where it is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def token_hash(token: str) -> str:
    """What the row keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def session_digest(token: str) -> str:
    """What an audit entry tells of a session."""
    return token_hash(token)[:32]
