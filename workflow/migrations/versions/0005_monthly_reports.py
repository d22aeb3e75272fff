"""Monthly reports, their items and locked snapshots."""

import sqlalchemy as sa
from alembic import op

from workflow.db import BigId, Json, UtcDateTime, YmdDate

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "monthly_report",
        sa.Column("case_id", BigId, nullable=False),
        sa.Column("unit_id", BigId, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False, comment="YYYY-MM"),
        sa.Column("since_version", BigId, nullable=False, comment="record_version id after which changes are listed"),
        sa.Column("until_version", BigId, nullable=False, comment="last record_version id that is listed"),
        sa.Column("confirm_by", YmdDate(), nullable=False, comment="last day of the head's confirmation"),
        sa.Column("compare_by", YmdDate(), nullable=False, comment="last day of the office's comparison"),
        sa.Column("figures", Json, nullable=False, comment="the unit's figures when last compared"),
        sa.Column("before", Json, nullable=False, comment="the figures of the last locked month"),
        sa.Column(
            "late_on", YmdDate(), nullable=True, comment="day on which the term passed unconfirmed; never erased"
        ),
        sa.Column("confirmed_on", YmdDate(), nullable=True),
        sa.Column("confirmer", sa.String(length=64), nullable=True),
        sa.Column("compared_on", YmdDate(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_monthly_report_case_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_monthly_report")),
        sa.UniqueConstraint("unit_id", "month", name=op.f("uq_monthly_report_unit_id_month")),
    )
    with op.batch_alter_table("monthly_report", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monthly_report_month"), ["month"], unique=False)

    op.create_table(
        "month_snapshot",
        sa.Column("case_id", BigId, nullable=False),
        sa.Column("unit_id", BigId, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False, comment="YYYY-MM"),
        sa.Column("content", sa.Text(), nullable=False, comment="canonical JSON: figures, items, record versions"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the content, hexadecimal"),
        sa.Column("locked_at", UtcDateTime(), nullable=False),
        sa.Column("locked_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["monthly_report.case_id"], name=op.f("fk_month_snapshot_case_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_month_snapshot")),
        sa.UniqueConstraint("unit_id", "month", name=op.f("uq_month_snapshot_unit_id_month")),
    )
    with op.batch_alter_table("month_snapshot", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_month_snapshot_month"), ["month"], unique=False)

    op.create_table(
        "monthly_item",
        sa.Column("id", BigId, nullable=False),
        sa.Column("case_id", BigId, nullable=False),
        sa.Column(
            "kind", sa.String(length=12), nullable=False, comment="quota | contract | posts | entry | exit | transfer …"
        ),
        sa.Column("key", sa.String(length=60), nullable=False, comment="quota type, record or rule within the kind"),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("link", sa.String(length=200), nullable=False),
        sa.Column("answer", sa.String(length=10), nullable=True, comment="true | corrected | explained"),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("answered_by", sa.String(length=64), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("correction_id", BigId, nullable=True, comment="rectification asked"),
        sa.CheckConstraint("answer in ('true', 'corrected', 'explained')", name=op.f("ck_monthly_item_answer")),
        sa.ForeignKeyConstraint(["case_id"], ["monthly_report.case_id"], name=op.f("fk_monthly_item_case_id")),
        sa.ForeignKeyConstraint(["correction_id"], ["case_file.id"], name=op.f("fk_monthly_item_correction_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monthly_item")),
        sa.UniqueConstraint("case_id", "kind", "key", name=op.f("uq_monthly_item_case_id_kind_key")),
    )
