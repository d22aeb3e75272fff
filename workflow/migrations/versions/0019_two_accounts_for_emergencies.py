"""Two accounts for emergencies: their slots, their last passwords, their second factor."""

import sqlalchemy as sa
from alembic import op

from workflow.db import BigId, UtcDateTime

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Forward."""
    set_at = "the password runs out 90 days later; empty until set"
    op.create_table(
        "break_glass",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False, comment="1 or 2"),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("password_set_at", UtcDateTime(), nullable=True, comment=set_at),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.Column("given_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint("slot in (1, 2)", name=op.f("ck_break_glass_slot")),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_break_glass_account")),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_break_glass")),
        sa.UniqueConstraint("account", name=op.f("uq_break_glass_account")),
    )
    op.create_table(
        "past_password",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False, comment="argon2id"),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_past_password_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_password")),
    )
    op.create_index(op.f("ix_past_password_account"), "past_password", ["account"], unique=False)
    op.create_table(
        "second_factor",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("secret_enc", sa.LargeBinary(), nullable=False, comment="secret in base32 SM4-GCM"),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True, comment="first right code; empty while enrolling"),
        sa.Column("last_step", BigId, nullable=False, comment="time step (30 s) of the last code used"),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_second_factor_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factor")),
        sa.UniqueConstraint("account", name=op.f("uq_second_factor_account")),
    )
