"""The second factor of accounts with a password: time-based one-time codes (RFC 6238, RFC 4226). A code is used once; no commit."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher
from workflow.access.models import SecondFactor
from workflow.audit.notes import note

STEP = 30  # seconds
DIGITS = 6
SECRET = 20  # bytes, RFC 4226 §4 R6
DRIFT = 1  # steps that a clock may be fast or slow
ISSUER = "三灯"


def enrolled(session: Session, account: str) -> bool:
    """Whether the account has shown a code of its device once."""
    row = _row(session, account)
    return row is not None and row.confirmed_at is not None


def begin_enrolment(session: Session, account: str, now: datetime) -> None:
    """Draw a new secret, unless one is confirmed already; it counts once a code of it was shown."""
    if enrolled(session, account):
        return
    session.execute(delete(SecondFactor).where(SecondFactor.account == account))
    secret = base64.b32encode(secrets.token_bytes(SECRET)).decode()
    session.add(SecondFactor(account=account, secret_enc=field_cipher().seal(secret), begun_at=now, last_step=0))
    session.flush()


def enrolment_address(session: Session, account: str) -> str:
    """The otpauth:// address for the device; empty once it is confirmed, so that a secret is shown to nobody later."""
    row = _row(session, account)
    if row is None or row.confirmed_at is not None:
        return ""
    label, issuer = quote(f"{ISSUER}:{account}", safe=":@"), quote(ISSUER)
    secret = field_cipher().open(row.secret_enc)
    return f"otpauth://totp/{label}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}"


def use_code(session: Session, account: str, code: str, now: datetime) -> bool:
    """Whether the code is right now and was not used before; it is used up by this. The first right one confirms the device."""
    row = _row(session, account)
    step = matching_step(row, code, now) if row is not None else None
    if row is None or step is None:
        return False
    later = update(SecondFactor).where(SecondFactor.id == row.id, SecondFactor.last_step < step)
    used = later.values(last_step=step, confirmed_at=row.confirmed_at or now).returning(SecondFactor.id)
    done = session.execute(used).first() is not None
    if done and row.confirmed_at is None:
        note(session, "account.second_factor", at=now, actor=account, kind="account", key=account)
    session.expire(row)
    return done


def reset(session: Session, account: str, *, now: datetime, by: str) -> None:
    """Forget the device: it is enrolled anew at the next sign-in."""
    session.execute(delete(SecondFactor).where(SecondFactor.account == account))
    note(session, "account.second_factor_reset", at=now, actor=by, kind="account", key=account)


def matching_step(row: SecondFactor, code: str, now: datetime) -> int | None:
    """The time step to which a code belongs, among those within the drift."""
    if len(code) != DIGITS or not code.isascii() or not code.isdigit():
        return None
    key = base64.b32decode(field_cipher().open(row.secret_enc))
    present = int(now.timestamp()) // STEP
    steps = range(present - DRIFT, present + DRIFT + 1)
    return next((step for step in steps if secrets.compare_digest(code_of(key, step), code)), None)


def code_of(key: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a key at a time step (HMAC-SHA-1, as authenticator programs compute it)."""
    return HOTP(key, digits, SHA1(), enforce_key_length=False).generate(step).decode()


def _row(session: Session, account: str) -> SecondFactor | None:
    return session.scalars(select(SecondFactor).where(SecondFactor.account == account)).one_or_none()
