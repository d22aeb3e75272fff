"""Rows of the engine: cases, history, timers, pauses, outbox. Only workflow/engine writes them; history is append-only."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Table, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from workflow.db import Base, BigId

BY_PEOPLE = "actor not in ('clock', 'checker', 'system')"


class ProcessDefinition(Base):
    """A definition version as it was when cases began under it; never changed."""

    __tablename__ = "process_definition"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True, comment="SHA-256 of the canonical text")
    process: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    first_used_at: Mapped[datetime]


class Case(Base):
    """One running or ended case of a process."""

    __tablename__ = "case_file"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    process: Mapped[str] = mapped_column(String(40))
    definition: Mapped[str] = mapped_column(String(64), ForeignKey("process_definition.hash"), comment="pinned version")
    state: Mapped[str] = mapped_column(String(40))
    light: Mapped[str] = mapped_column(
        String(10), default="none", comment="none | green | yellow | red, from the state"
    )
    open: Mapped[bool] = mapped_column(comment="false in final and green states")
    unit_id: Mapped[int | None] = mapped_column(BigId, comment="the unit that the case concerns")
    subject: Mapped[str] = mapped_column(String(160), comment="what it is about; one case per process and subject")
    title: Mapped[str] = mapped_column(String(200), default="")
    inbox: Mapped[str | None] = mapped_column(String(40), comment="role whose turn it is, from the state")
    assignee: Mapped[str | None] = mapped_column(String(64), comment="account that claimed it")
    opened_at: Mapped[datetime]
    opened_by: Mapped[str] = mapped_column(String(64))
    state_since: Mapped[datetime] = mapped_column(comment="effective moment of the last step")
    day_zero: Mapped[date] = mapped_column(comment="the fact that its terms count from, Asia/Shanghai")
    due_at: Mapped[datetime | None] = mapped_column(comment="earliest armed timer, for sorting")
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, comment="counts steps; If-Match")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (
        UniqueConstraint("process", "subject"),
        Index(None, "unit_id", "open", "light"),
        Index(None, "process", "state", "due_at"),
        Index(  # the inbox reads nothing else to find and to order its page
            "ix_case_file_turn",
            "inbox",
            "unit_id",
            "light",
            "due_at",
            "state_since",
            "process",
            "assignee",
            "id",
            postgresql_where=text("open"),
            sqlite_where=text("open = 1"),
        ),
    )


class CaseHistory(Base):
    """What happened to a case, one row a step; append-only."""

    __tablename__ = "case_history"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"))
    version: Mapped[int] = mapped_column(comment="case version after the step")
    do: Mapped[str] = mapped_column(String(40))
    from_state: Mapped[str | None] = mapped_column(String(40))
    to_state: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(64))
    on_behalf_of: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(comment="when it was written, UTC")
    effective_at: Mapped[datetime] = mapped_column(comment="when it took effect: a timer's due moment, UTC")
    reason: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="verdicts and inputs of the step")

    __table_args__ = (
        UniqueConstraint("case_id", "version"),
        # what a person did; the nights of the platform are no part of it
        Index(
            "ix_case_history_actor", "actor", "case_id", postgresql_where=text(BY_PEOPLE), sqlite_where=text(BY_PEOPLE)
        ),
        Index(
            "ix_case_history_behalf",
            "on_behalf_of",
            postgresql_where=text("on_behalf_of is not null"),
            sqlite_where=text("on_behalf_of is not null"),
        ),
    )


class Timer(Base):
    """A deadline: fires one action of one case at due_at; unique per arming."""

    __tablename__ = "timer"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"))
    name: Mapped[str] = mapped_column(String(40), comment="the action that it does")
    arming: Mapped[int] = mapped_column(comment="case version at which it was armed")
    start_on: Mapped[date] = mapped_column(comment="day zero")
    term: Mapped[str] = mapped_column(
        String(40), comment="policy entry, e.g. light.red, or the date field it runs until"
    )
    n: Mapped[int | None] = mapped_column(comment="length of the term as it was when armed; empty for a given date")
    unit: Mapped[str] = mapped_column(String(12), comment="working_days | months | date")
    due_on: Mapped[date] = mapped_column(comment="last day in time, Asia/Shanghai; the last known one while paused")
    due_at: Mapped[datetime] = mapped_column(comment="the moment it has passed, UTC")
    provisional: Mapped[bool] = mapped_column(default=False, comment="counted over a year without a notice")
    state: Mapped[str] = mapped_column(
        String(10), default="armed", comment="paused: an open pause keeps the date unknown"
    )
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(comment="due_at, pushed forward after a failure")
    ended_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("case_id", "name", "arming"),
        CheckConstraint("state in ('armed', 'paused', 'fired', 'cancelled', 'failed')", name="state"),
        Index(
            "ix_timer_armed",
            "next_try_at",
            "id",
            postgresql_where=text("state = 'armed'"),
            sqlite_where=text("state = 'armed'"),
        ),
    )


class Pause(Base):
    """Days that do not count for a case's timers, with their cause; rows, never counters."""

    __tablename__ = "pause"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("case_file.id"), index=True, comment="empty: every case (platform or upstream outage)"
    )
    cause: Mapped[str] = mapped_column(String(60), comment="shown in the derivation")
    from_on: Mapped[date]
    to_on: Mapped[date | None] = mapped_column(comment="inclusive; open while empty; before from_on: annulled")
    by: Mapped[str] = mapped_column(String(64))
    written_at: Mapped[datetime]


class Outbox(Base):
    """An effect on the world, to be carried out by workers after the commit; consumers drop duplicates by key."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic: Mapped[str] = mapped_column(String(60))
    key: Mapped[str] = mapped_column(String(160), unique=True)
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None] = mapped_column(comment="handed to the queue")
    done_at: Mapped[datetime | None] = mapped_column(comment="consumed")
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "ix_outbox_open",
            "next_try_at",
            postgresql_where=text("done_at is null"),
            sqlite_where=text("done_at is null"),
        ),
    )


# The same tables for set-based statements.
CASE = cast(Table, Case.__table__)
HISTORY = cast(Table, CaseHistory.__table__)
TIMER = cast(Table, Timer.__table__)
PAUSE = cast(Table, Pause.__table__)
OUTBOX = cast(Table, Outbox.__table__)
