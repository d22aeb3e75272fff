"""Rows of what comes round: monthly reports with their items and locked snapshots, samples of the cross-checks. Snapshots never change."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Table, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from workflow.db import Base, BigId


class MonthlyReport(Base):
    """One unit's report of one month, beside its case (办法10(三))."""

    __tablename__ = "monthly_report"

    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(BigId)
    month: Mapped[str] = mapped_column(String(7), comment="YYYY-MM")
    since_version: Mapped[int] = mapped_column(BigId, comment="record_version id after which changes are listed")
    until_version: Mapped[int] = mapped_column(BigId, comment="last record_version id that is listed")
    confirm_by: Mapped[date] = mapped_column(comment="last day of the head's confirmation")
    compare_by: Mapped[date] = mapped_column(comment="last day of the office's comparison")
    figures: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="the unit's figures when last compared")
    before: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="the figures of the last locked month")
    late_on: Mapped[date | None] = mapped_column(comment="day on which the term passed unconfirmed; never erased")
    confirmed_on: Mapped[date | None]
    confirmer: Mapped[str | None] = mapped_column(String(64))
    compared_on: Mapped[date | None]

    __table_args__ = (UniqueConstraint("unit_id", "month"), Index(None, "month"))


class MonthlyItem(Base):
    """One item of a report that the unit answers: a total, a change of the month, an open problem."""

    __tablename__ = "monthly_item"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("monthly_report.case_id"))
    kind: Mapped[str] = mapped_column(String(12), comment="quota | contract | posts | entry | exit | transfer …")
    key: Mapped[str] = mapped_column(String(60), comment="quota type, record or rule within the kind")
    says: Mapped[str] = mapped_column(Text)
    link: Mapped[str] = mapped_column(String(200), default="")
    answer: Mapped[str | None] = mapped_column(String(10), comment="true | corrected | explained")
    text: Mapped[str] = mapped_column(String(500), default="")
    answered_by: Mapped[str | None] = mapped_column(String(64))
    answered_at: Mapped[datetime | None]
    correction_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("case_file.id"), comment="rectification asked")

    __table_args__ = (
        UniqueConstraint("case_id", "kind", "key"),
        CheckConstraint("answer in ('true', 'corrected', 'explained')", name="answer"),
    )


class MonthSnapshot(Base):
    """What a unit's month was when it was locked: canonical JSON and its SHA-256; written once."""

    __tablename__ = "month_snapshot"

    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("monthly_report.case_id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(BigId)
    month: Mapped[str] = mapped_column(String(7), comment="YYYY-MM")
    content: Mapped[str] = mapped_column(Text, comment="canonical JSON: figures, items, record versions")
    sha256: Mapped[str] = mapped_column(String(64), comment="of the content, hexadecimal")
    locked_at: Mapped[datetime]
    locked_by: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("unit_id", "month"), Index(None, "month"))


REPORT = cast(Table, MonthlyReport.__table__)
ITEM = cast(Table, MonthlyItem.__table__)
SNAPSHOT = cast(Table, MonthSnapshot.__table__)


class CheckPair(Base):
    """Who checks whom in a round of cross-checks (办法10(四))."""

    __tablename__ = "check_pair"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    round_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), index=True)
    case_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("case_file.id"), index=True, comment="once begun")
    pool: Mapped[str] = mapped_column(String(6), comment="district")
    checker_id: Mapped[int] = mapped_column(BigId, comment="unit that checks")
    checked_id: Mapped[int] = mapped_column(BigId, comment="unit that is checked, with its subordinates")

    __table_args__ = (CheckConstraint("checker_id <> checked_id", name="not_itself"),)


class CheckSample(Base):
    """One record that a pair has to check, and what was found."""

    __tablename__ = "check_sample"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"))
    dataset: Mapped[str] = mapped_column(String(30))
    record_id: Mapped[int] = mapped_column(BigId)
    result: Mapped[str | None] = mapped_column(String(5), comment="right | wrong; empty until checked")
    problem: Mapped[str] = mapped_column(String(300), default="")
    struck: Mapped[bool] = mapped_column(default=False, comment="taken out by the office: no finding")
    by: Mapped[str | None] = mapped_column(String(64))
    on_behalf_of: Mapped[str | None] = mapped_column(
        String(64), comment="account for whom it was checked, where not the own"
    )
    at: Mapped[datetime | None]
    struck_by: Mapped[str | None] = mapped_column(String(64), comment="who last took the finding out or in")
    struck_for: Mapped[str | None] = mapped_column(
        String(64), comment="account for whom that was done, where not the own"
    )

    __table_args__ = (
        UniqueConstraint("case_id", "dataset", "record_id"),
        CheckConstraint("result in ('right', 'wrong')", name="result"),
    )


PAIR = cast(Table, CheckPair.__table__)
SAMPLE = cast(Table, CheckSample.__table__)
