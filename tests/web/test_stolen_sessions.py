"""The drill of stolen sessions, small: it passes, and fails on a build that does not ask whether a session has ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.drill import drill_sessions


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("EACH", 1), ("PAGES", 4)):
        monkeypatch.setattr(drill_sessions, name, value)


def test_a_stolen_session_opens_nothing_once_it_has_ended(engine: Engine, tmp_path: Path) -> None:
    measured = drill_sessions.stolen(engine, tmp_path)
    assert measured.kept, measured.says


def test_a_build_that_lets_ended_sessions_in_fails_the_drill(engine: Engine, tmp_path: Path) -> None:
    with drill_sessions.ended_rows_still_open():
        assert not drill_sessions.stolen(engine, tmp_path).kept
