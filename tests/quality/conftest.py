"""Fixtures of the check engine: the rule book in force, and a small city of invented rows on either engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from tests.quality.invent import fill
from workflow.db import writing_on
from workflow.quality.rulebook import RuleBook
from workflow.quality.rules import rules

TODAY = date(2026, 3, 2)


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Field keys of the test's own."""
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))


@pytest.fixture
def rule_book() -> RuleBook:
    """The rules in force."""
    return rules()


@pytest.fixture
def today() -> date:
    """Monday 2 March 2026."""
    return TODAY


@contextmanager
def invented(engine: Engine, book: RuleBook, *, rows: int, seed: int) -> Iterator[Connection]:
    """A connection to a database filled with invented rows; references may dangle, as after years of patching."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.rollback()
        with writing_on(connection) as session:
            fill(session.connection(), book.dictionary, TODAY, rows=rows, seed=seed)
        yield connection
