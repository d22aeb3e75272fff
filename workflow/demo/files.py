"""Writes a city as import files, one per data set, row by row: xlsx in constant memory, or csv for millions of rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from workflow.demo.bundle import DATASETS, Bundle, Record
from workflow.registry.dictionary import dictionary

FORMATS = ("xlsx", "csv")
Writer = Callable[[list[Any]], None]


def write_city(made: Iterable[Bundle], folder: Path, file_format: str = "xlsx") -> dict[str, int]:
    """Write every data set of the bundles into the folder. Returns rows per data set."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = {name: _Sheet(folder / f"{name}.{file_format}", name) for name in DATASETS}
    counts = dict.fromkeys(DATASETS, 0)
    try:
        for bundle in made:
            for name, records in bundle.sets.items():
                opened[name].add(records)
                counts[name] += len(records)
    finally:
        for sheet in opened.values():
            sheet.close()
    return counts


def cell(value: Any) -> Any:
    """A value as a file has it: dates in ISO form, 是 and 否, numbers as numbers."""
    if isinstance(value, date):
        return value.isoformat()
    if value is True or value is False:
        return "是" if value else "否"
    return value


class _Sheet:
    """One file with the header of its data set."""

    def __init__(self, path: Path, dataset: str) -> None:
        fields = dictionary()[dataset].importable
        self.names = [f.name for f in fields]
        self._context: AbstractContextManager[Writer] = (_csv if path.suffix == ".csv" else _xlsx)(path)
        self._write = self._context.__enter__()
        self._write([f.label for f in fields])

    def add(self, records: list[Record]) -> None:
        """Append records as rows."""
        for record in records:
            self._write([cell(record.get(name)) for name in self.names])

    def close(self) -> None:
        """Finish the file."""
        self._context.__exit__(None, None, None)


@contextmanager
def _csv(path: Path) -> Iterator[Writer]:
    with path.open("w", encoding="utf-8-sig", newline="") as opened:
        yield csv.writer(opened).writerow


@contextmanager
def _xlsx(path: Path) -> Iterator[Writer]:
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet(worksheet_class=_RowSheet)
    yield sheet.write_cells
    book.close()


class _RowSheet(Worksheet):
    """A sheet in constant memory that takes whole rows, four times as fast as cell by cell: text as text, numbers as numbers."""

    rows_written: int = 0

    def write_cells(self, row: list[Any]) -> None:
        """The next row; None leaves a cell empty."""
        number = self.rows_written
        self._check_dimensions(number, len(row) - 1)
        cells = [
            _xml(column, number + 1, value) for column, value in zip(_COLUMNS, row, strict=False) if value is not None
        ]
        self.fh.write(f'<row r="{number + 1}">{"".join(cells)}</row>')
        self.rows_written = number + 1


_COLUMNS = [xl_col_to_name(place) for place in range(200)]


def _xml(column: str, row: int, value: Any) -> str:
    if value.__class__ is str:
        return f'<c r="{column}{row}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c r="{column}{row}"><v>{value}</v></c>'
