"""changes of the field key."""

import sqlalchemy as sa
from alembic import op

from workflow.db import UtcDateTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "key_rotation",
        sa.Column("to_key", sa.Integer(), autoincrement=False, nullable=False, comment="number of the new key, 2–255"),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("to_key", name=op.f("pk_key_rotation")),
    )
