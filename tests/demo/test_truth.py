"""What is put in is what is found: the truth of a spoiled city equals the check's findings, each way, through the real import."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from workflow.demo.city import CitySize, bundles
from workflow.demo.errors import ERRORS
from workflow.demo.making import make_files
from workflow.demo.spoiling import Spoiler
from workflow.errors import BadInput
from workflow.quality.rules import rules

FoundIn = Callable[[Path, date], list[tuple[str, str, str, str]]]
# An unknown code is refused by the import itself, so no file can carry it into the data.
REFUSED_BY_IMPORT = {"F05"}


@pytest.mark.parametrize(
    ("people", "seed", "rate", "on"),
    [
        (8000, 1, 0.04, date(2026, 11, 23)),
        (3000, 2, 0.1, date(2026, 3, 2)),
        (2000, 3, 0.02, date(2026, 1, 5)),
        (600, 1, 0.3, date(2026, 11, 20)),
    ],
)
def test_findings_equal_the_truth_each_way(
    found_in: FoundIn, tmp_path: Path, people: int, seed: int, rate: float, on: date
) -> None:
    made = make_files(CitySize(people, on, seed), rate, tmp_path / "city", "csv")
    with (tmp_path / "city" / "truth.csv").open(encoding="utf-8", newline="") as opened:
        header, *listed = csv.reader(opened)
    found = {row[:3] for row in found_in(tmp_path / "city", on)}
    assert header == ["rule", "dataset", "key"]
    assert len(listed) == len(set(map(tuple, listed))) == made["truths"] > 0
    assert {tuple(row) for row in listed} == found


def test_every_rule_that_a_file_can_break_has_an_injector() -> None:
    breakable = [rule for rule in rules().rules if rule.level != "H" and not rule.matter]  # no file holds a case
    wanted = {rule.key for rule in breakable if rule.id not in REFUSED_BY_IMPORT}
    have = {tuple(error.name.split()) for error in ERRORS}
    assert len(ERRORS) == len({e.name for e in ERRORS}) >= 100
    assert wanted - have == {("P10", "contract")}  # comes with P10 of the person, see its injector


def test_each_injector_is_used_before_any_comes_twice() -> None:
    size = CitySize(20_000, date(2026, 11, 23), seed=9)
    spoiler = Spoiler(size, 0.02)
    for _ in spoiler.spoil(bundles(size)):
        pass
    assert {spoiled.error for spoiled in spoiler.done} == {error.name for error in ERRORS}
    assert spoiler.total == 400
    assert 395 <= len(spoiler.done) <= 400


def test_a_rate_of_zero_changes_nothing_and_writes_an_empty_truth(tmp_path: Path) -> None:
    size = CitySize(600, date(2026, 3, 2))
    clean = [b.sets for b in bundles(size)]
    spoiler = Spoiler(size, 0.0)
    assert [b.sets for b in spoiler.spoil(bundles(size))] == clean
    make_files(size, 0.0, tmp_path, "csv")
    assert (tmp_path / "truth.csv").read_text(encoding="utf-8").split() == ["rule,dataset,key"]


def test_truth_never_holds_personal_data(tmp_path: Path) -> None:
    make_files(CitySize(2000, date(2026, 3, 2)), 0.05, tmp_path, "csv")
    assert "330200" not in {key[:6] for key in _keys(tmp_path) if len(key) == 18}


def _keys(folder: Path) -> list[str]:
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as opened:
        return [row[2] for row in csv.reader(opened)]


def test_a_senseless_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="错误率"):
        make_files(CitySize(600, date(2026, 3, 2)), 2.0, tmp_path)
