"""A small embedded platform with some rows, an upload and a clock that tests move; its backups lie beside it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

import workflow.models  # noqa: F401  (declares every table)
from workflow import migrations
from workflow.backup.making import make, repository
from workflow.backup.repository import Backup, Repository
from workflow.backup.restoring import Restored, restore
from workflow.db import open_engine
from workflow.settings import Settings, get_settings

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class House:
    """The platform under test."""

    def __init__(self, settings: Settings, engine: Engine, out: Path) -> None:
        self.settings, self.engine, self.out = settings, engine, out
        self.now = NINE
        self.restores = 0

    @property
    def repository(self) -> Repository:
        """Its backups."""
        return repository(self.settings)

    @property
    def database(self) -> Path:
        """Its database file."""
        return Path(str(self.engine.url.database))

    def clock(self) -> datetime:
        """Each look is a second later."""
        self.now += timedelta(seconds=1)
        return self.now

    def make(self, kind: str) -> Backup:
        """Make a backup now."""
        return make(self.engine, self.settings, kind, self.clock)

    def write(self, *names: str) -> None:
        """Write a row each, committed."""
        for name in names:
            with self.engine.begin() as connection:
                connection.execute(
                    text("INSERT INTO heartbeat (name, at, process) VALUES (:n, '2026-03-02 01:00:00.000000', :p)"),
                    {"n": name, "p": "x" * 60},
                )

    def names(self, database: Path | None = None) -> list[str]:
        """The rows of a database."""
        with contextlib.closing(sqlite3.connect(database or self.database)) as connection:
            return [row[0] for row in connection.execute("SELECT name FROM heartbeat ORDER BY name")]

    def restored(self, to: datetime | None = None) -> tuple[list[str], Restored]:
        """The rows after a restore into a fresh folder, and its report."""
        self.restores += 1
        into = self.out / f"restored{self.restores}"
        told = restore(self.repository, to, into, self.now)
        return self.names(into / "sandeng.db"), told


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of this release."""
    path = tmp_path_factory.mktemp("migrated") / "sandeng.db"
    engine = open_engine(f"sqlite:///{path}")
    migrations.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def house(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The platform with rows a and b and one upload."""
    for name in ("DATABASE_URL", "REDIS_URL", "CLOCK", "SECRET_KEY", "DATA_KEY", "BACKUP_KEY", "BACKUP_DIR"):
        monkeypatch.delenv(f"SANDENG_{name}", raising=False)
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SANDENG_ENV", "test")
    settings = get_settings()
    shutil.copy(migrated, settings.folder() / "sandeng.db")
    engine = open_engine(settings.database_url)
    found = House(settings, engine, tmp_path)
    found.write("a", "b")
    evidence = settings.folder("uploads", "evidence") / "1.pdf"
    evidence.write_bytes(b"%PDF- evidence")
    yield found
    engine.dispose()
