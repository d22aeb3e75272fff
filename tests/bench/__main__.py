"""`python -m tests.bench [SUBJECT …]`: every bench, or the named ones, each in a process of its own so that memory is its own.

A run at full size (SANDENG_BENCH=full) keeps its rows in results.json, beside those of the subjects that were not run this time; one
for growth (SANDENG_BENCH=growth, hours) in growth.json, so that a line of the plot comes from one run on one machine.
"""

from __future__ import annotations

import multiprocessing
import queue
import re
import sys
from pathlib import Path

from tests.bench import growth
from tests.bench.report import Report, Row, keep
from tests.bench.runner import measure

HERE = Path(__file__).parent
SMALL = re.compile(r"(?<![\d,])(1,000|2,000|10,000 张|20,000 人)(?![\d,])")


def _show_in_readme(kept: Report) -> None:
    """The rows at the sizes of the bounds, between the two marks of the README; pages are summed up in their first row."""
    readme = HERE.parents[1] / "README.md"
    shown = [
        row
        for row in kept.rows
        if row.bound is not None and not row.work.startswith("\u3000") and not SMALL.search(row.work)
    ]
    before, _, rest = readme.read_text("utf-8").partition("<!-- bench -->\n")
    _, _, after = rest.partition("<!-- /bench -->")
    table = Report(shown).markdown()
    readme.write_text(f"{before}<!-- bench -->\n{table}<!-- /bench -->{after}", encoding="utf-8")


def _rows_of(process: multiprocessing.process.BaseProcess, rows: multiprocessing.Queue[list[Row]]) -> list[Row]:
    """What the bench measured; nothing where its process died without a word."""
    while True:
        try:
            return rows.get(timeout=2)
        except queue.Empty:
            if not process.is_alive():
                return []


def main(wanted: list[str]) -> int:
    """Run the benches one after the other; 1 where a bound is not kept or a bench broke."""
    subjects = wanted or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    report, broken = Report(), []
    context = multiprocessing.get_context("spawn")
    print(report.markdown(), end="")
    for subject in subjects:
        rows = context.Queue()
        process = context.Process(target=measure, args=(subject, rows))
        process.start()
        report.rows += _rows_of(process, rows)
        process.join()
        if process.exitcode:
            broken.append(subject)
    if report.size == "full":
        kept = keep(report.rows, HERE / "results.json")
        (HERE / "results.md").write_text(kept.markdown(), encoding="utf-8")
        _show_in_readme(kept)
    if report.size == "growth":
        kept = keep(report.rows, HERE / "growth.json")
        (HERE / "growth.svg").write_text(growth.draw(kept.rows), encoding="utf-8")
    missed = [row.work for row in report.rows if row.held == "✗"]
    if broken or missed:
        print(f"未达到：{missed}；未完成：{broken}", file=sys.stderr)
    return 1 if broken or (missed and report.size == "full") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
