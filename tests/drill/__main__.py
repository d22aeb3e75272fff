"""`make drill`: every drill on SQLite and, where SANDENG_TEST_POSTGRESQL names a server, on PostgreSQL; a table; status 1 for a missed bound.

`python -m tests.drill [WORD …]` runs those whose name holds one of the words.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from tests.databases import Files, Server
from tests.drill.registry import Drill, Measured, all_drills

HEADER = "| 演练 | 数据库 | 要求 | 结果 | 达到 | 破坏后能发现 | 秒 |\n|---|---|---|---|---|---|---|"


def main(words: list[str]) -> int:
    """Run the drills and print their table; how many bounds were missed."""
    chosen = [one for one in all_drills() if not words or any(word in one.name for word in words)]
    databases = ["SQLite", *(["PostgreSQL"] if os.environ.get("SANDENG_TEST_POSTGRESQL") else [])]
    if len(databases) == 1:
        print("PostgreSQL 未演练：未设置 SANDENG_TEST_POSTGRESQL", file=sys.stderr)
    print(HEADER)
    return sum(_row(one, database) for one in chosen for database in databases)


def _row(one: Drill, database: str) -> int:
    began = time.monotonic()
    measured = _tried(one, database, sabotaged=False)
    broken = _tried(one, database, sabotaged=True)
    found = not broken.kept
    seconds = time.monotonic() - began
    marks = ["✓" if kept else "✗" for kept in (measured.kept, found)]
    print(
        f"| {one.name} | {database} | {one.bound} | {measured.says} | {marks[0]} | {marks[1]} {broken.says} | {seconds:.0f} |",
        flush=True,
    )
    return (not measured.kept) + (not found)


def _tried(one: Drill, database: str, *, sabotaged: bool) -> Measured:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandeng-drill-")))
        stack.enter_context(_data_dir(folder / "var"))
        engine = stack.enter_context(_database(database, folder))
        if sabotaged:
            stack.enter_context(one.sabotage())
        return one.run(engine, folder)


@contextmanager
def _data_dir(folder: Path) -> Iterator[None]:
    """Keys of its own for each drill."""
    folder.mkdir()
    before = os.environ.get("SANDENG_DATA_DIR")
    os.environ["SANDENG_DATA_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SANDENG_DATA_DIR"]
        else:
            os.environ["SANDENG_DATA_DIR"] = before


@contextmanager
def _database(name: str, folder: Path) -> Iterator[Engine]:
    """An empty database with every table, as durable as in production."""
    (folder / "kept").mkdir()
    server = name == "PostgreSQL"
    shelf = Server(os.environ["SANDENG_TEST_POSTGRESQL"]) if server else Files(folder / "kept")
    with shelf.fresh(folder) as engine:
        yield engine
    shelf.close()


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
