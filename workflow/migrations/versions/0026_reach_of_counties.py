"""The units of a county and the last change of the tree are found by an index: every walled statement and most pages ask (办法16)."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Forward."""
    for column in ("district_code", "changed_at"):
        op.create_index(f"ix_unit_{column}", "unit", [column])
