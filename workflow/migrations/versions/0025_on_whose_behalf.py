"""On whose behalf: asked-for work, checked samples and findings taken out name the principal beside the acting account (办法16, 办法17)."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

COLUMNS = {
    "job_request": {"on_behalf_of": "account for whom it was asked, where not the own"},
    "check_sample": {
        "on_behalf_of": "account for whom it was checked, where not the own",
        "struck_by": "who last took the finding out or in",
        "struck_for": "account for whom that was done, where not the own",
    },
}


def upgrade() -> None:
    """Forward."""
    for table, columns in COLUMNS.items():
        for name, comment in columns.items():
            op.add_column(table, sa.Column(name, sa.String(length=64), nullable=True, comment=comment))
