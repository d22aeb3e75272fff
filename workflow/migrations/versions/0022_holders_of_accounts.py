"""Whose account it is: the holder's record, and since when the account is enabled anew."""

import sqlalchemy as sa
from alembic import op

from workflow.db import UtcDateTime

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Forward."""
    enabled = "enabled anew: the 90 days without use count from here"
    holder = "the holder's record (person or contract): who leaves loses the account"
    op.add_column("account", sa.Column("enabled_at", UtcDateTime(), nullable=True, comment=enabled))
    op.add_column("account", sa.Column("person_code", sa.String(length=20), nullable=True, comment=holder))
    op.create_index(op.f("ix_account_person_code"), "account", ["person_code"], unique=False)
