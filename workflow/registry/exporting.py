"""Records of one data set as xlsx or CSV, in the columns of the import template: handed in again, the file changes nothing.

Strings are never formulas; ID numbers and telephone numbers are masked unless whole ones are asked for; the workbook says who took it and when.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher, mask_id
from workflow.clock import SHANGHAI
from workflow.errors import BadInput
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.importing.annotate import WORKBOOK_OPTIONS
from workflow.registry.queries import keys_of
from workflow.registry.tables import TABLES
from workflow.registry.values import guarded, show, show_plain

PIECE = 2000  # records read at once
Keys = dict[tuple[str | None, Any], str]


def export(
    session: Session,
    dataset: str,
    path: Path,
    *,
    by: str,
    now: datetime,
    units: Collection[int] | Select[Any] | None = None,
    matching: Sequence[ColumnElement[bool]] = (),
    with_plain_ids: bool = False,
) -> int:
    """Write the present records of these units (ids or a sub-select; None: all) to an .xlsx or .csv; returns how many.

    `matching`: further conditions on the data set's table, those of the list that is exported.
    `with_plain_ids`: whole ID and telephone numbers; the caller has asked for that permission and writes the audit row.
    """
    described = dictionary()[dataset]
    kinds = {".xlsx": _xlsx, ".csv": _csv}
    if path.suffix.lower() not in kinds:
        raise BadInput("导出文件的扩展名应为 .xlsx 或 .csv")
    mark = f"导出账号：{by}　导出时间：{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M}　仅限工作使用"
    written = 0
    with kinds[path.suffix.lower()](path, described, mark) as put:
        for cells in _rows(session, described, units, matching, with_plain_ids):
            put(cells)
            written += 1
    return written


def _rows(
    session: Session, dataset: DataSet, units: Any, matching: Sequence[ColumnElement[bool]], plain: bool
) -> Iterator[list[str]]:
    """Each record as Chinese text in template order."""
    table = TABLES[dataset.name]
    fields = dataset.importable
    wanted = (
        select(*(table.c[f.column] for f in fields))
        .where(table.c.removed_on.is_(None), *matching)
        .order_by(table.c[dataset.key])
    )
    if units is not None:
        own = table.c[dataset.fields[dataset.unit].column] if dataset.unit else table.c.id
        wanted = wanted.where(own.in_(units))
    texts = [_text_of(f, plain) for f in fields]
    for rows in session.execute(wanted.execution_options(yield_per=PIECE)).partitions(PIECE):
        keys = _keys(session, fields, rows)
        for row in rows:
            yield [text(keys, value) for text, value in zip(texts, row, strict=True)]


def _text_of(f: Field, plain: bool) -> Callable[[Keys, Any], str]:
    """How a column becomes text."""
    if f.type == "ref":
        return lambda keys, value: keys.get((f.ref, value), "")
    if f.type == "id":
        cipher = field_cipher()
        opened = cipher.open if plain else lambda sealed: mask_id(cipher.open(sealed))
        return lambda _keys, value: opened(value) if value else ""
    shown = show_plain if plain else show
    return lambda _keys, value: shown(f, value)


def _keys(session: Session, fields: list[Field], rows: Any) -> Keys:
    found: Keys = {}
    for place, f in enumerate(fields):
        if f.ref:
            ids = {row[place] for row in rows} - {None}
            found |= {(f.ref, i): key for i, key in keys_of(session, f.ref, ids).items()}
    return found


@contextmanager
def _xlsx(path: Path, dataset: DataSet, mark: str) -> Iterator[Callable[[list[str]], None]]:
    with xlsxwriter.Workbook(str(path), WORKBOOK_OPTIONS) as book:
        text, head = (
            book.add_format({"num_format": "@"}),
            book.add_format({"bold": True, "bg_color": "#E8ECEF", "border": 1}),
        )
        sheet = book.add_worksheet(dataset.title[:30])
        sheet.set_header(f"&C{mark}")
        sheet.set_footer(f"&L{mark}&R第 &P 页，共 &N 页")
        sheet.set_column(0, len(dataset.importable) - 1, 16, text)
        sheet.freeze_panes(1, 1)
        for place, f in enumerate(dataset.importable):
            sheet.write_string(0, place, f.label, head)
        row = 0

        def put(cells: list[str]) -> None:
            nonlocal row
            row += 1
            for place, cell in enumerate(cells):
                if cell:
                    sheet.write_string(row, place, guarded(cell), text)

        yield put
        book.add_worksheet("导出说明").write_string(0, 0, mark)


@contextmanager
def _csv(path: Path, dataset: DataSet, _mark: str) -> Iterator[Callable[[list[str]], None]]:
    texts = [f.type in ("text", "longtext", "ref", "uscc", "id") for f in dataset.importable]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f.label for f in dataset.importable])
        yield lambda cells: writer.writerow(
            [guarded(cell, formulas=True) if text else cell for text, cell in zip(texts, cells, strict=True)]
        )
