"""The uploaded file once more with its errors marked: red cells with a comment, and a last column that says what is wrong in the row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import xlsxwriter

from workflow.registry.importing.header import ERROR_COLUMN
from workflow.registry.importing.reader import open_table

WORKBOOK_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
Errors = dict[int, list[Mapping[str, Any]]]


def annotated(
    source: Path, out: Path, errors: Sequence[Mapping[str, Any]], *, name: str = "", total: int | None = None
) -> None:
    """Write a marked copy of `source` (called `name` by its owner) to `out`, an xlsx. `errors` as ImportReport.as_dict gives them,
    of `total` in all: the head of the last column says where they are not all.

    Every cell stays as it was, dates as ISO text; rows without any error are kept, so that the file can be corrected and handed in again.
    Raises BadInput where the source as a whole cannot be read.
    """
    table = open_table(source, name)
    labels = [str(cell).strip() if cell not in ("", None) else "" for cell in table.header]
    places = [place for place, label in enumerate(labels) if not label.startswith(ERROR_COLUMN)]
    by_row: Errors = defaultdict(list)
    for error in errors:
        by_row[error["row"]].append(error)
    with xlsxwriter.Workbook(str(out), WORKBOOK_OPTIONS) as book:
        cut = f"（共 {total:,} 处，只标注了前 {len(errors):,} 处）" if total and total > len(errors) else ""
        sheet = _Sheet(book, [labels[place] for place in places], ERROR_COLUMN + cut)
        sheet.row(1, [labels[place] for place in places], by_row, header=True)
        for chunk in table.chunks():
            for number, cells in zip(chunk.numbers, chunk.rows, strict=True):
                sheet.row(number, [cells[place] for place in places], by_row)


class _Sheet:
    """The copy as it grows, row by row."""

    def __init__(self, book: xlsxwriter.Workbook, labels: list[str], last: str) -> None:
        self.sheet = book.add_worksheet()
        self.labels, self.last = labels, last
        self.text = book.add_format({"num_format": "@"})
        self.head = book.add_format({"num_format": "@", "bold": True, "bg_color": "#E8ECEF"})
        self.bad = book.add_format({"num_format": "@", "bg_color": "#F8C9C9", "font_color": "#8C1515"})
        self.sheet.set_column(0, max(0, len(labels) - 1), 16, self.text)
        self.sheet.set_column(len(labels), len(labels), 60, self.text)
        self.sheet.freeze_panes(1, 1)

    def row(self, number: int, cells: list[Any], by_row: Errors, *, header: bool = False) -> None:
        """One row of the file, `number` as a spreadsheet counts."""
        wrong: dict[str, list[str]] = defaultdict(list)
        for error in by_row.get(number, ()):
            wrong[error["label"]].append(error["message"])
        for place, cell in enumerate(cells):
            told = wrong.get(self.labels[place]) if self.labels[place] else None
            style = self.bad if told else self.head if header else self.text
            _write(self.sheet, number - 1, place, cell, style)
            if told:
                self.sheet.write_comment(number - 1, place, "\n".join(told), {"x_scale": 2})
        said = "；".join(message for messages in wrong.values() for message in messages)
        if header:
            said = self.last if not said else f"{self.last}：{said}"
        if said:
            self.sheet.write_string(number - 1, len(self.labels), said, self.head if header else self.bad)


def _write(sheet: Any, row: int, column: int, cell: Any, style: Any) -> None:
    if cell is None or cell == "":
        sheet.write_blank(row, column, None, style)
    elif isinstance(cell, bool | int | float):
        sheet.write(row, column, cell, style)
    elif isinstance(cell, datetime) and cell.time() == time(0):
        sheet.write_string(row, column, cell.date().isoformat(), style)
    elif isinstance(cell, date | datetime):
        sheet.write_string(row, column, cell.isoformat(), style)
    else:
        sheet.write_string(row, column, str(cell), style)
