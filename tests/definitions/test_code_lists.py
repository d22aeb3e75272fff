"""Code lists are complete, unambiguous on every day, and carry the facts that rules compare. Read as plain YAML."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

DEFINITIONS = Path(__file__).resolve().parents[2] / "definitions"
CODES: dict[str, dict[str, Any]] = {
    p.stem: yaml.load(p.read_text("utf-8"), yaml.CSafeLoader) for p in sorted((DEFINITIONS / "codes").glob("*.yaml"))
}
LOOKED_UP_BY_CODE_ONLY = {
    "region_prefix",
    "bed_band",
}  # no field holds them: facts about ID numbers, reference coefficients
each_list = pytest.mark.parametrize("name", CODES)


def _items(name: str) -> dict[str, dict[str, Any]]:
    return {item["code"]: item for item in CODES[name]["items"]}


def _attrs(name: str, attr: str) -> dict[str, Any]:
    return {item["label"]: item["attrs"][attr] for item in CODES[name]["items"] if attr in item.get("attrs", {})}


@each_list
def test_a_list_is_named_after_its_file_and_says_its_standard(name: str) -> None:
    assert CODES[name]["list"] == name
    assert CODES[name]["standard"]
    assert CODES[name]["title"]


@each_list
def test_codes_are_text_unique_and_short_enough_to_store(name: str) -> None:
    codes = [item["code"] for item in CODES[name]["items"]]
    assert sorted(codes) == sorted(set(codes))
    assert all(isinstance(code, str) and 0 < len(code) <= 12 for code in codes)


@each_list
def test_a_label_means_one_code_on_any_day(name: str) -> None:
    items = CODES[name]["items"]
    days = {day for item in items for day in (item.get("valid_from"), item.get("valid_to")) if day} | {date(2026, 1, 1)}
    for day in days:
        labels = [i["label"] for i in items if i.get("valid_from", date.min) <= day <= i.get("valid_to", date.max)]
        assert sorted(labels) == sorted(set(labels)), day


@each_list
def test_a_label_carries_no_sign_that_a_file_cell_would_change(name: str) -> None:
    for item in CODES[name]["items"]:
        assert re.fullmatch(r"[\u4e00-\u9fff0-9、（）]+", item["label"]), item


@each_list
def test_parents_exist_and_are_no_circle(name: str) -> None:
    items = _items(name)
    for code in items:
        seen = set()
        while code is not None:
            assert code in items
            assert code not in seen
            seen.add(code)
            code = items[code].get("parent")


@each_list
def test_an_attribute_has_one_type_throughout_its_list(name: str) -> None:
    kinds: dict[str, set[type]] = {}
    for item in CODES[name]["items"]:
        for attr, value in item.get("attrs", {}).items():
            kinds.setdefault(attr, set()).add(type(value))
    assert all(len(kind) == 1 and kind <= {int, str} for kind in kinds.values())


@each_list
def test_a_code_that_ended_began_before(name: str) -> None:
    for item in CODES[name]["items"]:
        assert item.get("valid_from", date.min) <= item.get("valid_to", date.max)


def test_no_list_is_without_use() -> None:
    fields = [
        spec
        for path in (DEFINITIONS / "dictionary").glob("*.yaml")
        for spec in yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)["fields"].values()
    ]  # fmt: skip
    assert {spec["codes"] for spec in fields if "codes" in spec} == set(CODES) - LOOKED_UP_BY_CODE_ONLY


def test_the_standard_tables_are_complete() -> None:
    assert [i for i in _items("ethnic") if int(i) <= 56] == [f"{n:02d}" for n in range(1, 57)]
    assert list(_items("political_status")) == [f"{n:02d}" for n in range(1, 14)]
    assert {"11", "14", "17", "21", "28", "31", "41", "44", "47", "61", "71", "81", "90"} <= set(_items("education"))
    assert set(_items("sex")) == {"0", "1", "2", "9"}


def test_ningbo_has_six_districts_two_counties_and_two_cities_today() -> None:
    current = [
        i["label"] for i in CODES["region"]["items"] if "valid_to" not in i and i["code"] not in {"330200", "330201"}
    ]
    assert sorted(label[-1] for label in current) == sorted("区" * 6 + "县" * 2 + "市" * 2)


@pytest.mark.parametrize(
    ("code", "last", "successor"),
    [
        ("330204", date(2016, 9, 13), "330212"),
        ("330283", date(2016, 9, 13), "330213"),
        ("330227", date(2002, 1, 31), "330212"),
    ],
)
def test_a_region_that_ended_is_kept_for_the_numbers_that_carry_it(code: str, last: date, successor: str) -> None:
    items = _items("region")
    assert items[code]["valid_to"] == last
    assert items[successor].get("valid_from", date.min) <= date(2016, 9, 14)


def test_every_province_and_the_prefectures_of_neighbours_are_recognised() -> None:
    known = _items("region_prefix")
    provinces = {code for code in known if len(code) == 2}
    assert len(provinces) == 34
    assert {"11", "33", "50", "65", "71", "82"} <= provinces
    assert {"1101", "3101", "3201", "3301", "3302", "3310", "3622", "4201", "5002", "6542"} <= set(known)
    assert "4909" not in known
    assert "9901" not in known


def test_levels_of_units_posts_ranks_and_management_posts_share_one_scale() -> None:
    units, posts, ranks, grades = (
        _attrs("org_level", "order"),
        _attrs("post_level", "order"),
        _attrs("rank", "equiv"),
        _attrs("post_grade", "equiv"),
    )
    for unit, post, rank, grade in [
        ("正局级", "厅局级正职", "一级巡视员", "管理三级"),
        ("副局级", "厅局级副职", "二级巡视员", "管理四级"),
        ("正处级", "县处级正职", "二级调研员", "管理五级"),
        ("副处级", "县处级副职", "四级调研员", "管理六级"),
        ("正科级", "乡科级正职", "二级主任科员", "管理七级"),
        ("副科级", "乡科级副职", "四级主任科员", "管理八级"),
    ]:
        assert units[unit] == posts[post] == ranks[rank] == grades[grade]


@pytest.mark.parametrize(
    ("sequence", "steps"),
    [
        ("综合管理类", 12),
        ("专业技术类", 11),
        ("行政执法类", 11),
        ("执法勤务警员", 12),
        ("警务技术", 11),
        ("法官", 9),
        ("检察官", 9),
    ],
)
def test_a_sequence_of_ranks_descends_without_gap(sequence: str, steps: int) -> None:
    rows = [i["attrs"] for i in CODES["rank"]["items"] if i["attrs"]["sequence"] == sequence]
    assert [row["order"] for row in rows] == list(range(steps, 0, -1))
    assert [row["equiv"] for row in rows] == sorted((row["equiv"] for row in rows), reverse=True)


def test_years_before_promotion_are_those_of_the_highest_ranks_four_four_three() -> None:
    years = _attrs("rank", "min_years")
    assert [years[r] for r in ("一级巡视员", "二级巡视员", "一级调研员", "二级调研员", "四级主任科员", "一级科员")] == [
        4,
        4,
        3,
        2,
        2,
        2,
    ]
    assert "二级科员" not in years


def test_professional_grades_match_the_levels_of_titles() -> None:
    grades, titles = _attrs("post_grade", "title_order"), _attrs("title_level", "order")
    for grade, title in [
        ("专技四级", "正高级"),
        ("专技五级", "副高级"),
        ("专技七级", "副高级"),
        ("专技十级", "中级"),
        ("专技十二级", "助理级"),
        ("专技十三级", "员级"),
    ]:
        assert grades[grade] == titles[title]


def test_pupils_per_teacher_are_those_of_2014() -> None:
    assert _attrs("school_stage", "pupils_per_10_staff") == {"小学": 190, "初中": 135, "高中": 125}


def test_bands_of_hospital_beds_leave_no_gap() -> None:
    bands = [i["attrs"] for i in CODES["bed_band"]["items"]]
    assert [b["beds_from"] for b in bands[1:]] == [b["beds_to"] + 1 for b in bands[:-1]]


def test_only_those_off_the_staff_hold_no_quota() -> None:
    assert {label for label, occupies in _attrs("quota_type", "occupies").items() if not occupies} == {
        "不占编",
        "编外",
        "挂职借用",
    }
    families = {i["code"][0]: i["attrs"]["family"] for i in CODES["quota_type"]["items"] if "parent" not in i}
    assert families == {"1": "行政", "2": "事业", "3": "其他", "9": "不占编"}
