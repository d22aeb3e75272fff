"""Rows of running the platform: daily jobs, heartbeats, consumed effects, notices, requests for long work."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from workflow.db import Base, BigId

_OPEN = text("state in ('queued', 'running')")


class DailyJob(Base):
    """One job of one business day: there is one row, so a repeat is a no-op and a missed day is seen (办法10(一))."""

    __tablename__ = "daily_job"

    business_date: Mapped[date] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(comment="the set hour, UTC; the moment that the job takes as now")
    state: Mapped[str] = mapped_column(String(10), comment="running | done | failed")
    attempts: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None] = mapped_column(comment="after a failure; empty once it is given up")
    outcome: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="counts, as the job reports them")
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (CheckConstraint("state in ('running', 'done', 'failed')", name="state"),)


class Heartbeat(Base):
    """The last sign of life of a part of the platform."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(40), primary_key=True, comment="clock | relay | worker")
    at: Mapped[datetime] = mapped_column(comment="real time, UTC, whatever SANDENG_CLOCK says")
    process: Mapped[str] = mapped_column(String(80), default="", comment="host:pid")


class Consumed(Base):
    """An effect that was carried out; a second delivery of the same key is dropped."""

    __tablename__ = "consumed"

    key: Mapped[str] = mapped_column(String(160), primary_key=True, comment="outbox key")
    topic: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]


class Notice(Base):
    """What a person is told in the platform: one row per audience, kind and day, counting what it gathers (办法20)."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(160), unique=True, comment="audience, kind and business date")
    account: Mapped[str | None] = mapped_column(String(64), comment="one person; else role and unit or district")
    role: Mapped[str | None] = mapped_column(String(40))
    unit_id: Mapped[int | None] = mapped_column(BigId)
    district: Mapped[str | None] = mapped_column(String(6), comment="GB/T 2260; the office told about its county")
    kind: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(200))
    says: Mapped[str] = mapped_column(Text, default="")
    link: Mapped[str] = mapped_column(String(200), default="", comment="path on this site")
    count: Mapped[int] = mapped_column(default=1)
    case_id: Mapped[int | None] = mapped_column(BigId, comment="the case, where it is about exactly one")
    created_at: Mapped[datetime]
    show_at: Mapped[datetime] = mapped_column(comment="not before: outside the quiet hours of a working day, UTC")

    __table_args__ = (
        Index(None, "account", "show_at"),
        Index(None, "role", "unit_id", "show_at"),
        Index(None, "role", "district", "show_at"),
    )


class NoticeRead(Base):
    """That one person has read one notice as it then stood."""

    __tablename__ = "notice_read"

    notice_id: Mapped[int] = mapped_column(BigId, ForeignKey("notice.id"), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(comment="what it counted then; a notice that has grown is unread again")
    at: Mapped[datetime]


class JobRequest(Base):
    """Long work that somebody asked for, with its progress and its result."""

    __tablename__ = "job_request"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), comment="import | check | export, see workers.jobs")
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    by: Mapped[str] = mapped_column(String(64), comment="account")
    on_behalf_of: Mapped[str | None] = mapped_column(
        String(64), comment="account for whom it was asked, where not the own"
    )
    state: Mapped[str] = mapped_column(String(10), default="queued")
    done: Mapped[int] = mapped_column(default=0, comment="units of work done, e.g. rows")
    total: Mapped[int] = mapped_column(default=0, comment="0 while not known")
    message: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result_path: Mapped[str | None] = mapped_column(Text, comment="file below the data directory")
    attempts: Mapped[int] = mapped_column(default=0)
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state in ('queued', 'running', 'done', 'failed')", name="state"),
        Index(None, "by", "asked_at"),
        Index("ix_job_request_open", "kind", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )
