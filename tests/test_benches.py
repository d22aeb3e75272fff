"""The benches and drills are run by hand: here they are put together at least, so that what they need is still there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BENCHES = sorted(path.stem for path in (HERE / "bench").glob("bench_*.py"))
DRILLS = sorted(path.stem for path in (HERE / "drill").glob("drill_*.py"))


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_can_be_run(name: str) -> None:
    assert callable(importlib.import_module(f"tests.bench.{name}").run)


def test_every_file_of_drills_has_one() -> None:
    from tests.drill.registry import all_drills

    assert {one.run.__module__.rpartition(".")[2] for one in all_drills()} == set(DRILLS)
