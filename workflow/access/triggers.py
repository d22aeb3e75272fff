"""What keeps grants append-only inside the database itself: triggers that refuse to change or delete one (办法16). Text only, per dialect."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, event

SAYS = "grants are append-only"
FUNCTION = f"""CREATE OR REPLACE FUNCTION grant_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{SAYS}' USING ERRCODE = 'restrict_violation'; END $$"""


def statements(dialect: str, table: str) -> list[str]:
    """What makes the triggers of one table, in order."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{do} BEFORE {do.upper()} ON {table} BEGIN SELECT RAISE(ABORT, '{SAYS}'); END"
            for do in ("update", "delete")
        ]
    return [
        FUNCTION,
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION grant_refuse()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION grant_refuse()",
    ]


def hang_on(table: Any, name: str) -> None:
    """Make the triggers right after the table."""
    for dialect in ("sqlite", "postgresql"):
        for statement in statements(dialect, name):
            event.listen(table, "after_create", DDL(statement.replace("%", "%%")).execute_if(dialect=dialect))
