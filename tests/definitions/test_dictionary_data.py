"""The dictionary's files say what 办法4 and the standards say. Read as plain YAML: nothing here depends on the loader."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

DEFINITIONS = Path(__file__).resolve().parents[2] / "definitions"
DATASETS: dict[str, dict[str, Any]] = {
    p.stem: yaml.load(p.read_text("utf-8"), yaml.CSafeLoader)
    for p in sorted((DEFINITIONS / "dictionary").glob("*.yaml"))
}
CODES: dict[str, dict[str, Any]] = {
    p.stem: yaml.load(p.read_text("utf-8"), yaml.CSafeLoader) for p in sorted((DEFINITIONS / "codes").glob("*.yaml"))
}
FIELDS = [(name, key, spec) for name, data in DATASETS.items() for key, spec in data["fields"].items()]
each_dataset = pytest.mark.parametrize("name", DATASETS)

# What the regulation names, by data set: the words of 办法4 and the field that carries each.
NAMED_BY_THE_REGULATION = {
    "unit": "name org_nature org_level parent approve_doc_no uscc fund_form org_category main_duties annual_report_unit annual_report_district",
    "inner_org": "name unit",
    "ledger": "quota_type delta_plus delta_minus balance_after doc_no doc_title plan_approved_quota plan_approved_posts",
    "leader_quota": "post_level rank_kind n_approved",
    "contract_quota": "n_control",
    "person": "name sex ethnic id_no birth_date inner_org estab_status quota_type position_name post_category onpost_status entry_date",
    "position": "person name is_main appoint_doc_no",
    "contract": "name sex id_no category job hire_mode first_contract_date",
    "school": "class_count students staff_total",
    "hospital": "bed_approved bed_actual",
}
# F01–F04 of the rule catalogue: empty means a finding (some only in a state that `required_when` names).
REQUIRED = {
    "unit": "unit_code name status org_nature org_category system_type org_level approve_doc_no approve_date uscc legal_person_flag fund_form "
    "district_code admin_tier main_duties annual_report_unit annual_report_district principal_name parent",
    "person": "unit inner_org name sex ethnic id_no birth_date work_start_date estab_status quota_type entry_way entry_doc_no entry_date post_category onpost_status",
    "contract": "unit name sex id_no category job hire_mode first_contract_date status",
    "ledger": "ledger_no unit ledger_type change_kind quota_type delta_plus delta_minus balance_after doc_no doc_date entered_on",
    "position": "person unit name is_leader is_main status",
    "leader_quota": "unit scope n_approved doc_no doc_date",
    "contract_quota": "unit category n_control approve_doc_no approve_date",
    "school": "unit school_year semester snapshot_date stage class_count students staff_total",
    "hospital": "unit year snapshot_date bed_approved bed_actual",
}
LOCKED = {
    "unit": "name parent org_nature org_category org_level fund_form approve_doc_no status",
    "person": "name id_no birth_date work_start_date estab_status quota_type entry_date",
}
IMPORTANT = {
    "unit": "name parent org_level fund_form",
    "ledger": "doc_no quota_type delta_plus delta_minus",
    "person": "id_no estab_status quota_type exit_date",
}


def _pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, key) for name, keys in table.items() for key in keys.split()]


def _labels_on(list_name: str, day: date) -> list[str]:
    return [
        item["label"]
        for item in CODES[list_name]["items"]
        if item.get("valid_from", date.min) <= day <= item.get("valid_to", date.max)
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "key"), _pairs(NAMED_BY_THE_REGULATION))
def test_every_item_of_article_4_has_its_field(name: str, key: str) -> None:
    assert key in DATASETS[name]["fields"]


@pytest.mark.parametrize(("name", "key"), _pairs(REQUIRED))
def test_what_must_not_be_empty_is_required(name: str, key: str) -> None:
    field = DATASETS[name]["fields"][key]
    assert field.get("required") or field.get("required_when")


@pytest.mark.parametrize(("name", "key"), _pairs(LOCKED))
def test_only_the_office_changes_what_defines_a_unit_or_a_place_on_the_staff(name: str, key: str) -> None:
    assert DATASETS[name]["fields"][key]["locked"] is True


@pytest.mark.parametrize(("name", "key"), _pairs(IMPORTANT))
def test_important_figures_are_marked_for_article_17(name: str, key: str) -> None:
    assert DATASETS[name]["fields"][key]["important"] is True


@each_dataset
def test_a_file_is_named_after_its_data_set(name: str) -> None:
    assert DATASETS[name]["dataset"] == name


@each_dataset
def test_labels_of_a_data_set_are_unique(name: str) -> None:
    labels = [spec["label"] for spec in DATASETS[name]["fields"].values()]
    assert sorted(labels) == sorted(set(labels))


@each_dataset
def test_the_groups_of_a_form_list_every_field_once(name: str) -> None:
    grouped = [key for group in DATASETS[name]["groups"] for key in group["fields"]]
    assert sorted(grouped) == sorted(DATASETS[name]["fields"])


@each_dataset
def test_the_key_comes_first_is_text_and_holds_no_personal_data(name: str) -> None:
    data = DATASETS[name]
    key = data["fields"][data["key"]]
    assert next(iter(data["fields"])) == data["key"]
    assert key["type"] == "text"
    assert "sensitive" not in key
    assert key.get("required") or "key_pattern" in data


@each_dataset
def test_every_data_set_belongs_to_a_unit(name: str) -> None:
    data = DATASETS[name]
    assert name == "unit" or data["fields"][data["unit"]]["ref"] == "unit"


@each_dataset
def test_a_label_can_stand_in_a_rule(name: str) -> None:
    for key, spec in DATASETS[name]["fields"].items():
        assert re.fullmatch(r"[\u4e00-\u9fff][\u4e00-\u9fff0-9A-Za-z]*", spec["label"])
        assert re.fullmatch(r"[a-z][a-z0-9_]*", key)


@each_dataset
def test_a_field_names_the_law_that_it_serves(name: str) -> None:
    for spec in DATASETS[name]["fields"].values():
        assert spec["basis"]


@each_dataset
def test_a_field_is_of_a_kind_that_can_be_stored(name: str) -> None:
    for spec in DATASETS[name]["fields"].values():
        assert spec["type"] in {"text", "longtext", "code", "date", "month", "int", "bool", "ref", "id", "uscc"}
        assert (spec["type"] == "text") == ("length" in spec)
        assert (spec["type"] == "code") == ("codes" in spec)
        assert (spec["type"] == "ref") == ("ref" in spec)
        assert spec.get("codes", "sex") in CODES
        assert spec.get("ref", "unit") in DATASETS


@each_dataset
def test_id_numbers_are_encrypted_and_telephones_masked(name: str) -> None:
    for spec in DATASETS[name]["fields"].values():
        wanted = "encrypted" if spec["type"] == "id" else "masked" if "电话" in spec["label"] else None
        assert spec.get("sensitive") == wanted


@each_dataset
def test_a_sample_could_be_typed_into_the_file(name: str) -> None:
    for spec in DATASETS[name]["fields"].values():
        sample = spec.get("sample")
        if sample is None:
            continue
        assert spec["type"] != "id", "no ID number stands in a file of the house"
        if spec["type"] == "code":
            assert sample in _labels_on(spec["codes"], date(2026, 6, 1))
        elif spec["type"] == "date":
            assert date.fromisoformat(sample)
        elif spec["type"] == "int":
            assert int(sample) >= 0
        elif spec["type"] == "bool":
            assert sample in {"是", "否"}
        else:
            assert 0 < len(sample) <= spec.get("length", 4000)


@each_dataset
def test_a_condition_speaks_of_labels_and_codes_that_exist(name: str) -> None:
    for spec in DATASETS[name]["fields"].values():
        condition = spec.get("required_when", "")
        fields = {f["label"]: f for f in DATASETS[name]["fields"].values()}
        outside = re.sub(r"'[^']*'", "", condition)
        labels = re.findall(r"[\u4e00-\u9fff]+", outside)
        assert set(labels) <= set(fields)
        allowed = {
            label for f in labels if "codes" in fields[f] for label in _labels_on(fields[f]["codes"], date(2026, 6, 1))
        }
        assert set(re.findall(r"'([^']*)'", condition)) <= allowed


def test_derived_figures_are_never_asked_for() -> None:
    derived = [(name, key) for name, key, spec in FIELDS if spec.get("derived")]
    assert set(derived) == {
        ("person", "retire_category"), ("person", "retire_month"),
        ("contract", "retire_category"), ("contract", "retire_month"), ("ledger", "due_on"),
    }  # fmt: skip
    assert not any(spec.get("required") or spec.get("required_when") for _, _, spec in FIELDS if spec.get("derived"))
