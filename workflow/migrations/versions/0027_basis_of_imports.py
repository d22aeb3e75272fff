"""The document that an uploaded file rests on, carried into every version that it writes (办法7, 办法8)."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Forward."""
    op.add_column(
        "import_batch", sa.Column("basis", sa.String(length=200), nullable=True, comment="document that it rests on")
    )
