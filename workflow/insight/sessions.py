"""Lists of sign-in sessions: one's own, and those open now for the security officers (办法16). Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from workflow.access.models import Account, LoginSession
from workflow.access.scopes import Actor, in_scope
from workflow.access.sessions import ABSOLUTE, IDLE


def sessions_of(session: Session, account: str, *, limit: int = 20) -> Sequence[LoginSession]:
    """The latest sessions of an account, newest first."""
    mine = select(LoginSession).where(LoginSession.account == account)
    return session.scalars(mine.order_by(LoginSession.created_at.desc(), LoginSession.id.desc()).limit(limit)).all()


def open_sessions(
    session: Session, actor: Actor, now: datetime, *, find: str = "", limit: int = 200
) -> Sequence[Row[Any]]:
    """The sessions in use (LoginSession, person_name, title) of the accounts that the person manages, the latest used first.

    `find`: an account, a name or an address.
    """
    row = LoginSession
    in_use = select(row, Account.person_name, Account.title).join(Account, Account.name == row.account)
    in_use = in_use.where(row.ended_at.is_(None), row.seen_at >= now - IDLE, row.created_at >= now - ABSOLUTE)
    in_use = in_use.where(in_scope(actor, "account.manage", Account.unit_id))
    if find:
        columns = (row.account, Account.person_name, row.address)
        in_use = in_use.where(or_(*(column.contains(find, autoescape=True) for column in columns)))
    rows: Any = session.execute(in_use.order_by(row.seen_at.desc(), row.id.desc()).limit(limit)).all()
    return rows


def manages_session(session: Session, actor: Actor, session_id: int) -> bool:
    """Whether a session is one of the accounts that the person manages."""
    mine = select(LoginSession.id).join(Account, Account.name == LoginSession.account)
    mine = mine.where(LoginSession.id == session_id, in_scope(actor, "account.manage", Account.unit_id))
    return session.scalar(mine) is not None
