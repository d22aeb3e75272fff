"""Readings of ID numbers in full."""

import sqlalchemy as sa
from alembic import op

from workflow.db import BigId, UtcDateTime

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "sensitive_reading",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.String(length=30), nullable=False),
        sa.Column("record_key", sa.String(length=160), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_sensitive_reading_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensitive_reading")),
    )
    op.create_index(op.f("ix_sensitive_reading_account_at"), "sensitive_reading", ["account", "at"], unique=False)
    op.create_index(
        op.f("ix_sensitive_reading_dataset_record_key"), "sensitive_reading", ["dataset", "record_key"], unique=False
    )
