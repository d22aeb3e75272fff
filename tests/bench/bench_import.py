"""Import of a person file of 200,000 rows and 45 columns: dry run, first import, the same file again, with the memory of each process."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import xlsxwriter

from tests.bench.report import Report, peak_rss
from workflow.db import open_engine
from workflow.registry.dictionary import Field, dictionary
from workflow.registry.identity import id_check
from workflow.registry.importing.run import import_file

PEOPLE, UNITS, COLUMNS = 200_000, 4_000, 45
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LEFT_OUT = {"inner_org", "work_unit", "remark"}


def run(report: Report) -> None:
    """Measure on every database that this run can reach."""
    for people in report.sizes(PEOPLE):
        _one_size(report, people, people * UNITS // PEOPLE)


def _one_size(report: Report, people: int, units: int) -> None:
    with tempfile.TemporaryDirectory(prefix="sandeng-bench-") as folder:
        os.environ["SANDENG_DATA_DIR"] = folder
        person, unit = Path(folder) / "person.xlsx", Path(folder) / "unit.xlsx"
        _write_book(unit, ["机构编码", "机构全称"], ([_unit_code(i), f"机构{i}"] for i in range(units)))
        _write_people(person, people, units)
        baseline = _read_by_openpyxl(person)
        for engine in report.engines():
            with report.database(engine) as opened:
                url = opened.url.render_as_string(hide_password=False)
                _in_own_process(url, "unit", unit, False)
                _measure(report, engine, url, person, people, baseline)


def _measure(report: Report, engine: str, url: str, path: Path, people: int, baseline: float) -> None:
    """Dry run, import, import again; the bounds are those of the full size."""
    share = people / PEOPLE
    for work, dry, bound, memory in (
        ("试导入", True, 40, None),
        ("导入", False, 90, 1024),
        ("同一文件再次导入", False, 90, 1024),
    ):
        seconds, peak, told = _in_own_process(url, "person", path, dry)
        assert not told["error_count"], told["errors"][:3]
        title = f"{work} {people:,} 人 × {COLUMNS} 列 xlsx"
        counts = f"新增 {told['created']:,}，未变 {told['unchanged']:,}"
        report.row(
            title,
            engine,
            seconds,
            bound=bound * share,
            baseline="openpyxl 仅读取",
            baseline_value=baseline,
            note=counts,
        )
        report.row(f"{title} 内存", engine, peak, bound=memory, unit="MiB", note=counts)


def _in_own_process(url: str, dataset: str, path: Path, dry: bool) -> tuple[float, float, dict[str, Any]]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_import, (url, dataset, path, dry))


def _import(url: str, dataset: str, path: Path, dry: bool) -> tuple[float, float, dict[str, Any]]:
    began = time.perf_counter()
    report = import_file(open_engine(url), dataset, path, by="bench", now=NOW, dry_run=dry, may_write_locked=True)
    return time.perf_counter() - began, peak_rss(), report.as_dict()


def _read_by_openpyxl(path: Path) -> float:
    """What reading alone takes with the library that most would take."""
    began = time.perf_counter()
    for _ in openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True):
        pass
    return time.perf_counter() - began


def _unit_code(i: int) -> str:
    return f"3302{i:06d}"


def _write_book(path: Path, header: list[str], rows: Any) -> None:
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet()
    for r, row in enumerate([header, *rows] if isinstance(rows, list) else _with_header(header, rows)):
        for c, value in enumerate(row):
            if value is not None:
                sheet.write_string(r, c, value)
    book.close()


def _with_header(header: list[str], rows: Any) -> Any:
    yield header
    yield from rows


def _write_people(path: Path, people: int, units: int) -> None:
    """The first 45 columns that need no other data set than units, seven in eight cells filled."""
    fields = [f for f in dictionary()["person"].importable if f.name not in LEFT_OUT][:COLUMNS]
    chance = random.Random(2026)
    makers = [_maker(f, units, chance) for f in fields]
    rows = (
        [
            make(i) if c == 0 or f.required or i % 8 != c % 8 else None
            for c, (f, make) in enumerate(zip(fields, makers, strict=True))
        ]
        for i in range(people)
    )
    _write_book(path, [f.label for f in fields], rows)


def _maker(f: Field, units: int, chance: random.Random) -> Callable[[int], str | None]:
    """What fills a column."""
    if f.name == "person_code":
        return lambda i: f"P{i + 1:08d}"
    if f.type == "ref":
        return lambda i: _unit_code(i % units)
    if f.type == "id":
        return _id_number
    if f.name == "birth_date":
        return lambda i: _birth(i).isoformat()
    if f.type == "code":
        labels = [item.label for item in dictionary().codes_of(f).items]
        return lambda i: labels[i * 7 % len(labels)]
    if f.type == "date":
        return lambda i: (date(2000, 1, 1) + timedelta(days=chance.randrange(9000))).isoformat()
    if f.type == "month":
        return lambda i: f"20{30 + i % 30}-0{1 + i % 9}"
    if f.type == "bool":
        return lambda i: "是" if i % 9 == 0 else "否"
    if f.type == "int":
        return lambda i: str(i % 50)
    return lambda i: f"{f.label[:4]}{chance.randrange(100_000)}"


def _birth(i: int) -> date:
    return date(1965, 1, 1) + timedelta(days=i % 12_000)


def _id_number(i: int) -> str:
    first = f"330203{_birth(i):%Y%m%d}{i // 12_000 % 1000:03d}"
    return first + id_check(first)
