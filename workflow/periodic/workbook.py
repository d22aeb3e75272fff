"""A list as an XLSX workbook in memory: strings never formulas, a last line that says who took it and when (办法17)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

from workflow.clock import SHANGHAI
from workflow.registry.importing.annotate import WORKBOOK_OPTIONS


def workbook(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]], *, by: str, now: datetime) -> bytes:
    """One sheet with a heading row; numbers stay numbers, everything else is text."""
    kept = io.BytesIO()
    with xlsxwriter.Workbook(kept, {**WORKBOOK_OPTIONS, "in_memory": True}) as book:
        sheet = book.add_worksheet(title[:31])
        bold = book.add_format({"bold": True, "bg_color": "#EEF3F0", "border": 1})
        for column, text in enumerate(header):
            sheet.write_string(0, column, text, bold)
        number = 0
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                _put(sheet, number, column, value)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(header) - 1, 18)
        mark = f"导出账号：{by}　导出时间：{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M}　仅限工作使用"
        sheet.write_string(number + 2, 0, mark)
    return kept.getvalue()


def _put(sheet: Any, row: int, column: int, value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool):
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, "" if value is None else str(value))
