"""Rows of the quality loop: check runs, tickets, due days, red rounds, the negative list. Red rounds are append-only."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import ForeignKey, Index, String, Table, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from workflow.db import Base, BigId


class CheckRun(Base):
    """One run of the rules over the data, full, incremental or for one unit or record (办法10(一))."""

    __tablename__ = "check_run"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    on: Mapped[date] = mapped_column(index=True, comment="business date that the rules take as today")
    kind: Mapped[str] = mapped_column(String(12), comment="full | incremental | scoped")
    scope: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="data set, unit or record of a scoped run")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    watermark: Mapped[int] = mapped_column(BigId, default=0, comment="last record_version id that the run saw")
    rules_hash: Mapped[str] = mapped_column(String(64), default="", comment="rules, dictionary and code lists in force")
    records: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="data set → records read")
    rules: Mapped[int] = mapped_column(default=0)
    findings: Mapped[int] = mapped_column(default=0)
    opened: Mapped[int] = mapped_column(default=0)
    recurred: Mapped[int] = mapped_column(default=0)
    still_open: Mapped[int] = mapped_column(default=0)
    resolved: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float | None]
    by: Mapped[str] = mapped_column(String(64), default="clock")


class RuleAmendment(Base):
    """A rule made, changed or retired by decision while the platform runs (办法9); never deleted, ended by a date."""

    __tablename__ = "rule_amendment"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), unique=True)
    rule_id: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(10), comment="new | change | retire")
    text: Mapped[str] = mapped_column(Text, comment="the rule as YAML; empty for retire")
    from_on: Mapped[date] = mapped_column(comment="first day in force")
    until_on: Mapped[date | None] = mapped_column(comment="last day in force, where repealed")
    written_at: Mapped[datetime]


AMENDMENT = cast(Table, RuleAmendment.__table__)


class RuleRun(Base):
    """One rule in one run: how long, how many, or why it failed (a failed rule closes nothing)."""

    __tablename__ = "rule_run"

    run_id: Mapped[int] = mapped_column(BigId, ForeignKey("check_run.id"), primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(10), primary_key=True)
    dataset: Mapped[str] = mapped_column(String(30), primary_key=True)
    findings: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float]
    error: Mapped[str | None] = mapped_column(Text)


class Ticket(Base):
    """One problem: one rule broken by one record (and part). Hints (level H) have no case; all others are a rectification case."""

    __tablename__ = "ticket"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("case_file.id"), unique=True)
    rule_id: Mapped[str] = mapped_column(String(10))
    dataset: Mapped[str] = mapped_column(String(30))
    record_id: Mapped[int] = mapped_column(BigId)
    part: Mapped[str] = mapped_column(String(60), default="", comment="e.g. the quota type of a unit's overrun")
    record_key: Mapped[str] = mapped_column(String(40))
    unit_id: Mapped[int] = mapped_column(BigId)
    level: Mapped[str] = mapped_column(String(1), comment="B | E | W | H")
    field: Mapped[str] = mapped_column(String(60), default="")
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="label → value at the last finding")
    present: Mapped[bool] = mapped_column(comment="found by the last run that judged it")
    first_found_on: Mapped[date] = mapped_column(comment="never changes")
    found_on: Mapped[date] = mapped_column(comment="day zero of the running term")
    deadline_on: Mapped[date | None] = mapped_column(comment="last day in time; empty for hints")
    red_on: Mapped[date | None] = mapped_column(comment="first day on which the present light is red")
    resolved_on: Mapped[date | None]
    resolved_how: Mapped[str | None] = mapped_column(String(10), comment="passed | gone | waived | voided")
    recurrences: Mapped[int] = mapped_column(default=0)
    batch_id: Mapped[int | None] = mapped_column(BigId, comment="import batch that last wrote the record")
    last_run_id: Mapped[int] = mapped_column(BigId)

    __table_args__ = (
        UniqueConstraint("rule_id", "dataset", "record_id", "part"),
        Index(None, "unit_id", "present"),
        Index(None, "dataset", "record_id"),
        Index(None, "present", "rule_id"),
        Index(None, "first_found_on"),
        Index(None, "resolved_on"),
    )


class Due(Base):
    """The last day on which every time rule keeps its answer for a record; the day after, the increment takes it up."""

    __tablename__ = "due"

    dataset: Mapped[str] = mapped_column(String(30), primary_key=True)
    record_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    due_on: Mapped[date] = mapped_column(comment="first day on which an answer may change")

    __table_args__ = (Index(None, "dataset", "due_on"),)


class RedRound(Base):
    """The ledger of red rounds (办法21): kind `round` counts one; `void` compensates an earlier one; `broken` ends a streak."""

    __tablename__ = "red_round"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(BigId, index=True)
    kind: Mapped[str] = mapped_column(String(10), comment="round | void | broken")
    on: Mapped[date]
    streak: Mapped[int] = mapped_column(comment="consecutive rounds, this one included; 0 for broken")
    tickets: Mapped[list[Any]] = mapped_column(default=list, comment="ticket ids that were red")
    voids_id: Mapped[int | None] = mapped_column(BigId, comment="the round that a void takes back")
    reason: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(64), default="clock")
    written_at: Mapped[datetime]


class NegativeEntry(Base):
    """One red light on the data-quality negative list (负面清单 办法10(一), 办法21)."""

    __tablename__ = "negative_entry"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("ticket.id"), index=True)
    unit_id: Mapped[int] = mapped_column(BigId, index=True)
    entered_on: Mapped[date] = mapped_column(index=True)
    fixed_on: Mapped[date | None]
    watch_until: Mapped[date | None] = mapped_column(comment="observation period after the fix")
    left_on: Mapped[date | None]
    reversed_on: Mapped[date | None] = mapped_column(comment="entered by mistake: the light was voided")
    reason: Mapped[str | None] = mapped_column(Text)


# The same tables for set-based statements.
TICKET = cast(Table, Ticket.__table__)
ROUND = cast(Table, RedRound.__table__)
ENTRY = cast(Table, NegativeEntry.__table__)
CHECK_RUN = cast(Table, CheckRun.__table__)
RULE_RUN = cast(Table, RuleRun.__table__)
