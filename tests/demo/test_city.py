"""The invented city: clean by every rule, the same for the same seed, and recognisably invented."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from openpyxl import load_workbook

from workflow.demo.bundle import DATASETS, Bundle
from workflow.demo.city import CitySize, bundles
from workflow.demo.files import write_city
from workflow.demo.kinds import REGIONS
from workflow.demo.tree import chinese, default_units, plan
from workflow.errors import BadInput
from workflow.registry.dictionary import dictionary
from workflow.registry.identity import id_facts, uscc_facts

FoundIn = Callable[[Path, date], list[tuple[str, str, str, str]]]
ON = date(2026, 3, 2)


@pytest.fixture(scope="module")
def city() -> list[Bundle]:
    return list(bundles(CitySize(3000, ON, seed=5)))


@pytest.mark.parametrize(
    ("seed", "on"), [(1, ON), (2, date(2026, 9, 8)), (3, date(2025, 12, 31)), (4, date(2024, 2, 29))]
)
def test_the_check_finds_nothing_in_a_city_without_errors(
    found_in: FoundIn, tmp_path: Path, seed: int, on: date
) -> None:
    write_city(bundles(CitySize(2500, on, seed)), tmp_path / "city", "csv")
    assert found_in(tmp_path / "city", on) == []


def test_the_same_seed_gives_the_same_city_and_another_seed_another(city: list[Bundle]) -> None:
    again = list(bundles(CitySize(3000, ON, seed=5)))
    other = list(bundles(CitySize(3000, ON, seed=6)))
    assert [b.sets for b in city] == [b.sets for b in again]
    assert [b.sets["person"] for b in city] != [b.sets["person"] for b in other]


def test_people_and_units_are_as_many_as_asked_for(city: list[Bundle]) -> None:
    assert sum(len(b.sets["person"]) for b in city) == 3000
    assert len(city) == default_units(3000) == 80
    assert default_units(200_000) == 4000
    assert sum(u.people for u in plan(20_000, 400, 1)) == 20_000


def test_too_few_people_for_the_units_are_refused() -> None:
    with pytest.raises(BadInput, match="每个机构至少 6 人"):
        plan(100, 50, 1)


def test_every_region_has_units_and_every_name_says_that_it_is_a_demonstration(city: list[Bundle]) -> None:
    assert {b.unit["district_code"] for b in city} == set(REGIONS.values())
    assert all("演示" in b.unit["name"] for b in city)
    assert all(r["remark"] == "演示数据" for b in city for records in b.sets.values() for r in records)


def test_id_numbers_are_right_by_their_form_and_can_belong_to_nobody(city: list[Bundle]) -> None:
    """330200 is the city's own code; people are registered under their district's (GB/T 2260)."""
    people = [r for b in city for r in (*b.sets["person"], *b.sets["contract"])]
    assert len({p["id_no"] for p in people}) == len(people)
    for p in people:
        born = int(p["birth_date"].strftime("%Y%m%d"))
        facts = id_facts(p["id_no"], born, "1" if p["sex"] == "男" else "2", 20260302)
        assert p["id_no"].startswith("330200")
        assert facts == ("规范", True, True, True, True, True)


def test_credit_codes_are_right_by_their_form_and_marked_as_invented(city: list[Bundle]) -> None:
    codes = [b.unit["uscc"] for b in city]
    assert len(set(codes)) == len(codes)
    assert all(code[8:11] == "DEM" and uscc_facts(code) == (True, True) for code in codes)


def test_every_field_that_is_written_stands_in_the_dictionary(city: list[Bundle]) -> None:
    for b in city:
        for dataset, records in b.sets.items():
            importable = {f.name for f in dictionary()[dataset].importable}
            assert all(set(r) <= importable for r in records), dataset


def test_people_fill_at_least_forty_five_columns_between_them(city: list[Bundle]) -> None:
    filled = Counter(name for b in city for p in b.sets["person"] for name, value in p.items() if value is not None)
    assert len(filled) >= 45


def test_files_carry_the_labels_and_the_same_rows_in_both_formats(tmp_path: Path) -> None:
    size = CitySize(300, ON)
    counts = write_city(bundles(size), tmp_path / "x")
    assert write_city(bundles(size), tmp_path / "c", "csv") == counts
    for dataset in DATASETS:
        workbook = load_workbook(tmp_path / "x" / f"{dataset}.xlsx", read_only=True)
        cells = workbook.worksheets[0].iter_rows(values_only=True)
        rows = [["" if v is None else str(v) for v in row] for row in cells]
        workbook.close()
        with (tmp_path / "c" / f"{dataset}.csv").open(encoding="utf-8-sig", newline="") as opened:
            listed = list(csv.reader(opened))
        assert rows[0] == listed[0] == [f.label for f in dictionary()[dataset].importable]
        width = len(listed[0])
        assert [row + [""] * (width - len(row)) for row in rows] == listed
        assert len(rows) == counts[dataset] + 1


@pytest.mark.parametrize(
    ("n", "says"),
    [(2, "二"), (10, "十"), (12, "十二"), (40, "四十"), (105, "一百零五"), (112, "一百一十二"), (1015, "一千零一十五")],
)
def test_numbers_in_names_are_written_as_people_write_them(n: int, says: str) -> None:
    assert chinese(n) == says
