"""The check itself: every rule over the data (or over the records in `scope`), its findings in the TEMP TABLE `found`. Writes nothing else.

Run inside one read snapshot (db.snapshot_on); the temporary tables stay on the connection for the bookkeeping that follows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from workflow.db import ymd
from workflow.quality.compiler_measures import Family
from workflow.quality.compiler_rule import CompiledRule
from workflow.quality.compiler_scan import Scan
from workflow.quality.due import HORIZON, DueSelect
from workflow.quality.rulebook import RuleBook
from workflow.quality.rules import compiled, rules

P = TypeVar("P")
T = TypeVar("T")
BIND = re.compile(r"(?<!\\):(today|month|horizon)\b")
FINDING = (
    "rule_id TEXT NOT NULL, dataset TEXT NOT NULL, record_id BIGINT NOT NULL, part TEXT NOT NULL, unit_id BIGINT NOT NULL,"
    " record_key TEXT NOT NULL, level TEXT NOT NULL, field TEXT NOT NULL, facts {json}, batch_id BIGINT"
)
TEMPORARY = {
    "found": FINDING,
    "judged": "rule_id TEXT NOT NULL, dataset TEXT NOT NULL, PRIMARY KEY (rule_id, dataset)",
    "scope": "dataset TEXT NOT NULL, record_id BIGINT NOT NULL, PRIMARY KEY (dataset, record_id)",
    "measured": "family TEXT NOT NULL, record_id BIGINT NOT NULL, PRIMARY KEY (family, record_id)",
    "suspects": "dataset TEXT NOT NULL, record_id BIGINT NOT NULL, marks TEXT NOT NULL",
    "due_now": "dataset TEXT NOT NULL, record_id BIGINT NOT NULL, due_on INTEGER NOT NULL",
}
# Rows of a measure from which its table is counted: a few are joined row by row, thousands must be hashed.
COUNTED_FROM = 1000
# A scoped statement begins at the few records in `scope`, as it is written, and looks up the rest by key; SQLite is told so in each.
BY_KEY = ("SET LOCAL join_collapse_limit = 1", "SET LOCAL random_page_cost = 1")


@dataclass(frozen=True)
class Judged:
    """One rule over one data set in this run: how many findings, how long in seconds, or why it could not be judged."""

    rule_id: str
    dataset: str
    findings: int
    seconds: float
    error: str | None = None


@dataclass
class FindResult:
    """What one check found; `scoped` says that only the records in the TEMP TABLE `scope` were judged."""

    on: date
    scoped: bool
    rules_hash: str
    rule_runs: list[Judged] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def findings(self) -> int:
        """How many findings stand in `found`."""
        return sum(run.findings for run in self.rule_runs)

    @property
    def failed(self) -> list[Judged]:
        """The rules that could not be judged; they close nothing."""
        return [run for run in self.rule_runs if run.error]


def find(
    session: Session,
    today: date,
    *,
    scoped: bool = False,
    datasets: Iterable[str] | None = None,
    only: tuple[str, str] | None = None,
    book: RuleBook | None = None,
) -> FindResult:
    """Judge every rule as of a business date and fill `found`, `judged` and `due_now`; `only` one (rule id, data set), for a trial.

    1. Clear the temporary tables (`scope` is the caller's: increment.py fills it).
    2. Fill the measure tables that the rules at hand join.
    3. One INSERT … SELECT per rule and data set, each behind a savepoint: a rule that fails is reported, the others stand.
    4. Tell the due days.
    """
    started = time.perf_counter()
    book = book or rules()
    connection = session.connection()
    prepare(connection)
    if scoped and connection.dialect.name == "postgresql":
        _run(connection, BY_KEY)
    result = FindResult(today, scoped, book.hash)
    result.records = count_records(connection, book, scoped, None if datasets is None else set(datasets))
    check = Check(connection, today, book, result)
    check.run() if only is None else check.try_one(only)
    result.seconds = time.perf_counter() - started
    return result


def prepare(connection: Connection) -> None:
    """Create the temporary tables on a connection, and empty all but `scope`."""
    postgresql = connection.dialect.name == "postgresql"
    statements = [f"CREATE TEMP TABLE IF NOT EXISTS {t} ({c})" for t, c in TEMPORARY.items()]
    statements += [f"DELETE FROM {table}" for table in TEMPORARY if table != "scope"]
    settings = ["SET LOCAL work_mem = '64MB'", "SET LOCAL jit = off"] if postgresql else []
    _run(connection, [one.format(json="JSONB" if postgresql else "TEXT") for one in statements] + settings)


def _run(connection: Connection, statements: Sequence[str]) -> None:
    """Statements without binds, in one go where the driver takes them so."""
    together = connection.dialect.name == "postgresql"
    for sql in ["; ".join(statements)] if together and statements else statements:
        connection.exec_driver_sql(sql)


def count_records(connection: Connection, book: RuleBook, scoped: bool, datasets: set[str] | None) -> dict[str, int]:
    """Data set → records at hand; data sets with none are left out of the run."""
    if scoped:
        counted = dict(connection.execute(text("SELECT dataset, COUNT(*) FROM scope GROUP BY dataset")).all())
    else:
        counted = {d: _count(connection, d) for d in book.datasets if datasets is None or d in datasets}
    return {d: n for d, n in counted.items() if datasets is None or d in datasets}


def _count(connection: Connection, dataset: str) -> int:
    """All less the removed: two indexes answer that, where asking every row cost a fifth of a check of few rules."""
    removed = f'SELECT COUNT(*) FROM "{dataset}" WHERE removed_on IS NOT NULL'
    return int(connection.execute(text(f'SELECT COUNT(*) - ({removed}) FROM "{dataset}"')).scalar_one())


class Check:
    """One run of a book on one connection."""

    def __init__(self, connection: Connection, today: date, book: RuleBook, result: FindResult) -> None:
        self.connection, self.book, self.result = connection, book, result
        self.statements = compiled(book, connection.dialect.name)
        self.binds = {"today": ymd(today), "month": ymd(today) // 100, "horizon": ymd(today + HORIZON)}
        self.among = "scope" if result.scoped else None
        self.broken: dict[str, str] = {}  # measure table → why it could not be filled
        self.suspected: dict[str, str] = {}  # SELECT of suspects that was carried out → the marks that it set
        self.looked: dict[tuple[str, str], tuple[float, bool]] = {}  # rule → share of the look in seconds, any suspects

    def run(self) -> None:
        """Measures, shared looks, rules, due days, in this order."""
        made, present = self.statements.made, self.result.records
        judged = [rule for key, rule in made.rules.items() if key[1] in present]
        dues = [select for dataset, select in self.statements.due.items() if dataset in present]
        if self.result.scoped:
            for sql in dict.fromkeys(sql for rule in judged for sql in rule.referred):
                self._execute(sql)
        self._fill(made.families_of(judged, (f for select in dues for f in select.families)))
        self._look([scan for scan in self.statements.scans if scan.dataset in present])
        self._judge(judged)
        self._tell(dues)
        self._remember()

    def try_one(self, key: tuple[str, str]) -> None:
        """One rule on its own, without the shared look and without due days."""
        rule = self.statements.made.rules[key]
        self._fill(self.statements.made.families_of([rule]))
        self._judge([rule])
        self._remember()

    def _execute(self, sql: str) -> CursorResult[Any]:
        """A compiled statement, handed to the driver as it is: reading fifty long texts for binds costs more than to run them."""
        named = BIND.findall(sql)
        if self.connection.dialect.name == "postgresql":
            sql = BIND.sub(r"%(\1)s", sql.replace("%", "%%"))
        return self.connection.exec_driver_sql(sql.replace("\\:", ":"), {name: self.binds[name] for name in named})

    def _tried(self, work: Callable[[], T]) -> tuple[T | None, str]:
        """What some work gives, or nothing and the reason why it failed and was undone."""
        self.connection.exec_driver_sql("SAVEPOINT trial")
        suspected = dict(self.suspected)
        try:
            return work(), ""
        except SQLAlchemyError as error:
            self.suspected = suspected  # those that the work added are undone with it
            self.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT trial")
            return None, str(getattr(error, "orig", None) or error).splitlines()[0]
        finally:
            self.connection.exec_driver_sql("RELEASE SAVEPOINT trial")

    def _each(self, pieces: Sequence[P], work: Callable[[P], T]) -> list[tuple[P, T | None, str]]:
        """Every piece with its result or the reason why it failed: all behind one savepoint, and each behind its own where that fails."""
        if not pieces:
            return []
        together, failed = self._tried(lambda: [work(piece) for piece in pieces])
        if together is not None and not failed:
            return [(piece, told, "") for piece, told in zip(pieces, together, strict=True)]
        return [(piece, *self._tried(lambda piece=piece: work(piece))) for piece in pieces]  # type: ignore[misc]

    def _fill(self, families: list[Family]) -> None:
        dialect = self.connection.dialect.name
        _run(self.connection, [sql for f in families for sql in (f.create_sql(dialect), f"DELETE FROM {f.table}")])
        for family, rows, error in self._each(
            families, lambda f: self._execute(f.fill_sql(self.result.scoped)).rowcount
        ):
            if error:
                self.broken[family.table] = error
            elif dialect == "postgresql" and self.result.scoped and (rows or 0) >= COUNTED_FROM:
                self._execute(f"ANALYZE {family.table}")

    def _broken(self, families: Iterable[Family]) -> str:
        return next((self.broken[family.table] for family in families if family.table in self.broken), "")

    def _look(self, scans: list[Scan]) -> None:
        """Mark the suspects of each data set; a look that fails leaves each of its rules to be judged on its own."""
        sound = [scan for scan in scans if not self._broken(self.statements.made.families_of(scan.rules))]
        for scan, told, error in self._each(sound, self._seen):
            if told is not None and not error:
                share, marks = told
                self.looked |= {rule.rule.key: (share, rule.mark in marks) for rule in scan.rules}

    def _seen(self, scan: Scan) -> tuple[float, str]:
        """One look: its seconds per rule, and all marks that it set."""
        started = time.perf_counter()
        marks = self._suspect(scan.select_sql(self.result.scoped), scan.dataset)
        return (time.perf_counter() - started) / len(scan.rules), marks

    def _suspect(self, select: str, dataset: str) -> str:
        """Fill `suspects`; gives all marks that were set. PostgreSQL works in parallel on a plain SELECT only: all records pass through here."""
        filling = f"INSERT INTO suspects (dataset, record_id, marks) {select}"
        if self.connection.dialect.name == "sqlite":
            self._execute(filling)
            told = text("SELECT DISTINCT marks FROM suspects WHERE dataset = :d")
            return "".join(self.connection.execute(told, {"d": dataset}).scalars())
        if self.result.scoped:
            return "".join(set(self._execute(f"{filling} RETURNING marks").scalars()))
        found = [tuple(row) for row in self._execute(select)]
        listed = "INSERT INTO suspects SELECT :d, UNNEST(CAST(:ids AS BIGINT[])), UNNEST(CAST(:marks AS TEXT[]))"
        if found:
            binds = {"d": dataset, "ids": [row[1] for row in found], "marks": [row[2] for row in found]}
            self.connection.execute(text(listed), binds)
        return "".join({row[2] for row in found})

    def _judge(self, rules: list[CompiledRule]) -> None:
        unbroken = []
        for rule in rules:
            error = self._broken(self.statements.made.families_of([rule]))
            if error:
                self.result.rule_runs.append(Judged(*rule.rule.key, 0, 0.0, error))
            else:
                unbroken.append(rule)
        for rule, told, error in self._each(unbroken, self._put):
            rows, seconds = told or (0, 0.0)
            self.result.rule_runs.append(Judged(*rule.rule.key, rows, seconds, error or None))

    def _put(self, rule: CompiledRule) -> tuple[int, float]:
        """One rule's findings into `found`: how many, and seconds with its share of the look."""
        share, suspected = self.looked.get(rule.rule.key, (0.0, True))
        if not suspected:
            return 0, share
        started, among = time.perf_counter(), self.among
        before = rule.before_scoped if among else rule.before
        if before:
            if before not in self.suspected:
                self.suspected[before] = self._suspect(before, rule.rule.dataset)
            if rule.mark not in self.suspected[before]:
                return 0, time.perf_counter() - started
            among = "suspects"
        rows = self._execute(rule.tell_sql() if rule.rule.key in self.looked else rule.insert_sql(among)).rowcount
        return rows, time.perf_counter() - started + share

    def _tell(self, dues: list[DueSelect]) -> None:
        """Where the due days cannot be told, no increment may build on this run: it forgets by which rules it judged."""
        sound = [select for select in dues if not self._broken(select.families)]
        told = self._each(sound, lambda select: self._execute(select.insert_sql(self.result.scoped)).rowcount)
        if len(sound) < len(dues) or any(error for _, _, error in told):
            self.result.rules_hash = ""

    def _remember(self) -> None:
        rows = [{"r": run.rule_id, "d": run.dataset} for run in self.result.rule_runs if not run.error]
        if rows:
            self.connection.execute(text("INSERT INTO judged (rule_id, dataset) VALUES (:r, :d)"), rows)
