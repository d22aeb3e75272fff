"""Two kinds of holds: on applications (办法21), on the use of quotas (办法22)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Forward."""
    bounds = sa.CheckConstraint("until_on >= from_on", name=op.f("ck_hold_ends_after_it_begins"))
    with op.batch_alter_table("hold", table_args=(bounds,)) as batch_op:
        if op.get_bind().dialect.name == "postgresql":
            batch_op.drop_constraint(op.f("ck_hold_kind"), type_="check")
        batch_op.create_check_constraint(op.f("ck_hold_kind"), "kind in ('HOLD_APPLY', 'HOLD_USE')")
        batch_op.alter_column("kind", existing_type=sa.String(12), comment="HOLD_APPLY | HOLD_USE")
