"""One file into one data set, whole or nothing. First everything is read and converted, without any lock; then one transaction writes.

1. Read, convert, check keys and references; converted chunks go to an unnamed temporary file, so that memory holds one chunk.
2. Any error: stop here, nothing was written.
3. Compare chunk by chunk with what is stored and write the differences in one transaction; any refusal rolls all of it back.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from workflow.db import analyze, reading, writing
from workflow.registry import tree
from workflow.registry.apply import apply_plan, key_number, moves_units
from workflow.registry.auditing import note_import
from workflow.registry.dictionary import DataSet, dictionary
from workflow.registry.importing.header import read_header
from workflow.registry.importing.parse import Faults, Parser, Pending
from workflow.registry.importing.reader import open_table
from workflow.registry.importing.report import PREVIEW_ROWS, ImportReport, preview_rows
from workflow.registry.origin import Origin, RowError, RowsRefused
from workflow.registry.plan import Plan, make_plan
from workflow.registry.quota import recount, touched_units
from workflow.registry.storage import fetch, key_map, new_ids

Progress = Callable[[str, int, int], None]  # phase (checking | writing), rows done, rows in all
Written = Callable[[Session, ImportReport], None]  # what else the writing transaction does, as its last act
ANALYZE_FROM = 10_000  # rows written from which the planner should be told


class _RolledBack(Exception):
    """Leaves the writing transaction without a commit."""


def import_file(
    engine: Engine,
    dataset: str,
    path: Path,
    *,
    by: str,
    now: datetime,
    name: str = "",
    dry_run: bool = False,
    writable_units: Collection[int] | None = None,
    may_write_locked: bool = False,
    on_behalf_of: str | None = None,
    effective_on: date | None = None,
    basis: str | None = None,
    batch_id: int | None = None,
    progress: Progress | None = None,
    written: Written | None = None,
) -> ImportReport:
    """Import an xlsx or CSV file. An edge: opens its own transaction; the report has errors exactly if nothing was written.

    `name`: the file's name as uploaded; `writable_units`: ids of the units whose records may be written (None: all);
    `dry_run`: only tell what would happen, with a preview; `written`: called in the transaction that writes, as its last act, with the
    report. Raises BadInput where the file as a whole cannot be read.
    """
    began = time.perf_counter()
    origin = Origin(
        by=by, now=now, effective_on=effective_on, on_behalf_of=on_behalf_of, source="import", basis=basis, batch_id=batch_id,
        source_ref=f"batch:{batch_id}" if batch_id else None, may_write_locked=may_write_locked, units=writable_units,
    )  # fmt: skip
    report = ImportReport(dataset, file_sha256=sha256_of(path), dry_run=dry_run)
    job = _Import(engine, dictionary()[dataset], origin, report, progress or _silent, written, began)
    try:
        job.read(path, name)
        job.compare() if dry_run else job.write()
    except RowsRefused as refused:
        report.errors, report.error_count = refused.errors[:1000], len(refused.errors)
    finally:
        job.close()
    report.seconds = time.perf_counter() - began
    return report


def sha256_of(path: Path) -> str:
    """The file's digest; empty where there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _silent(_phase: str, _done: int, _total: int) -> None:
    """For callers who do not watch."""


class _Import:
    """One run: the spilled chunks, the faults, the counts."""

    def __init__(
        self,
        engine: Engine,
        dataset: DataSet,
        origin: Origin,
        report: ImportReport,
        progress: Progress,
        written: Written | None,
        began: float,
    ) -> None:
        self.engine, self.dataset, self.origin, self.report, self.progress = engine, dataset, origin, report, progress
        self.written, self.began = written, began
        self.faults = Faults()
        self.spill: IO[bytes] = tempfile.TemporaryFile(prefix="sandeng-import-")  # noqa: SIM115  (closed by close)
        self.parents: dict[str, Any] = {}  # key → parent, where the data set refers to itself
        self.pending: set[str] = set()
        self.names: list[str] = []
        self.key_floor = 0

    def close(self) -> None:
        """Forget the spilled chunks."""
        self.spill.close()

    def read(self, path: Path, name: str) -> None:
        """Step 1: read, convert and spill."""
        table = open_table(path, name)
        header = read_header(self.dataset, table)
        refs = {f.ref for _, f in header.columns if f.ref}
        with reading(self.engine) as session:
            keys = {ref: key_map(session, ref) for ref in refs}
        parser = Parser(self.dataset, header, keys, self.faults)
        self.names = parser.names
        own = next((i for i, f in enumerate(parser.fields) if f.ref == self.dataset.name), None)
        key_at = self.names.index(self.dataset.key) if self.dataset.key in self.names else None
        for chunk in table.chunks():
            numbers, rows = parser.parse(chunk)
            self.report.rows = parser.rows
            pickle.dump((numbers, rows), self.spill, protocol=pickle.HIGHEST_PROTOCOL)
            if own is not None and key_at is not None:
                self.parents |= {row[key_at]: row[own] for row in rows if row[key_at]}
            self.progress("checking", self.report.rows, table.total)
        parser.check_pending()
        self.pending = set(parser.pending)
        self.key_floor = max((key_number(self.dataset, key) for key in parser.seen), default=0)
        if self.parents:
            self._check_cycles(parser, keys[self.dataset.name])

    def _check_cycles(self, parser: Parser, ids: dict[str, int]) -> None:
        """A cycle of parents, in the file or together with what is stored, is told at one row of the file."""
        codes = {i: key for key, i in ids.items()}
        with reading(self.engine) as session:
            stored = {
                row[self.dataset.key]: codes.get(row["parent_id"]) for row in fetch(session, self.dataset, "id", codes)
            }
        graph = stored | {key: codes.get(parent, parent) for key, parent in self.parents.items()}
        while cycle := tree.find_cycle(graph):
            f = self.dataset.fields["parent"]
            number = min(parser.seen[key] for key in cycle if key in parser.seen)
            self.faults.add(RowError(number, f.name, f.label, "", "O08", f"第 {number} 行{tree.cycle_message(cycle)}"))
            graph |= dict.fromkeys(cycle)

    def _chunks(self) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
        """The spilled chunks again, rows as field name → value."""
        self.spill.seek(0)
        while True:
            try:
                numbers, rows = pickle.load(self.spill)
            except EOFError:
                return
            yield numbers, [dict(zip(self.names, row, strict=True)) for row in rows]

    def _plans(self, session: Session, *, lock: bool) -> Iterator[tuple[list[int], Plan]]:
        drawn = self._draw(session) if self.pending else {}
        for numbers, rows in self._chunks():
            if self.pending:
                _resolve(rows, drawn)
            yield (
                numbers,
                make_plan(session, self.dataset.name, rows, self.origin, numbers=numbers, ids=drawn, lock=lock),
            )

    def _draw(self, session: Session) -> dict[str, int]:
        """Key → id for all rows of a file whose rows refer to each other: the stored record's, or a new one."""
        found = fetch(session, self.dataset, self.dataset.key, self.parents)
        stored = {row[self.dataset.key]: row["id"] for row in found}
        missing = [key for key in self.parents if key not in stored]
        return stored | dict(zip(missing, new_ids(session, self.dataset.name, len(missing)), strict=True))

    def compare(self) -> None:
        """Step 3 without writing: counts, all errors, preview."""
        report = self.report
        done = 0
        with reading(self.engine) as session:
            for numbers, plan in self._plans(session, lock=False):
                self._count(plan)
                room = PREVIEW_ROWS - len(report.preview)
                if room > 0:
                    report.preview += preview_rows(session, plan, numbers, room)
                for error in plan.errors:
                    self.faults.add(error)
                done += len(numbers)
                self.progress("comparing", done, report.rows)
        self._conclude()

    def _count(self, plan: Plan) -> None:
        self.report.created += len(plan.creates)
        self.report.updated += len(plan.changes)
        self.report.unchanged += len(plan.unchanged)

    def _conclude(self) -> None:
        """Errors into the report; with any, the counts of a real run are 0."""
        report = self.report
        report.errors = sorted(self.faults.kept, key=lambda error: error.row)
        report.error_count = self.faults.count
        if report.error_count and not report.dry_run:
            report.created = report.updated = report.unchanged = 0

    def write(self) -> None:
        """Steps 2 and 3."""
        if not self.faults.count:
            with contextlib.suppress(_RolledBack):
                self._write()
        self._conclude()
        if self.report.created + self.report.updated >= ANALYZE_FROM:
            with self.engine.begin() as connection:
                analyze(connection, self.dataset.name, "record_version")

    def _write(self) -> None:
        moved, done, counted = False, 0, set[int]()
        with writing(self.engine) as session:
            for numbers, plan in self._plans(session, lock=True):
                for error in plan.errors:
                    self.faults.add(error)
                if not self.faults.count:
                    apply_plan(session, plan, self.origin, keep_tree=False, key_floor=self.key_floor)
                    moved = moved or moves_units(plan)
                    counted |= touched_units(plan)
                    self._count(plan)
                done += len(numbers)
                self.progress("writing", done, self.report.rows)
            if self.faults.count:
                raise _RolledBack
            if moved and self.dataset.name == "unit":
                tree.rebuild(session)
            recount(session, counted, self.origin.today)
            counts = {name: getattr(self.report, name) for name in ("rows", "created", "updated", "unchanged")}
            note_import(session, self.dataset, self.report.file_sha256, counts, self.origin)
            if self.written:
                self.report.seconds = time.perf_counter() - self.began
                self.written(session, self.report)


def _resolve(rows: list[dict[str, Any]], drawn: dict[str, int]) -> None:
    for row in rows:
        for name, value in row.items():
            if isinstance(value, Pending):
                row[name] = drawn[value]
