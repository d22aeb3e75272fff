"""History is found by its unique key (case, version); the second index on the case alone cost every step a write."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Forward."""
    with op.batch_alter_table("case_history") as batch_op:
        batch_op.drop_index("ix_case_history_case_id")
