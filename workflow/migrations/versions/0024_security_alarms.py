"""Security alarms as rows: what was found when, who acknowledged it."""

import sqlalchemy as sa
from alembic import op

from workflow.db import BigId, UtcDateTime

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "security_alarm",
        sa.Column("id", BigId, nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False, comment="number of the alarm: cause:subject:period"),
        sa.Column("cause", sa.String(length=20), nullable=False, comment="workflow.access.alarms.CAUSES"),
        sa.Column("says", sa.String(length=1000), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("acknowledged_by", sa.String(length=64), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("remark", sa.String(length=200), nullable=False, comment="what the acknowledging person found"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_alarm")),
        sa.UniqueConstraint("key", name=op.f("uq_security_alarm_key")),
    )
    op.create_index(op.f("ix_security_alarm_cause_id"), "security_alarm", ["cause", "id"], unique=False)
