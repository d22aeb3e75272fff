"""Grants and revocations name the second person who approved them and the case; neither is ever changed or deleted."""

import sqlalchemy as sa
from alembic import op

from workflow.access.triggers import statements
from workflow.db import BigId

revision = "0023"
down_revision = "0022"

SECOND = {
    "role_grant": "approved_by is null or (approved_by <> granted_by and approved_by <> account)",
    "role_revocation": 'approved_by is null or approved_by <> "by"',
}
SAYS = {
    "role_grant": (
        "second person; empty for demonstration, set-up and before 0023",
        "the grant_change by which it was proposed and approved",
    ),
    "role_revocation": ("second person, as of a grant", "the grant_change by which it was taken back"),
}


def upgrade() -> None:
    """Forward. On SQLite the constraint comes with its column: the table need not be written anew."""
    dialect = op.get_bind().dialect.name
    for table, holds in SECOND.items():
        approved, case = SAYS[table]
        name = f"ck_{table}_second_person"
        if dialect == "sqlite":
            op.execute(f"ALTER TABLE {table} ADD COLUMN approved_by VARCHAR(64) CONSTRAINT {name} CHECK ({holds})")
        else:
            op.add_column(table, sa.Column("approved_by", sa.String(length=64), nullable=True, comment=approved))
            op.create_check_constraint(op.f(name), table, holds)
        op.add_column(table, sa.Column("case_id", BigId, nullable=True, comment=case))
        for statement in statements(dialect, table):
            op.execute(statement)
