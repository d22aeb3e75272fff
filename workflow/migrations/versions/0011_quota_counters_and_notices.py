"""Counters of quota, notices of approval, signatures asked for."""

import sqlalchemy as sa
from alembic import op

from workflow.db import BigId, UtcDateTime, YmdDate

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "quota_counter",
        sa.Column("unit_id", BigId, autoincrement=False, nullable=False),
        sa.Column("quota_type", sa.String(length=10), nullable=False),
        sa.Column("cap", sa.Integer(), nullable=False, comment="approved by the ledger"),
        sa.Column("used", sa.Integer(), nullable=False, comment="people in post"),
        sa.Column("reserved", sa.Integer(), nullable=False, comment="approved and not yet used"),
        sa.Column("over", sa.Integer(), nullable=False, comment="beyond the cap, as facts have it"),
        sa.CheckConstraint("used + reserved <= cap + over", name=op.f("ck_quota_counter_fits")),
        sa.CheckConstraint("used >= 0 and reserved >= 0 and over >= 0", name=op.f("ck_quota_counter_heads")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_quota_counter_unit_id")),
        sa.PrimaryKeyConstraint("unit_id", "quota_type", name=op.f("pk_quota_counter")),
    )
    op.create_table(
        "approval_notice",
        sa.Column("id", BigId, nullable=False),
        sa.Column("case_id", BigId, nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="kind of the application"),
        sa.Column("unit_id", BigId, nullable=False),
        sa.Column("quota_type", sa.String(length=10), nullable=True),
        sa.Column("entry_way", sa.String(length=10), nullable=True, comment="the only way of entry that it covers"),
        sa.Column("n", sa.Integer(), nullable=False, comment="heads approved"),
        sa.Column("used", sa.Integer(), nullable=False, comment="heads entered on it"),
        sa.Column("issued_on", YmdDate(), nullable=False),
        sa.Column("valid_until", YmdDate(), nullable=False, comment="last day on which it may be used"),
        sa.Column("closed_on", YmdDate(), nullable=True, comment="expired, revoked, given back or used up"),
        sa.CheckConstraint("used >= 0 and used <= n", name=op.f("ck_approval_notice_used")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_approval_notice_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_notice")),
        sa.UniqueConstraint("case_id", name=op.f("uq_approval_notice_case_id")),
        sa.UniqueConstraint("number", name=op.f("uq_approval_notice_number")),
    )
    with op.batch_alter_table("approval_notice", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_approval_notice_unit_id_quota_type"), ["unit_id", "quota_type"], unique=False
        )

    op.create_table(
        "signature",
        sa.Column("id", BigId, nullable=False),
        sa.Column("case_id", BigId, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False, comment="who is asked"),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column(
            "opinion", sa.String(length=10), nullable=True, comment="agree | agree_if | disagree; empty until signed"
        ),
        sa.Column("says", sa.String(length=1000), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_signature_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature")),
    )
    with op.batch_alter_table("signature", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signature_account"), ["account"], unique=False)
        batch_op.create_index(batch_op.f("ix_signature_case_id"), ["case_id"], unique=False)
