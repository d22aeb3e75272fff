"""Fixtures that every test may ask for (README.md). The embedded database is the default; servers are used only where named."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import tests.lightened  # noqa: F401  (before any database or account)
from tests.databases import Files, Server, Shelf
from workflow.db import begin_write

Staged = Callable[..., Any]
SERVER = "SANDENG_TEST_POSTGRESQL"  # where the tests of both databases find PostgreSQL
EVERYWHERE = "SANDENG_TEST_DATABASE_URL"  # the server that takes the place of the embedded database


# No deadline for one example: the machine may be busy. In .ci/run the same examples every time.
hypothesis.settings.register_profile("house", deadline=None, derandomize="SANDENG_TEST_STEADY" in os.environ)
hypothesis.settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs on whichever database is asked for, and begin with what takes long in one piece, so that no worker ends alone.

    What starts processes and watches the clock on the wall is one piece, each file of browser tests another.
    """
    pieces: dict[str, list[pytest.Item]] = {}
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if "engine" in asked:
            item.add_marker(pytest.mark.database)
        piece = "machine" if "spawn" in asked else item.path.stem if "chromium" in asked else ""
        if piece:
            item.add_marker(pytest.mark.xdist_group(piece))
        pieces.setdefault(piece, []).append(item)
    rest = pieces.pop("", [])
    items[:] = [*pieces.pop("machine", []), *itertools.chain(*pieces.values()), *rest]


@pytest.fixture(scope="session")
def sqlite_shelf(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The embedded databases of this session."""
    return Files(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def postgresql_shelf() -> Iterator[Server]:
    """The PostgreSQL databases of this session; skipped by name where no server is named."""
    url = os.environ.get(SERVER) or os.environ.get(EVERYWHERE)
    if not url:
        pytest.skip(f"needs PostgreSQL: set {SERVER}")
    opened = Server(url)
    yield opened
    opened.close()


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database with every table: embedded, or PostgreSQL where SANDENG_TEST_DATABASE_URL names a server."""
    shelf: Shelf = request.getfixturevalue("postgresql_shelf" if os.environ.get(EVERYWHERE) else "sqlite_shelf")
    with shelf.fresh(tmp_path) as opened:
        yield opened


@pytest.fixture
def pg_engine(postgresql_shelf: Server, tmp_path: Path) -> Iterator[Engine]:
    """An empty PostgreSQL database with every table."""
    with postgresql_shelf.fresh(tmp_path) as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both_engines(request: pytest.FixtureRequest) -> Engine:
    """The same test on the embedded database and on PostgreSQL."""
    found: Engine = request.getfixturevalue("engine" if request.param == "sqlite" else "pg_engine")
    return found


@pytest.fixture
def staged(request: pytest.FixtureRequest) -> Staged:
    """`staged(engine, build, *arguments)`: what `build(engine, *arguments)` writes and returns, worked out once a session."""

    def bring(engine: Engine, build: Callable[..., Any], *arguments: Any) -> Any:
        shelf: Shelf = request.getfixturevalue(
            "sqlite_shelf" if engine.dialect.name == "sqlite" else "postgresql_shelf"
        )
        return shelf.bring(engine, build, *arguments)

    return bring


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A write session; what a test does not commit is rolled back."""
    with Session(engine, expire_on_commit=False) as opened:
        begin_write(opened)
        yield opened
        opened.rollback()


@pytest.fixture
def now() -> datetime:
    """Monday 2 March 2026, nine in the morning in Ningbo."""
    return datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
