"""Measures one subject in the process that it is called in; the rows go back through a queue, also when it breaks off."""

from __future__ import annotations

import importlib
import multiprocessing

from tests.bench.report import Report, Row


def measure(subject: str, rows: multiprocessing.Queue[list[Row]]) -> None:
    """Run bench_<subject>."""
    report = Report()
    try:
        importlib.import_module(f"tests.bench.bench_{subject}").run(report)
    finally:
        rows.put(report.rows)
