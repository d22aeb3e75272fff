"""Rows of the audit chain: its entries, its head, and the checkpoints that retention leaves. Only workflow/audit writes them."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import CheckConstraint, Index, String, Table, Text
from sqlalchemy.orm import Mapped, mapped_column

from workflow.audit import triggers
from workflow.db import Base, BigId

CHAIN = "main"


class AuditCheckpoint(Base):
    """Where verification begins after a purge: the last purged entry, signed. Append-only."""

    __tablename__ = "audit_checkpoint"

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False, comment="last purged entry")
    hash: Mapped[str] = mapped_column(String(64), comment="hash of that entry")
    last_at: Mapped[datetime] = mapped_column(comment="moment of the youngest purged entry, UTC")
    purged: Mapped[int] = mapped_column(comment="entries purged at this time")
    at: Mapped[datetime] = mapped_column(comment="moment of the purge, UTC")
    public_key: Mapped[str] = mapped_column(String(64), comment="Ed25519, hex")
    signature: Mapped[str] = mapped_column(String(128), comment="Ed25519 over seq, hash, last_at, purged, at; hex")


class AuditHead(Base):
    """The end of the chain: locked by whoever appends, so that sequence numbers have no gap and the chain no fork."""

    __tablename__ = "audit_head"

    chain: Mapped[str] = mapped_column(String(10), primary_key=True)
    seq: Mapped[int] = mapped_column(BigId)
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(comment="moment of the last entry, UTC")


class AuditRow(Base):
    """One entry of the chain; append-only. Personal values stand in it as keyed digests only."""

    __tablename__ = "audit_row"

    seq: Mapped[int] = mapped_column(
        BigId, primary_key=True, autoincrement=False, comment="gap-free, from the locked head"
    )
    at: Mapped[datetime] = mapped_column(comment="UTC")
    actor: Mapped[str] = mapped_column(String(64), comment="account, or the part of the platform; empty: unknown")
    on_behalf_of: Mapped[str | None] = mapped_column(String(64))
    origin: Mapped[str] = mapped_column(String(80), comment="network address, or command line and machine user")
    session_digest: Mapped[str | None] = mapped_column(String(32), comment="of the signed-in session's token")
    action: Mapped[str] = mapped_column(String(80), comment="subject.verb, as record.change or filing.submit")
    object_kind: Mapped[str] = mapped_column(String(40), comment="data set, process, account, batch …")
    object_key: Mapped[str] = mapped_column(String(160), comment="its key; never personal data")
    unit_id: Mapped[int | None] = mapped_column(BigId)
    case_id: Mapped[int | None] = mapped_column(BigId)
    summary: Mapped[str] = mapped_column(
        Text, comment="canonical JSON: old and new, counts; personal values as HMAC-SM3"
    )
    result: Mapped[str] = mapped_column(String(8), comment="done | refused | failed")
    key_id: Mapped[str] = mapped_column(String(12), comment="algorithm and number of the key that sealed it")
    prev_hash: Mapped[str] = mapped_column(String(64), comment="hash of the entry before")
    hash: Mapped[str] = mapped_column(String(64), comment="HMAC over all columns before, in canonical bytes")

    __table_args__ = (
        CheckConstraint("result in ('done', 'refused', 'failed')", name="result"),
        Index(None, "at", "seq"),
        Index(None, "actor", "at"),
        Index(None, "object_kind", "object_key"),
        Index(None, "unit_id", "at"),
        Index(None, "action", "at"),
    )


# The same tables for set-based statements.
ROW = cast(Table, AuditRow.__table__)
HEAD = cast(Table, AuditHead.__table__)
CHECKPOINT = cast(Table, AuditCheckpoint.__table__)
# Created after the others by name, in any order of creation: the triggers read all three.
ROW.add_is_dependent_on(HEAD)
ROW.add_is_dependent_on(CHECKPOINT)
triggers.hang_on(ROW)
