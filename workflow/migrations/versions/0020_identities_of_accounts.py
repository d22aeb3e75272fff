"""Identities of accounts at identity providers, and browsers on their way there."""

import sqlalchemy as sa
from alembic import op

from workflow.db import BigId, UtcDateTime

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Forward."""
    subject, state = "zzd: tenant:employeeCode; oidc: issuer#sub", "SHA-256 of the state"
    browser = "SHA-256 of the secret in the browser's cookie"
    anew = "open session whose person proves the identity anew"
    op.create_table(
        "account_identity",
        sa.Column("provider", sa.String(length=10), nullable=False, comment="zzd | oidc"),
        sa.Column("subject", sa.String(length=500), nullable=False, comment=subject),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("bound_at", UtcDateTime(), nullable=False),
        sa.Column("bound_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_account_identity_account")),
        sa.PrimaryKeyConstraint("provider", "subject", name=op.f("pk_account_identity")),
        sa.UniqueConstraint("account", "provider", name=op.f("uq_account_identity_account_provider")),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column("state_hash", sa.String(length=64), nullable=False, comment=state),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False, comment=browser),
        sa.Column("session_id", BigId, nullable=True, comment=anew),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index(op.f("ix_sign_in_attempt_begun_at"), "sign_in_attempt", ["begun_at"], unique=False)
