"""A list as a CSV file: UTF-8 with BOM for spreadsheets, formulas disarmed, a watermark line that says who took it and when (办法17)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Response

from web.look import moment

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def csv_answer(
    name: str, header: Sequence[str], rows: Iterable[Sequence[Any]], *, by: str, at: datetime, cut: str = ""
) -> Response:
    """The rows as a download; `cut`: what the last line says where they are not all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    for row in rows:
        writer.writerow([disarmed(value) for value in row])
    if cut:
        writer.writerow([cut])
    writer.writerow([f"导出人 {by} 导出时间 {moment(at)}"])
    answer = Response("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f"attachment; filename=\"export.csv\"; filename*=UTF-8''{quote(name)}"
    return answer


def disarmed(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(DANGEROUS) else text
