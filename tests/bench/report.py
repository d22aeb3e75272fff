"""The table that the benches fill: one row a figure, with its bound and the baseline measured in the same run."""

from __future__ import annotations

import json
import os
import resource
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from workflow.db import Base, open_engine


@dataclass
class Row:
    """One figure; seconds unless a unit says otherwise."""

    work: str
    engine: str
    value: float
    bound: float | None = None
    unit: str = "s"
    baseline: str = ""
    baseline_value: float | None = None
    note: str = ""
    least: bool = False  # the bound is what has to be reached, not what must not be passed

    @property
    def held(self) -> str:
        """Whether the bound is kept, as a mark; a figure without a bound has none."""
        if self.bound is None:
            return ""
        kept = self.value >= self.bound if self.least else self.value <= self.bound
        return "✓" if kept else "✗"

    @property
    def ratio(self) -> str:
        """The baseline as a multiple of the figure."""
        return "" if not self.baseline_value else f"{self.baseline_value / self.value:.1f}×"


@dataclass
class Report:
    """Rows in the order in which they were measured."""

    rows: list[Row] = field(default_factory=list)

    @property
    def size(self) -> str:
        """`full` measures at the sizes of the bounds, `growth` at ten times them too; `small` at a tenth, to see that all still runs."""
        return os.environ.get("SANDENG_BENCH", "small")

    def scaled(self, full: int) -> int:
        """A size for this run: the full one, or a tenth."""
        return max(1, full // 10) if self.size == "small" else full

    def sizes(self, full: int, engine: str = "") -> list[int]:
        """The sizes to measure at: a tenth, the whole, and for growth ten times that on the PostgreSQL named, all in the same run."""
        grown = {"small": 0, "growth": 2 if engine == "PostgreSQL" else 1}.get(self.size, 1)
        return [full // 10, full, full * 10][: grown + 1]

    def row(self, work: str, engine: str, value: float, **more: object) -> None:
        """Add and print one figure."""
        added = Row(work, engine, value, **more)  # type: ignore[arg-type]
        self.rows.append(added)
        print(_line(added), flush=True)

    @contextmanager
    def database(self, engine: str) -> Iterator[Engine]:
        """A fresh database with every table: `SQLite` in a temporary folder, or `PostgreSQL` on the named server."""
        import workflow.models  # noqa: F401

        with tempfile.TemporaryDirectory(prefix="sandeng-bench-") as folder:
            opened = open_engine(f"sqlite:///{folder}/bench.db") if engine == "SQLite" else _postgresql()
            Base.metadata.create_all(opened)
            try:
                yield opened
            finally:
                opened.dispose()
                if engine != "SQLite":
                    _drop(str(opened.url.database))

    def engines(self) -> list[str]:
        """The databases that this run can reach."""
        return ["SQLite", *(["PostgreSQL"] if os.environ.get("SANDENG_TEST_POSTGRESQL") else [])]

    def markdown(self) -> str:
        """The table for the README."""
        head = "| 工作 | 数据库 | 测得 | 上限 | 达到 | 对照 | 对照/本平台 |\n|---|---|---|---|---|---|---|\n"
        return head + "\n".join(_line(row) for row in self.rows) + "\n"


def median(work: Callable[[], object], times: int = 3) -> float:
    """The median of some runs, in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def peak_rss() -> float:
    """The highest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _line(row: Row) -> str:
    bound = "" if row.bound is None else f"{'≥ ' if row.least else ''}{row.bound:g} {row.unit}"
    baseline = f"{row.baseline} {row.baseline_value:.3g} {row.unit}" if row.baseline_value else ""
    against = "，".join(part for part in (baseline, row.note) if part)
    return (
        f"| {row.work} | {row.engine} | {row.value:.3g} {row.unit} | {bound} | {row.held} | {against} | {row.ratio} |"
    )


def _server() -> Engine:
    return create_engine(os.environ["SANDENG_TEST_POSTGRESQL"], isolation_level="AUTOCOMMIT")


def _postgresql() -> Engine:
    name, server = f"sandeng_bench_{uuid.uuid4().hex[:12]}", _server()
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
    server.dispose()
    return open_engine(server.url.set(database=name).render_as_string(hide_password=False))


def _drop(name: str) -> None:
    server = _server()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def keep(rows: list[Row], path: Path) -> Report:
    """All rows kept so far with these in place of their older selves, in the order of first measuring."""
    kept = (
        {(row["work"], row["engine"], row["baseline"]): row for row in json.loads(path.read_text("utf-8"))}
        if path.exists()
        else {}
    )
    kept |= {(row.work, row.engine, row.baseline): asdict(row) for row in rows}
    path.write_text(json.dumps(list(kept.values()), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return Report([Row(**row) for row in kept.values()])
