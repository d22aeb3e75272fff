"""Migrations: the way from one release's tables to the next. Forward only; `migrated equals declared` is tested.

Alembic is imported by who needs it: a tenth of what a process takes to start.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect

import workflow.models  # noqa: F401  (declares every table)
from workflow.access.row_security import lower_walls, raise_walls
from workflow.errors import BadInput

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent


def configuration() -> Config:
    """Alembic's configuration; the database is handed over as an open connection, never as an address."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


def upgrade(engine: Engine, *, runtime: str = "", system: str = "") -> str:
    """Bring the database to this release; returns the revision it stands at. Safe to repeat.

    `runtime`, `system`: the roles of PostgreSQL for which row-level security is brought in line in the same transaction; `engine` is
    the owner's then. Raises BadInput where they are missing or may too much.
    """
    from alembic import command

    config = configuration()
    with engine.connect() as connection:
        connection = connection.execution_options(sqlite_begin="IMMEDIATE")
        config.attributes["connection"] = connection
        walled = bool(system) and engine.dialect.name == "postgresql"
        if walled:
            lower_walls(connection)
        command.upgrade(config, "head")
        if walled:
            raise_walls(connection, runtime, system)
        connection.commit()
    return head()


@functools.cache
def head() -> str:
    """The revision of this release."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def current(engine: Engine) -> str | None:
    """The revision at which the database stands; None where it is empty."""
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def prove_current(engine: Engine) -> None:
    """An embedded database that is still empty is brought to this release. Raises BadInput where another release made it."""
    stands = current(engine)
    if stands is None and engine.dialect.name == "sqlite" and not inspect(engine).get_table_names():
        stands = upgrade(engine)
    if stands != head():
        raise BadInput(f"数据库在版本 {stands or '空'}，本程序需要版本 {head()}：请先运行 sandeng db upgrade")
