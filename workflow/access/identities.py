"""Who an identity provider's person is here: bindings, never by name and never by self-registration (办法16); states that come back once.

Rows only: what a provider says is heard and proved in `workflow.outside`.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from workflow.access.accounts import forget_failures, prove_enabled, refuse_sign_in
from workflow.access.models import Account, AccountIdentity, SignInAttempt
from workflow.audit.notes import note, told
from workflow.engine.outbox import insert_new
from workflow.errors import BadInput, Conflict, NotFound, Refused

VALID = timedelta(minutes=10)  # from leaving for the provider to coming back
KEPT = timedelta(days=1)  # that a used or forgotten state is remembered


class UnknownPerson(Refused):
    """您的身份尚未与本平台的账号绑定，请联系机构编制部门的数据安全管理员。"""


class AttemptRefused(Refused):
    """登录已失效或不是在本浏览器发起的，请重新登录。"""

    def __init__(self, why: str) -> None:
        self.why = why  # unknown | browser | used | late
        super().__init__(why=why)


def bind(session: Session, account: str, provider: str, subject: str, *, now: datetime, by: str) -> None:
    """Let a person of a provider sign in as an account. Raises NotFound, Conflict where either is bound already."""
    if session.get(Account, account, with_for_update=True) is None:  # two bindings at once: the later sees the earlier
        raise NotFound(f"没有账号 {account}")
    mine = select(AccountIdentity).where(AccountIdentity.account == account, AccountIdentity.provider == provider)
    if session.scalars(mine).one_or_none() is not None:
        raise Conflict(f"账号 {account} 已绑定一个身份，请先解除")
    row = {"provider": provider, "subject": subject, "account": account, "bound_at": now, "bound_by": by}
    fresh = insert_new(session, AccountIdentity, ["provider", "subject"]).returning(AccountIdentity.account)
    if not session.scalars(fresh, row).all():
        raise Conflict("该身份已与一个账号绑定（一人一号）")
    summary = {"way": provider, "subject": told(subject)}
    note(session, "account.bind", at=now, actor=by, kind="account", key=account, summary=summary)


def unbind(session: Session, account: str, provider: str, *, now: datetime, by: str) -> None:
    """Take a binding away. Raises BadInput where there is none."""
    mine = (AccountIdentity.account == account, AccountIdentity.provider == provider)
    if not session.execute(delete(AccountIdentity).where(*mine).returning(AccountIdentity.subject)).all():
        raise BadInput(f"账号 {account} 没有绑定该身份")
    note(session, "account.unbind", at=now, actor=by, kind="account", key=account, summary={"way": provider})


def recognised(session: Session, provider: str, subject: str, now: datetime) -> Account:
    """The enabled account of a proved person. Raises UnknownPerson or AccountDisabled, both told."""
    found = session.get(AccountIdentity, (provider, subject))
    if found is None:
        refuse_sign_in(session, None, subject, now, "unknown_person")
        raise UnknownPerson
    account = session.get_one(Account, found.account, with_for_update=True)
    prove_enabled(session, account, now)
    forget_failures(account)
    return account


def begin_attempt(session: Session, provider: str, *, now: datetime, session_id: int | None = None) -> tuple[str, str]:
    """A browser leaves for a provider: (state to be brought back, secret that stays in the browser's cookie)."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.begun_at < now - KEPT))
    state, secret = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    row = SignInAttempt(state_hash=_hash(state), provider=provider, browser_hash=_hash(secret), begun_at=now)
    row.session_id = session_id
    session.add(row)
    session.flush()
    return state, secret


def use_attempt(session: Session, provider: str, state: str, secret: str, now: datetime) -> SignInAttempt:
    """The state came back: used up by this, whatever comes of it. Raises AttemptRefused."""
    row = session.get(SignInAttempt, _hash(state))
    if row is None or row.provider != provider:
        raise AttemptRefused("unknown")
    if not secrets.compare_digest(row.browser_hash, _hash(secret)):
        raise AttemptRefused("browser")
    once = update(SignInAttempt).where(SignInAttempt.state_hash == row.state_hash, SignInAttempt.used_at.is_(None))
    if session.execute(once.values(used_at=now).returning(SignInAttempt.state_hash)).first() is None:
        raise AttemptRefused("used")
    if not timedelta() <= now - row.begun_at <= VALID:
        raise AttemptRefused("late")
    return row


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
