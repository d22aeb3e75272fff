"""One open session an account: those open at the upgrade end, people sign in anew."""

import sqlalchemy as sa
from alembic import op

from workflow.db import UtcDateTime

revision = "0018"
down_revision = "0017"
OPEN = sa.text("ended_at IS NULL")
PROVED = "last proof of identity: sign-in, or anew before a sensitive deed"
WAY = "password | zzd | oidc"
ELSEWHERE = "address in a second network, once alarmed"
SEEN = "last use, to within 30 seconds: the idle limit counts from here"
ENDED = "signed_out | superseded | revoked | disabled | idle | expired"


def upgrade() -> None:
    """Forward."""
    op.execute("UPDATE login_session SET ended_at = seen_at, ended_how = 'superseded' WHERE ended_at IS NULL")
    with op.batch_alter_table("login_session") as batch_op:
        batch_op.add_column(sa.Column("proved_at", UtcDateTime(), nullable=True, comment=PROVED))
        batch_op.add_column(sa.Column("way", sa.String(10), nullable=False, server_default="password", comment=WAY))
        batch_op.add_column(sa.Column("elsewhere", sa.String(64), nullable=False, server_default="", comment=ELSEWHERE))
    op.execute("UPDATE login_session SET proved_at = created_at")
    with op.batch_alter_table("login_session") as batch_op:
        batch_op.alter_column("proved_at", existing_type=UtcDateTime(), existing_comment=PROVED, nullable=False)
        batch_op.alter_column("way", existing_type=sa.String(10), existing_comment=WAY, server_default=None)
        batch_op.alter_column("elsewhere", existing_type=sa.String(64), existing_comment=ELSEWHERE, server_default=None)
        batch_op.alter_column("seen_at", existing_type=UtcDateTime(), comment=SEEN)
        batch_op.alter_column("ended_how", existing_type=sa.String(20), comment=ENDED)
    op.create_index(
        "ux_login_session_open", "login_session", ["account"], unique=True, postgresql_where=OPEN, sqlite_where=OPEN
    )
