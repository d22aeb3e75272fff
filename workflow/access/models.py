"""Rows of access: accounts, dated grants and their revocations, sign-in sessions, saved filters. Grants are never edited (办法16)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from workflow.access.triggers import hang_on
from workflow.db import Base, BigId

_OPEN = text("ended_at IS NULL")


class Account(Base):
    """One person's account, named like clerk@330200001; the holder answers for it, the unit manages it (办法16)."""

    __tablename__ = "account"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_name: Mapped[str] = mapped_column(String(50))
    title: Mapped[str] = mapped_column(String(100), default="", comment="post, shown beside the name")
    password_hash: Mapped[str | None] = mapped_column(
        String(200), comment="argon2id; empty where only 浙政钉 may sign in"
    )
    unit_id: Mapped[int | None] = mapped_column(BigId, index=True, comment="the unit that the person belongs to")
    district: Mapped[str] = mapped_column(
        String(6), default="", comment="GB/T 2260 code of the office, empty for units"
    )
    demo: Mapped[bool] = mapped_column(default=False, comment="demonstration account: refused in production")
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    disabled_on: Mapped[date | None]
    enabled_at: Mapped[datetime | None] = mapped_column(comment="enabled anew: the 90 days without use count from here")
    person_code: Mapped[str | None] = mapped_column(
        String(20), index=True, comment="the holder's record (person or contract): who leaves loses the account"
    )
    failures: Mapped[int] = mapped_column(default=0, comment="wrong passwords since the last sign-in")
    locked_until: Mapped[datetime | None]


class Grant(Base):
    """A role given to an account over a scope from a day on; append-only, taken back by a Revocation."""

    __tablename__ = "role_grant"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), index=True)
    role: Mapped[str] = mapped_column(String(40))
    scope: Mapped[str] = mapped_column(String(10), comment="unit | district | platform")
    unit_id: Mapped[int | None] = mapped_column(BigId, comment="scope unit: this unit and its subordinates")
    district: Mapped[str | None] = mapped_column(
        String(6), comment="scope district: the county; 330200 is the whole city"
    )
    from_on: Mapped[date]
    until_on: Mapped[date | None] = mapped_column(comment="last day, inclusive; open while empty")
    purpose: Mapped[str] = mapped_column(String(200), default="")
    granted_by: Mapped[str] = mapped_column(String(64))
    granted_at: Mapped[datetime]
    approved_by: Mapped[str | None] = mapped_column(
        String(64), comment="second person; empty for demonstration, set-up and before 0023"
    )
    case_id: Mapped[int | None] = mapped_column(BigId, comment="the grant_change by which it was proposed and approved")

    __table_args__ = (
        CheckConstraint(
            "(scope = 'unit' and unit_id is not null) or (scope = 'district' and district is not null) or scope = 'platform'",
            name="scope",
        ),
        CheckConstraint(
            "approved_by is null or (approved_by <> granted_by and approved_by <> account)", name="second_person"
        ),
    )


class Revocation(Base):
    """A grant taken back; append-only, one per grant."""

    __tablename__ = "role_revocation"

    grant_id: Mapped[int] = mapped_column(BigId, ForeignKey("role_grant.id"), primary_key=True)
    revoked_on: Mapped[date] = mapped_column(comment="first day without it")
    by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(200), default="")
    at: Mapped[datetime]
    approved_by: Mapped[str | None] = mapped_column(String(64), comment="second person, as of a grant")
    case_id: Mapped[int | None] = mapped_column(BigId, comment="the grant_change by which it was taken back")

    __table_args__ = (CheckConstraint("approved_by is null or approved_by <> by", name="second_person"),)


class Substitution(Base):
    """A role that one person takes for another between two days, under the own account (办法16: no shared accounts)."""

    __tablename__ = "substitution"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), unique=True)
    principal: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    substitute: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), index=True)
    role: Mapped[str] = mapped_column(String(40))
    unit_id: Mapped[int | None] = mapped_column(
        BigId, comment="this unit with its subordinates only; empty: all of the role's"
    )
    processes: Mapped[list[Any]] = mapped_column(default=list, comment="these processes only; empty: all")
    from_on: Mapped[date] = mapped_column(comment="first day, Asia/Shanghai")
    until_on: Mapped[date] = mapped_column(comment="last day, inclusive")
    ended_on: Mapped[date | None] = mapped_column(comment="first day without it, where it was ended early")

    __table_args__ = (CheckConstraint("until_on >= from_on", name="ends_after_it_begins"),)


class LoginSession(Base):
    """One sign-in. The browser holds a random token, the row only its SHA-256; ended rows are refused at once, one is open an account."""

    __tablename__ = "login_session"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(comment="last use, to within 30 seconds: the idle limit counts from here")
    proved_at: Mapped[datetime] = mapped_column(
        comment="last proof of identity: sign-in, or anew before a sensitive deed"
    )
    way: Mapped[str] = mapped_column(String(10), default="password", comment="password | zzd | oidc")
    address: Mapped[str] = mapped_column(String(64), default="")
    elsewhere: Mapped[str] = mapped_column(String(64), default="", comment="address in a second network, once alarmed")
    agent: Mapped[str] = mapped_column(String(200), default="")
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None] = mapped_column(
        String(20), comment="signed_out | superseded | revoked | disabled | idle | expired"
    )

    __table_args__ = (
        Index("ux_login_session_open", "account", unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN),
    )


class BreakGlass(Base):
    """An account that may sign in with a password in production, for emergencies: two at most, by the numbers of its slots."""

    __tablename__ = "break_glass"

    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="1 or 2")
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), unique=True)
    password_set_at: Mapped[datetime | None] = mapped_column(
        comment="the password runs out 90 days later; empty until set"
    )
    given_at: Mapped[datetime]
    given_by: Mapped[str] = mapped_column(String(64))

    __table_args__ = (CheckConstraint("slot in (1, 2)", name="slot"),)


class PastPassword(Base):
    """The last five passwords of an account for emergencies, as hashes: none may come again."""

    __tablename__ = "past_password"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), index=True)
    password_hash: Mapped[str] = mapped_column(String(200), comment="argon2id")
    set_at: Mapped[datetime]


class SecondFactor(Base):
    """The device that makes one-time codes for an account with a password (RFC 6238)."""

    __tablename__ = "second_factor"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), unique=True)
    secret_enc: Mapped[bytes] = mapped_column(comment="secret in base32 SM4-GCM")
    begun_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None] = mapped_column(comment="first right code; empty while enrolling")
    last_step: Mapped[int] = mapped_column(BigId, default=0, comment="time step (30 s) of the last code used")


class AccountIdentity(Base):
    """Whom an identity provider knows as the holder of an account: one person one account, bound by somebody, never by name (办法16)."""

    __tablename__ = "account_identity"

    provider: Mapped[str] = mapped_column(String(10), primary_key=True, comment="zzd | oidc")
    subject: Mapped[str] = mapped_column(
        String(500), primary_key=True, comment="zzd: tenant:employeeCode; oidc: issuer#sub"
    )
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    bound_at: Mapped[datetime]
    bound_by: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("account", "provider"),)


class SignInAttempt(Base):
    """A browser on its way to an identity provider: the state that it must bring back, once, within ten minutes."""

    __tablename__ = "sign_in_attempt"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True, comment="SHA-256 of the state")
    provider: Mapped[str] = mapped_column(String(10))
    browser_hash: Mapped[str] = mapped_column(String(64), comment="SHA-256 of the secret in the browser's cookie")
    session_id: Mapped[int | None] = mapped_column(BigId, comment="open session whose person proves the identity anew")
    begun_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class SensitiveReading(Base):
    """An ID number that was shown in full: by whom, of which record, for what reason; append-only (办法17)."""

    __tablename__ = "sensitive_reading"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    dataset: Mapped[str] = mapped_column(String(30))
    record_key: Mapped[str] = mapped_column(String(160))
    reason: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]

    __table_args__ = (Index(None, "account", "at"), Index(None, "dataset", "record_key"))


class SecurityAlarm(Base):
    """What the watch found wrong (办法19): once a cause, subject and period; acknowledged by one person, and once."""

    __tablename__ = "security_alarm"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(160), unique=True, comment="number of the alarm: cause:subject:period")
    cause: Mapped[str] = mapped_column(String(20), comment="workflow.access.alarms.CAUSES")
    says: Mapped[str] = mapped_column(String(1000))
    at: Mapped[datetime]
    acknowledged_by: Mapped[str | None] = mapped_column(String(64))
    acknowledged_at: Mapped[datetime | None]
    remark: Mapped[str] = mapped_column(String(200), default="", comment="what the acknowledging person found")

    __table_args__ = (Index(None, "cause", "id"),)


class KeyRotation(Base):
    """One change of the key of encrypted fields: begun, and finished once everything is sealed under it."""

    __tablename__ = "key_rotation"

    to_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="number of the new key, 2–255")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    by: Mapped[str] = mapped_column(String(64))


class SavedFilter(Base):
    """A list filter that a person keeps under a name."""

    __tablename__ = "saved_filter"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    page: Mapped[str] = mapped_column(String(40), comment="endpoint of the list")
    name: Mapped[str] = mapped_column(String(40))
    filters: Mapped[dict[str, Any]] = mapped_column(comment="query parameter → value")
    created_at: Mapped[datetime]
    shared_role: Mapped[str | None] = mapped_column(String(40), comment="colleagues with this role over the same place")
    shared_unit_id: Mapped[int | None] = mapped_column(BigId)
    shared_district: Mapped[str | None] = mapped_column(String(6))

    __table_args__ = (UniqueConstraint("account", "page", "name"), Index(None, "account", "page"))


class ListColumns(Base):
    """Which columns a person wants in a list, in order."""

    __tablename__ = "list_columns"

    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), primary_key=True)
    page: Mapped[str] = mapped_column(String(40), primary_key=True, comment="endpoint of the list")
    columns: Mapped[list[Any]] = mapped_column(default=list)


class IdempotentWrite(Base):
    """The answer to a write request with an Idempotency-Key: asked again, it is given again and nothing is done twice."""

    __tablename__ = "idempotent_write"

    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), primary_key=True)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64), comment="SHA-256 of method, path and body")
    status: Mapped[int]
    answer: Mapped[dict[str, Any]]
    at: Mapped[datetime]


hang_on(Grant.__table__, "role_grant")
hang_on(Revocation.__table__, "role_revocation")
