"""The audit chain: entries, head, checkpoints, and the triggers that keep them append-only."""

import sqlalchemy as sa
from alembic import op

from workflow.db import BigId, UtcDateTime

revision = "0003"
down_revision = "0002"

SQLITE = (
    """CREATE TRIGGER audit_row_no_update BEFORE UPDATE ON audit_row BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
    """CREATE TRIGGER audit_row_no_delete BEFORE DELETE ON audit_row WHEN old.seq > (SELECT coalesce(max(seq), 0) FROM audit_checkpoint) BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
    """CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
    """CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
    """CREATE TRIGGER audit_head_onward BEFORE UPDATE ON audit_head WHEN new.seq <= old.seq OR new.chain <> old.chain BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
    """CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
)
POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit rows are append-only' USING ERRCODE = 'restrict_violation'; END $$""",
    """CREATE OR REPLACE FUNCTION audit_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.seq > (SELECT coalesce(max(seq), 0) FROM audit_checkpoint) THEN
    RAISE EXCEPTION 'audit rows are append-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END $$""",
    """CREATE OR REPLACE FUNCTION audit_head_onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.seq <= OLD.seq OR NEW.chain <> OLD.chain THEN
    RAISE EXCEPTION 'audit rows are append-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$""",
    """CREATE TRIGGER audit_row_no_update BEFORE UPDATE ON audit_row FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_row_no_delete BEFORE DELETE ON audit_row FOR EACH ROW EXECUTE FUNCTION audit_refuse_delete()""",
    """CREATE TRIGGER audit_row_no_truncate BEFORE TRUNCATE ON audit_row FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_checkpoint_kept BEFORE UPDATE OR DELETE ON audit_checkpoint FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_checkpoint_no_truncate BEFORE TRUNCATE ON audit_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_head_onward BEFORE UPDATE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_head_onward()""",
    """CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
)


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "audit_checkpoint",
        sa.Column("seq", BigId, autoincrement=False, nullable=False, comment="last purged entry"),
        sa.Column("hash", sa.String(length=64), nullable=False, comment="hash of that entry"),
        sa.Column("last_at", UtcDateTime(), nullable=False, comment="moment of the youngest purged entry, UTC"),
        sa.Column("purged", sa.Integer(), nullable=False, comment="entries purged at this time"),
        sa.Column("at", UtcDateTime(), nullable=False, comment="moment of the purge, UTC"),
        sa.Column("public_key", sa.String(length=64), nullable=False, comment="Ed25519, hex"),
        sa.Column(
            "signature",
            sa.String(length=128),
            nullable=False,
            comment="Ed25519 over seq, hash, last_at, purged, at; hex",
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_checkpoint")),
    )
    op.create_table(
        "audit_head",
        sa.Column("chain", sa.String(length=10), nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False, comment="moment of the last entry, UTC"),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_row",
        sa.Column("seq", BigId, autoincrement=False, nullable=False, comment="gap-free, from the locked head"),
        sa.Column("at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.Column(
            "actor",
            sa.String(length=64),
            nullable=False,
            comment="account, or the part of the platform; empty: unknown",
        ),
        sa.Column("on_behalf_of", sa.String(length=64), nullable=True),
        sa.Column(
            "origin", sa.String(length=80), nullable=False, comment="network address, or command line and machine user"
        ),
        sa.Column("session_digest", sa.String(length=32), nullable=True, comment="of the signed-in session's token"),
        sa.Column(
            "action", sa.String(length=80), nullable=False, comment="subject.verb, as record.change or filing.submit"
        ),
        sa.Column("object_kind", sa.String(length=40), nullable=False, comment="data set, process, account, batch …"),
        sa.Column("object_key", sa.String(length=160), nullable=False, comment="its key; never personal data"),
        sa.Column("unit_id", BigId, nullable=True),
        sa.Column("case_id", BigId, nullable=True),
        sa.Column(
            "summary",
            sa.Text(),
            nullable=False,
            comment="canonical JSON: old and new, counts; personal values as HMAC-SM3",
        ),
        sa.Column("result", sa.String(length=8), nullable=False, comment="done | refused | failed"),
        sa.Column(
            "key_id",
            sa.String(length=12),
            nullable=False,
            comment="algorithm and number of the key that sealed it",
        ),
        sa.Column("prev_hash", sa.String(length=64), nullable=False, comment="hash of the entry before"),
        sa.Column(
            "hash",
            sa.String(length=64),
            nullable=False,
            comment="HMAC over all columns before, in canonical bytes",
        ),
        sa.CheckConstraint("result in ('done', 'refused', 'failed')", name=op.f("ck_audit_row_result")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_row")),
    )
    for columns in (("at", "seq"), ("actor", "at"), ("object_kind", "object_key"), ("unit_id", "at"), ("action", "at")):
        op.create_index(op.f(f"ix_audit_row_{'_'.join(columns)}"), "audit_row", list(columns), unique=False)
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
