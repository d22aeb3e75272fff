"""Databases of the tests: the tables and the prepared cities are made once a session, and copied for each test."""

from __future__ import annotations

import copy
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text

import workflow.models  # noqa: F401  (declares every table)
from workflow.db import Base, open_engine

Build = Callable[..., Any]
Stage = tuple[Any, ...]
EMPTY: Stage = ("every table, no row",)
_first: dict[str, Engine] = {}  # dialect → the engine whose compiled statements all share


def open_sharing(url: str) -> Engine:
    """An engine that shares the compiled statements of all the others of this process: a test's first page is not its dearest."""
    engine = open_engine(url, query_cache_size=5000)
    first = _first.setdefault(engine.dialect.name, engine)
    engine.dialect = engine.pool._dialect = first.dialect
    engine._compiled_cache = first._compiled_cache
    return engine


class Shelf(ABC):
    """Copies of databases under the name of their stage. One of SQLite files, one of databases of a PostgreSQL server."""

    def __init__(self) -> None:
        self.kept: dict[Stage, tuple[str, Any]] = {}  # stage → (where its copy lies, what its maker returned)

    @contextmanager
    def fresh(self, place: Path) -> Iterator[Engine]:
        """An engine on a database with every table and no row; the database goes with the test."""
        engine = self.open(place)
        if EMPTY not in self.kept:
            Base.metadata.create_all(engine)
            self.kept[EMPTY] = (self.keep(engine), None)
        yield engine
        engine.dispose()
        self.remove(engine)

    def bring(self, engine: Engine, build: Build, *arguments: Any) -> Any:
        """Bring a fresh database to the stage to which `build(engine, *arguments)` brings it.

        Returns what that returned: plain values (or the engine itself, of which nothing is kept).
        """
        stage = (build.__module__, build.__qualname__, *arguments)
        assert engine.pool.checkedout() == 0, "a stage is entered before the first session is opened"  # type: ignore[attr-defined]
        if stage not in self.kept:
            result = build(engine, *arguments)
            self.kept[stage] = (self.keep(engine), None if result is engine else copy.deepcopy(result))
        else:
            engine.dispose()
            self.replace(engine, self.kept[stage][0])
        return copy.deepcopy(self.kept[stage][1])

    @abstractmethod
    def open(self, place: Path) -> Engine:
        """An engine on a new database, which is a copy of the empty one where there is one already."""

    @abstractmethod
    def keep(self, engine: Engine) -> str:
        """Put a copy of the database away."""

    @abstractmethod
    def replace(self, engine: Engine, kept: str) -> None:
        """Put the copy in the place of the database; nobody may be connected."""

    @abstractmethod
    def remove(self, engine: Engine) -> None:
        """Remove the database."""

    @abstractmethod
    def close(self) -> None:
        """Remove what was kept."""


class Files(Shelf):
    """SQLite: a database is a file, a copy is a copied file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def open(self, place: Path) -> Engine:
        file = place / "test.db"
        if EMPTY in self.kept:
            shutil.copyfile(self.kept[EMPTY][0], file)
        return open_sharing(f"sqlite:///{file}")

    def keep(self, engine: Engine) -> str:
        kept = self.folder / f"{len(self.kept)}.db"
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
        engine.dispose()
        shutil.copyfile(str(engine.url.database), kept)
        return str(kept)

    def replace(self, engine: Engine, kept: str) -> None:
        file = Path(str(engine.url.database))
        for left in (file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            left.unlink(missing_ok=True)
        shutil.copyfile(kept, file)

    def remove(self, engine: Engine) -> None:
        """Goes with the folder of its test."""

    def close(self) -> None:
        """Goes with the folder of the session."""


class Server(Shelf):
    """PostgreSQL: a copy is made from a template; all names are the session's own, so that checkouts share a server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.office = create_engine(url, isolation_level="AUTOCOMMIT")
        self.family = f"sandeng_test_{uuid.uuid4().hex[:10]}"
        self.made = 0

    def open(self, place: Path) -> Engine:
        name = self._name()
        with self.office.connect() as connection:
            if EMPTY in self.kept:
                self._copy(connection, self.kept[EMPTY][0], name)
            else:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
        return open_sharing(self.office.url.set(database=name).render_as_string(hide_password=False))

    def keep(self, engine: Engine) -> str:
        kept = self._name()
        engine.dispose()
        with self.office.connect() as connection:
            self._copy(connection, str(engine.url.database), kept)
        return kept

    def replace(self, engine: Engine, kept: str) -> None:
        self.remove(engine)
        with self.office.connect() as connection:
            self._copy(connection, kept, str(engine.url.database))

    def remove(self, engine: Engine) -> None:
        with self.office.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {engine.url.database} WITH (FORCE)"))

    def close(self) -> None:
        with self.office.connect() as connection:
            for kept, _ in self.kept.values():
                connection.execute(text(f"DROP DATABASE IF EXISTS {kept} WITH (FORCE)"))
        self.office.dispose()

    def _name(self) -> str:
        self.made += 1
        return f"{self.family}_{self.made}"

    @staticmethod
    def _copy(connection: Connection, source: str, name: str) -> None:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY WAL_LOG"))
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))  # no test pulls the plug
