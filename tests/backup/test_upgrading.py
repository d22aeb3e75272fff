"""An upgrade of a database with data starts from an archive that is kept for good (办法18)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from tests.backup.conftest import House
from workflow import migrations
from workflow.backup import making
from workflow.backup.restoring import restore
from workflow.backup.upgrading import upgrade
from workflow.db import open_engine
from workflow.errors import Refused


@pytest.fixture
def older(house: House) -> House:
    """The platform as the release before made it, with rows a and b."""
    house.engine.dispose()
    for path in house.settings.data_dir.glob("sandeng.db*"):
        path.unlink()
    config = migrations.configuration()
    before = ScriptDirectory.from_config(config).get_revision(migrations.head()).down_revision
    with house.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, str(before))
        connection.commit()
    house.write("a", "b")
    return house


def test_an_upgrade_without_an_archive_is_refused(older: House) -> None:
    with pytest.raises(Refused, match="--archive"):
        upgrade(older.engine, older.settings, older.clock, archive_now=False)
    assert migrations.current(older.engine) != migrations.head()


def test_the_archive_is_made_first_and_holds_the_old_state(older: House) -> None:
    stood = migrations.current(older.engine)
    _, kept = upgrade(older.engine, older.settings, older.clock, archive_now=True)
    assert kept is not None
    assert (kept.kind, kept.revision) == ("archive", stood)
    assert migrations.current(older.engine) == migrations.head()
    told = restore(making.archives(older.settings), None, older.out / "r", older.now)
    assert older.names(older.out / "r/sandeng.db") == ["a", "b"]
    assert told.backup == kept.id


def test_an_archive_of_today_is_enough_and_an_older_one_is_not(older: House) -> None:
    making.archive(older.engine, older.settings, older.clock)
    older.now += timedelta(hours=25)
    with pytest.raises(Refused):
        upgrade(older.engine, older.settings, older.clock, archive_now=False)
    older.now -= timedelta(hours=2)
    upgrade(older.engine, older.settings, older.clock, archive_now=False)
    assert migrations.current(older.engine) == migrations.head()


def test_an_empty_database_and_one_of_this_release_need_no_archive(house: House) -> None:
    empty = open_engine(f"sqlite:///{house.out / 'empty.db'}")
    assert upgrade(empty, house.settings, house.clock, archive_now=False) == (migrations.head(), None)
    empty.dispose()
    assert upgrade(house.engine, house.settings, house.clock, archive_now=False) == (migrations.head(), None)


def test_archives_outlive_every_expiry(house: House) -> None:
    making.archive(house.engine, house.settings, house.clock)
    house.now += timedelta(days=4000)
    for _ in range(9):
        house.make("full")
    assert len(making.archives(house.settings).backups()) == 1
