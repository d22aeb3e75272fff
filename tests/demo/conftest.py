"""What the tests of the demonstration city share: a data dir of their own, a city on disk, the check's answer to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from workflow.clock import SHANGHAI
from workflow.db import snapshot_on
from workflow.demo.bundle import DATASETS
from workflow.quality.findings import find
from workflow.registry.importing.run import import_file

Found = tuple[str, str, str, str]  # rule, data set, key, level


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, with its own keys."""
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture
def found_in(engine: Engine) -> Callable[[Path, date], list[Found]]:
    """The findings of a full check on a day in a city whose files were imported that day."""

    def find_all(folder: Path, on: date) -> list[Found]:
        _import(engine, folder, on)
        return _check(engine, on)

    return find_all


def _import(engine: Engine, folder: Path, on: date) -> None:
    """The files of a city through the importer, on the day itself."""
    now = datetime.combine(on, time(9), SHANGHAI)
    for dataset in DATASETS:
        path = next(folder.glob(f"{dataset}.*"))
        report = import_file(engine, dataset, path, by="demo", now=now, may_write_locked=True)
        assert not report.errors, (dataset, report.errors[:3])


def _check(engine: Engine, on: date) -> list[Found]:
    """Every finding of a full check on a day."""
    with engine.connect() as connection, snapshot_on(connection) as session:
        result = find(session, on)
        assert not result.failed
        rows = session.execute(text("SELECT rule_id, dataset, record_key, level FROM found")).all()
    return [(row[0], row[1], row[2], row[3]) for row in rows]
