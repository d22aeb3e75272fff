"""`sandeng demo make`: files, truth, one JSON object, one sentence for wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from web.commands.demo import demo
from workflow.demo.bundle import DATASETS
from workflow.errors import BadInput


def test_make_writes_a_file_per_data_set_and_the_truth(tmp_path: Path) -> None:
    arguments = [
        "make",
        "--people",
        "600",
        "--units",
        "20",
        "--seed",
        "3",
        "--error-rate",
        "0.05",
        "--on",
        "2026-03-02",
    ]
    done = CliRunner().invoke(demo, [*arguments, "--out", str(tmp_path / "city"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["rows"]["person"] == 600
    assert told["rows"]["unit"] == 20
    assert told["errors"] > 0
    assert {p.name for p in (tmp_path / "city").iterdir()} == {f"{d}.xlsx" for d in DATASETS} | {"truth.csv"}


def test_make_takes_the_present_business_day_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDENG_CLOCK", "2026-05-04T23:30:00+08:00")
    done = CliRunner().invoke(demo, ["make", "--people", "200", "--out", str(tmp_path), "--format", "csv", "--json"])
    assert json.loads(done.stdout)["on"] == "2026-05-04"


def test_make_refuses_a_date_that_is_none(tmp_path: Path) -> None:
    done = CliRunner().invoke(demo, ["make", "--people", "200", "--on", "2026-02-30", "--out", str(tmp_path)])
    assert isinstance(done.exception, BadInput)
    assert "2026-02-30" in str(done.exception)
