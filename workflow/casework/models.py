"""Rows of casework: which unit may not apply and until when; what a filing says. A hold is ended by a date, never deleted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Table, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from workflow.db import Base, BigId

HOLD_APPLY = "HOLD_APPLY"  # 暂停办理机构编制申请事项 (办法21)
HOLD_USE = "HOLD_USE"  # 暂停使用编制 (办法22): stops applications too, and entries on notices that were issued before


class Hold(Base):
    """One unit bound by one decision: the unit decided on, and each subordinate by the tree of the day of decision (办法21)."""

    __tablename__ = "hold"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"))
    unit_id: Mapped[int] = mapped_column(BigId, comment="the unit bound")
    source_unit_id: Mapped[int] = mapped_column(BigId, comment="the unit decided on: itself or above")
    kind: Mapped[str] = mapped_column(String(12), comment="HOLD_APPLY | HOLD_USE")
    from_on: Mapped[date] = mapped_column(comment="first day bound: the day of decision")
    until_on: Mapped[date] = mapped_column(comment="last day bound, as decided")
    lifted_on: Mapped[date | None] = mapped_column(comment="first day free again, where lifted or taken back early")
    written_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("case_id", "unit_id"),
        Index(None, "unit_id", "until_on"),
        CheckConstraint("kind in ('HOLD_APPLY', 'HOLD_USE')", name="kind"),
        CheckConstraint("until_on >= from_on", name="ends_after_it_begins"),
    )


HOLD = cast(Table, Hold.__table__)


class Filing(Base):
    """What a filing says beside its case (办法7, 办法8): one record of one data set, its changed fields as typed, basis, term, lateness.

    The ID number is never in `texts`, only sealed; what `lines` and `findings` show is masked.
    """

    __tablename__ = "filing"

    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), comment="change | entry | exit | position | contract | other")
    dataset: Mapped[str] = mapped_column(String(30))
    record_id: Mapped[int | None] = mapped_column(BigId, comment="empty for a new record until it is accepted")
    record_key: Mapped[str] = mapped_column(String(40), default="")
    base_version: Mapped[int | None] = mapped_column(comment="version of the record that the draft was opened on")
    unit_id: Mapped[int] = mapped_column(BigId)
    ticket_id: Mapped[int | None] = mapped_column(BigId, comment="the ticket that it puts right")
    texts: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="field → text as typed")
    sealed: Mapped[bytes | None] = mapped_column(comment="ID number as typed, SM4-GCM")
    auto: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="field → rule of the accepted correction")
    doc_no: Mapped[str] = mapped_column(String(100), default="", comment="basis document")
    doc_on: Mapped[date | None] = mapped_column(comment="date of the document")
    fact_on: Mapped[date] = mapped_column(comment="day zero: formalities completed, or document issued")
    reason: Mapped[str] = mapped_column(String(500), default="")
    late_reason: Mapped[str] = mapped_column(String(200), default="")
    due_on: Mapped[date] = mapped_column(comment="last day in time, working days after fact_on")
    submitted_on: Mapped[date | None] = mapped_column(comment="last submission to the head")
    late_days: Mapped[int] = mapped_column(default=0, comment="calendar days past due; only ever grows")
    authors: Mapped[list[Any]] = mapped_column(default=list, comment="accounts that wrote in it")
    confirmer: Mapped[str | None] = mapped_column(String(64))
    revision: Mapped[int] = mapped_column(default=1, comment="counts saves of the draft")
    saved_at: Mapped[datetime]
    checked_revision: Mapped[int] = mapped_column(default=0, comment="the revision that the rules have judged")
    lines: Mapped[list[Any]] = mapped_column(default=list, comment="the differences as shown, masked")
    findings: Mapped[list[Any]] = mapped_column(default=list, comment="what the rules said of it")
    returned: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="field → why it was sent back")
    accepted_on: Mapped[date | None]

    __table_args__ = (
        Index(None, "dataset", "record_id"),
        Index(None, "unit_id"),
        CheckConstraint("late_days >= 0", name="late_days"),
    )


class SerialNumber(Base):
    """The last number given in a series in a year."""

    __tablename__ = "serial_number"

    series: Mapped[str] = mapped_column(String(40), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(default=0)


class CaseLink(Base):
    """A tie between two cases, read in both directions."""

    __tablename__ = "case_link"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"))
    other_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20), comment="leads_to | permits | belongs_to")
    written_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("case_id", "other_id", "kind"),)


class CaseSide(Base):
    """A further unit whose people see a case: the other side of a transfer."""

    __tablename__ = "case_side"

    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(BigId, primary_key=True, index=True)
    written_at: Mapped[datetime]


SIDE = cast(Table, CaseSide.__table__)


class ReportBond(Base):
    """To which operation a request for instructions is tied (办法17): what is approved is what is carried out, and nothing else."""

    __tablename__ = "report_bond"

    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(160), index=True, comment="batch:ID | export:SHA-256 | filing:ID")
    says: Mapped[str] = mapped_column(String(400), default="", comment="the operation as the approvers read it")
    link: Mapped[str] = mapped_column(String(400), default="", comment="where it is carried out")


BOND = cast(Table, ReportBond.__table__)
SERIAL = cast(Table, SerialNumber.__table__)
LINK = cast(Table, CaseLink.__table__)


class Signature(Base):
    """One opinion asked for on a case (会签、加签), and what was said."""

    __tablename__ = "signature"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"))
    account: Mapped[str] = mapped_column(String(64), comment="who is asked")
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    opinion: Mapped[str | None] = mapped_column(String(10), comment="agree | agree_if | disagree; empty until signed")
    says: Mapped[str] = mapped_column(String(1000), default="")
    signed_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "case_id"), Index(None, "account"))


SIGNATURE = cast(Table, Signature.__table__)
