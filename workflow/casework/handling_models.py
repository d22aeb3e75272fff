"""Rows of how people handle cases: what is put off, steps on many cases with what became of each. No state of a case is here."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from workflow.db import Base, BigId


class Snooze(Base):
    """A case that one person does not want to see before a day; no deadline moves, nobody else's list changes."""

    __tablename__ = "snooze"

    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"), primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), primary_key=True)
    until_on: Mapped[date] = mapped_column(comment="first day that it is shown again")
    at: Mapped[datetime]


class BulkStep(Base):
    """One step asked for on many cases at once; a worker takes it in chunks. The same key again is the same request."""

    __tablename__ = "bulk_step"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    key: Mapped[str] = mapped_column(String(64), comment="idempotency key of the form")
    request_id: Mapped[int] = mapped_column(BigId, ForeignKey("job_request.id"), comment="its progress")
    process: Mapped[str] = mapped_column(String(40))
    do: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(2000), default="")
    inputs: Mapped[dict[str, Any]] = mapped_column(default=dict)
    asked_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None] = mapped_column(comment="asked to stop: rows not begun stay as they are")

    __table_args__ = (UniqueConstraint("account", "key"),)


class BulkRow(Base):
    """One case of a bulk step and what became of it, written in the transaction of its step."""

    __tablename__ = "bulk_row"

    bulk_id: Mapped[int] = mapped_column(BigId, ForeignKey("bulk_step.id"), primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), primary_key=True)
    version: Mapped[int] = mapped_column(comment="as seen in the preview")
    state: Mapped[str] = mapped_column(String(10), default="queued")
    says: Mapped[str] = mapped_column(String(2000), default="", comment="why it did not move")

    __table_args__ = (
        CheckConstraint("state in ('queued', 'moved', 'refused', 'changed', 'stopped')", name="state"),
        Index(None, "bulk_id", "state"),
    )


class CaseComment(Base):
    """A word about a case, beside its steps; append-only."""

    __tablename__ = "case_comment"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), index=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    text: Mapped[str] = mapped_column(String(2000))
    at: Mapped[datetime]


class CaseAttachment(Base):
    """A file laid beside a case by anybody concerned; known by its digest, never replaced."""

    __tablename__ = "case_attachment"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), index=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    file: Mapped[dict[str, Any]] = mapped_column(comment="name, file, sha256, bytes, as web.uploads keeps them")
    at: Mapped[datetime]


class CaseUrge(Base):
    """A reminder to whose turn it is; one a case and day."""

    __tablename__ = "case_urge"

    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), primary_key=True)
    on: Mapped[date] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    at: Mapped[datetime]


class CaseCopy(Base):
    """A case shown to one account or to the people of one unit (抄送), and who signed for it."""

    __tablename__ = "case_copy"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"))
    to_account: Mapped[str] = mapped_column(String(64), default="", comment="empty where a unit is meant")
    to_unit_id: Mapped[int] = mapped_column(BigId, default=0, comment="0 where an account is meant")
    by: Mapped[str] = mapped_column(String(64), ForeignKey("account.name"))
    at: Mapped[datetime]
    read_by: Mapped[str | None] = mapped_column(String(64))
    read_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("case_id", "to_account", "to_unit_id"),)
