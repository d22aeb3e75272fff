"""Migrations: the tables that they make are the tables that the code declares, on both databases."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from workflow import migrations
from workflow.db import Base


def _empty(engine: Engine) -> None:
    Base.metadata.drop_all(engine)


def test_the_migrated_tables_equal_the_declared_ones(both_engines: Engine) -> None:
    _empty(both_engines)
    migrations.upgrade(both_engines)
    with both_engines.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_second_upgrade_keeps_the_data(both_engines: Engine) -> None:
    _empty(both_engines)
    assert migrations.current(both_engines) is None
    revision = migrations.upgrade(both_engines)
    with both_engines.begin() as connection:
        connection.execute(
            text("INSERT INTO heartbeat (name, at, process) VALUES ('clock', '2026-03-02 01:00:00', 'x')")
        )
    assert migrations.upgrade(both_engines) == revision == migrations.current(both_engines) == migrations.head()
    with both_engines.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM heartbeat")).scalar_one() == 1
