"""The third wall, on PostgreSQL: row-level security with FORCE on every walled table, and roles at run time that own nothing (办法15、16).

Three roles: the owner of the tables, used by `sandeng db upgrade` alone; the runtime role of SANDENG_DATABASE_URL, to which a table shows
the rows in the reach of its transaction and else none; the system role of SANDENG_SYSTEM_ROLE for checks, mass steps and the clock, which
sees all and owns nothing either. Its policy is plain `true`, which the planner drops: the night's work costs what it cost without a wall.
The runtime role may take the system role (SET LOCAL ROLE) and does not inherit it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from workflow.access.walls import conditions
from workflow.errors import BadInput

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def raise_walls(connection: Connection, runtime: str, system: str) -> None:
    """Give both roles what they need and not more, and force the policies; as the owner, in the transaction of the upgrade. Safe to repeat.

    Raises BadInput where a role is missing or may too much.
    """
    _prove_roles(connection, runtime, system)
    for statement in (*_grants(runtime, system), *_analyzing(system)):
        connection.exec_driver_sql(statement)
    for table, condition in conditions("postgresql").items():
        for statement in _policies(table, condition, runtime, system):
            connection.exec_driver_sql(statement)


def lower_walls(connection: Connection) -> None:
    """Let the owner see the rows that a migration moves; others keep seeing what they saw. Undone by `raise_walls` before the commit."""
    for table in _forced(connection):
        connection.exec_driver_sql(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')


def prove_walls(engine: Engine, system: str) -> None:
    """Raises BadInput where the role that is connected could pass the third wall, or the wall does not stand; on PostgreSQL only."""
    if engine.dialect.name != "postgresql":
        return
    if not system:
        raise BadInput("生产环境使用 PostgreSQL 时必须设置 SANDENG_SYSTEM_ROLE，见 deploy/README.md 第七节")
    with engine.connect() as connection:
        me = connection.scalar(text("SELECT session_user")) or ""
        _prove_roles(connection, me, system)
        open_ = sorted(set(conditions("postgresql")) - set(_forced(connection)))
    if open_:
        raise BadInput(f"行级权限没有建立：{'、'.join(open_)}，请由属主运行 sandeng db upgrade")


def _forced(connection: Connection) -> Sequence[str]:
    found = text(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relnamespace = 'public'::regnamespace"
    )
    return connection.scalars(found).all()


def _prove_roles(connection: Connection, runtime: str, system: str) -> None:
    for name in (runtime, system):
        if not NAME.fullmatch(name):
            raise BadInput(f"数据库角色名“{name}”只能用小写字母、数字和下划线")
    found = {
        row.rolname: row
        for row in connection.execute(
            text(
                "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole AS mighty, rolinherit,"
                " EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'S')"
                "  AND c.relnamespace = 'public'::regnamespace) AS owns FROM pg_roles r WHERE rolname IN (:a, :b)"
            ),
            {"a": runtime, "b": system},
        )
    }
    for name in (runtime, system):
        if name not in found:
            raise BadInput(f"数据库中没有角色 {name}，请先按 deploy/README.md 第七节建立")
        if found[name].mighty or found[name].owns:
            raise BadInput(f"数据库角色 {name} 权限过大：不得是超级用户、不得绕过行级权限、不得拥有任何表")
    if found[runtime].rolinherit:
        raise BadInput(f"数据库角色 {runtime} 须为 NOINHERIT，否则行级权限对它不起作用")
    if not connection.scalar(text("SELECT pg_has_role(:a, :b, 'MEMBER')"), {"a": runtime, "b": system}):
        raise BadInput(f"数据库角色 {runtime} 须能转为 {system}：GRANT {system} TO {runtime}")


def _grants(runtime: str, system: str) -> list[str]:
    """Rows may be read and written, in every table but the one that says which release this is; nothing may be made or dropped."""
    both = f'"{runtime}", "{system}"'
    return [
        f"GRANT USAGE ON SCHEMA public TO {both}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {both}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {both}",
        f"DO $$ BEGIN IF to_regclass('alembic_version') IS NOT NULL THEN"
        f" REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {both}; END IF; END $$",
    ]


def _policies(table: str, condition: str, runtime: str, system: str) -> list[str]:
    return [
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'DROP POLICY IF EXISTS in_reach ON "{table}"',
        f'DROP POLICY IF EXISTS whole ON "{table}"',
        f'CREATE POLICY in_reach ON "{table}" TO "{runtime}" USING ({condition})',
        f'CREATE POLICY whole ON "{table}" TO "{system}" USING (true)',
    ]


def _analyzing(system: str) -> list[str]:
    """ANALYZE is the owner's; the system role may ask for it on the house's own tables."""
    return [
        "CREATE OR REPLACE FUNCTION sandeng_analyze(tables regclass[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = public, pg_temp AS $$ DECLARE t regclass; BEGIN"
        " FOREACH t IN ARRAY tables LOOP EXECUTE 'ANALYZE ' || t::text; END LOOP; END $$",
        "REVOKE ALL ON FUNCTION sandeng_analyze(regclass[]) FROM PUBLIC",
        f'GRANT EXECUTE ON FUNCTION sandeng_analyze(regclass[]) TO "{system}"',
    ]
