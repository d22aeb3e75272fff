"""A small city and files made on the spot: every importer test reads a real file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from workflow.db import writing
from workflow.registry.importing.report import ImportReport
from workflow.registry.importing.run import import_file
from workflow.registry.models import RecordVersion
from workflow.registry.records import write
from workflow.registry.tables import TABLES

Rows = Sequence[Sequence[Any]]
PERSON = {"name": "王小明", "sex": "1", "id_no": "33020319650115001X", "birth_date": 19650115}


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Field keys of the test's own."""
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))


@pytest.fixture
def xlsx(tmp_path: Path) -> Callable[..., Path]:
    """A workbook of the given rows, header first."""

    def make(rows: Rows, name: str = "file.xlsx") -> Path:
        path = tmp_path / name
        with xlsxwriter.Workbook(str(path)) as book:
            sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    if isinstance(cell, datetime):
                        sheet.write_datetime(r, c, cell, day)
                    elif isinstance(cell, str):
                        sheet.write_string(r, c, cell)
                    elif cell is not None:
                        sheet.write(r, c, cell)
        return path

    return make


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """A CSV of the given rows in an encoding."""

    def make(rows: Rows, encoding: str = "utf-8") -> Path:
        path = tmp_path / "file.csv"
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    return make


@pytest.fixture
def units(engine: Engine, now: datetime) -> dict[str, int]:
    """市局 with two subordinates: code → id."""
    return found_units(engine, now)


def found_units(engine: Engine, now: datetime) -> dict[str, int]:
    """Write the three units into any database."""
    with writing(engine) as session:
        top = write(
            session, "unit", [{"unit_code": "U1", "name": "市局"}], by="office", now=now, may_write_locked=True
        ).ids[0]
        rows = [{"unit_code": code, "name": name, "parent": top} for code, name in (("U2", "一所"), ("U3", "二所"))]
        below = write(session, "unit", rows, by="office", now=now, may_write_locked=True)
    return {"U1": top, "U2": below.ids[0], "U3": below.ids[1]}


@pytest.fixture
def bring(engine: Engine, now: datetime) -> Callable[..., ImportReport]:
    """Import a file as the office does."""

    def run(dataset: str, path: Path, **more: Any) -> ImportReport:
        return import_file(engine, dataset, path, **({"by": "office", "now": now, "may_write_locked": True} | more))

    return run


def counted(engine: Engine) -> dict[str, int]:
    """Rows of every data set, and versions: to see that nothing was written."""
    with Session(engine) as session:
        counts = {name: session.scalar(select(func.count()).select_from(table)) or 0 for name, table in TABLES.items()}
        return counts | {"version": session.scalar(select(func.count(RecordVersion.id))) or 0}
