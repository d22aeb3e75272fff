"""Rows beside the data-set tables: versions of every record, the unit tree's closure, import batches, notices and counters of quota."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Table, Text
from sqlalchemy.orm import Mapped, mapped_column

from workflow.db import Base, BigId


class RecordVersion(Base):
    """One write of one record: append-only; `changes` maps field name → [old, new] (encrypted fields: digest and mask only)."""

    __tablename__ = "record_version"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    dataset: Mapped[str] = mapped_column(String(30))
    record_id: Mapped[int] = mapped_column(BigId)
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10), comment="create | change | remove | revive")
    changes: Mapped[dict[str, Any]] = mapped_column(comment="field → [old, new]")
    at: Mapped[datetime] = mapped_column(comment="written, UTC")
    effective_on: Mapped[date] = mapped_column(comment="from which business day it holds")
    by: Mapped[str] = mapped_column(String(64), comment="account")
    on_behalf_of: Mapped[str | None] = mapped_column(String(64))
    basis: Mapped[str | None] = mapped_column(String(200), comment="basis document")
    source: Mapped[str] = mapped_column(String(20), comment="form | import | feed | auto")
    source_ref: Mapped[str | None] = mapped_column(String(120), comment="batch, rule or feed")
    case_id: Mapped[int | None] = mapped_column(BigId)

    __table_args__ = (Index(None, "dataset", "record_id", "version", unique=True),)


class CodeAmendment(Base):
    """A code added, retired or renamed by decision while the platform runs (办法5); never deleted."""

    __tablename__ = "code_amendment"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, unique=True)
    codes: Mapped[str] = mapped_column(String(40), comment="name of the code list")
    kind: Mapped[str] = mapped_column(String(10), comment="add | retire | rename")
    code: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(60), comment="empty for retire")
    from_on: Mapped[date] = mapped_column(comment="first day in force")
    written_at: Mapped[datetime]


CODE_AMENDMENT = cast(Table, CodeAmendment.__table__)


class UnitClosure(Base):
    """Every (ancestor, descendant) pair of the unit tree with its depth; a unit is its own ancestor at depth 0."""

    __tablename__ = "unit_closure"

    ancestor_id: Mapped[int] = mapped_column(BigId, ForeignKey("unit.id"), primary_key=True)
    descendant_id: Mapped[int] = mapped_column(BigId, ForeignKey("unit.id"), primary_key=True)
    depth: Mapped[int]

    __table_args__ = (Index(None, "descendant_id"),)


class ImportBatch(Base):
    """One uploaded file and what became of it."""

    __tablename__ = "import_batch"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    dataset: Mapped[str] = mapped_column(String(30))
    file_name: Mapped[str] = mapped_column(String(200))
    file_path: Mapped[str] = mapped_column(Text, comment="below the data dir")
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    by: Mapped[str] = mapped_column(String(64))
    basis: Mapped[str | None] = mapped_column(String(200), comment="document that it rests on")
    state: Mapped[str] = mapped_column(
        String(12), comment="uploaded | checking | ready | refused | writing | done | failed"
    )
    rows: Mapped[int] = mapped_column(default=0)
    done_rows: Mapped[int] = mapped_column(default=0, comment="progress of the present phase")
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    error_count: Mapped[int] = mapped_column(default=0)
    errors: Mapped[list[Any]] = mapped_column(default=list, comment="the first 1,000 row-and-field errors")
    preview: Mapped[list[Any]] = mapped_column(default=list, comment="the first rows with what would change")
    says: Mapped[str | None] = mapped_column(Text)
    uploaded_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    seconds: Mapped[float | None]


class ApprovalNotice(Base):
    """What an approval grants (核准使用编制通知单): so many heads of one quota type of one unit, until a day; entries use it up (办法6).

    A decision that grants no quota (units, posts, ledger) has `quota_type` empty and `n` 0: it only has its number.
    """

    __tablename__ = "approval_notice"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigId, ForeignKey("case_file.id"), unique=True)
    number: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[str] = mapped_column(String(20), comment="kind of the application")
    unit_id: Mapped[int] = mapped_column(BigId)
    quota_type: Mapped[str | None] = mapped_column(String(10))
    entry_way: Mapped[str | None] = mapped_column(String(10), comment="the only way of entry that it covers")
    n: Mapped[int] = mapped_column(default=0, comment="heads approved")
    used: Mapped[int] = mapped_column(default=0, comment="heads entered on it")
    issued_on: Mapped[date]
    valid_until: Mapped[date] = mapped_column(comment="last day on which it may be used")
    closed_on: Mapped[date | None] = mapped_column(comment="expired, revoked, given back or used up")

    __table_args__ = (
        Index(None, "unit_id", "quota_type"),
        CheckConstraint("used >= 0 and used <= n", name="used"),
    )


class QuotaCounter(Base):
    """One quota type of one unit in heads: the row over which everything that takes or gives quota is put in order.

    Approvals only ever raise `reserved` while it fits under `cap`. `over` is what facts (people in post, a cut of the ledger) brought
    beyond it: only a recount sets it, so that a fact is never lost and an approval never goes beyond the cap.
    """

    __tablename__ = "quota_counter"

    unit_id: Mapped[int] = mapped_column(BigId, ForeignKey("unit.id"), primary_key=True, autoincrement=False)
    quota_type: Mapped[str] = mapped_column(String(10), primary_key=True)
    cap: Mapped[int] = mapped_column(default=0, comment="approved by the ledger")
    used: Mapped[int] = mapped_column(default=0, comment="people in post")
    reserved: Mapped[int] = mapped_column(default=0, comment="approved and not yet used")
    over: Mapped[int] = mapped_column(default=0, comment="beyond the cap, as facts have it")

    __table_args__ = (
        CheckConstraint("used >= 0 and reserved >= 0 and over >= 0", name="heads"),
        CheckConstraint("used + reserved <= cap + over", name="fits"),
    )


NOTICE = cast(Table, ApprovalNotice.__table__)
COUNTER = cast(Table, QuotaCounter.__table__)
