"""What keeps the chain append-only inside the database itself: triggers that refuse. Text only, per dialect.

A row may go only once a signed checkpoint stands above it (retention has run out, see purge.py); nothing may be changed ever.
"""

from __future__ import annotations

from sqlalchemy import DDL, Table, event

SAYS = "audit rows are append-only"
CHECKED = "SELECT coalesce(max(seq), 0) FROM audit_checkpoint"

SQLITE = (
    f"CREATE TRIGGER audit_row_no_update BEFORE UPDATE ON audit_row BEGIN SELECT RAISE(ABORT, '{SAYS}'); END",
    f"CREATE TRIGGER audit_row_no_delete BEFORE DELETE ON audit_row WHEN old.seq > ({CHECKED}) "
    f"BEGIN SELECT RAISE(ABORT, '{SAYS}'); END",
    f"CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, '{SAYS}'); END",
    f"CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, '{SAYS}'); END",
    "CREATE TRIGGER audit_head_onward BEFORE UPDATE ON audit_head WHEN new.seq <= old.seq OR new.chain <> old.chain "
    f"BEGIN SELECT RAISE(ABORT, '{SAYS}'); END",
    f"CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, '{SAYS}'); END",
)
_REFUSE = """CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit rows are append-only' USING ERRCODE = 'restrict_violation'; END $$"""
_DELETE = """CREATE OR REPLACE FUNCTION audit_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.seq > (SELECT coalesce(max(seq), 0) FROM audit_checkpoint) THEN
    RAISE EXCEPTION 'audit rows are append-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END $$"""
_ONWARD = """CREATE OR REPLACE FUNCTION audit_head_onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.seq <= OLD.seq OR NEW.chain <> OLD.chain THEN
    RAISE EXCEPTION 'audit rows are append-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$"""
POSTGRESQL = (
    _REFUSE,
    _DELETE,
    _ONWARD,
    "CREATE TRIGGER audit_row_no_update BEFORE UPDATE ON audit_row FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_row_no_delete BEFORE DELETE ON audit_row FOR EACH ROW EXECUTE FUNCTION audit_refuse_delete()",
    "CREATE TRIGGER audit_row_no_truncate BEFORE TRUNCATE ON audit_row FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_checkpoint_kept BEFORE UPDATE OR DELETE ON audit_checkpoint FOR EACH ROW "
    "EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_checkpoint_no_truncate BEFORE TRUNCATE ON audit_checkpoint FOR EACH STATEMENT "
    "EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_head_onward BEFORE UPDATE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_head_onward()",
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)


def hang_on(last: Table) -> None:
    """Make the triggers right after the table that is created last."""
    for dialect, statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
        for statement in statements:
            event.listen(last, "after_create", DDL(statement.replace("%", "%%")).execute_if(dialect=dialect))
