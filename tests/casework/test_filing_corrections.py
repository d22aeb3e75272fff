"""Safe corrections: each rule writes what it should, and nothing is proposed where nothing is wrong."""

from __future__ import annotations

import pytest

from workflow.casework.filing_corrections import corrected_number, proposals, table
from workflow.registry.dictionary import dictionary

PERSON = dictionary()["person"]
NUMBER = "330282198506150013"


def proposed(**texts: str) -> dict[str, tuple[str, str]]:
    return {p.field: (p.rule, p.becomes) for p in proposals(PERSON, texts, {})}


@pytest.mark.parametrize(("field", "text", "rule", "becomes"), [
    ("work_start_date", "２００８－０８－０１", "full_width", "2008-08-01"),
    ("phone", " 0574 8888", "spaces", "05748888"),
    ("name", "王　小 明", "spaces", "王小明"),
    ("entry_doc_no", "甬编办[2008]12号", "brackets", "甬编办〔2008〕12号"),
    ("entry_doc_no", "甬编办（２００８）１２ 号", "brackets", "甬编办〔2008〕12号"),
    ("entry_doc_no", "甬编办【2008】12号", "brackets", "甬编办〔2008〕12号"),
    ("ethnic", "汉", "synonyms", "01"),
    ("sex", "女性", "synonyms", "2"),
    ("political_status", "中共党员", "synonyms", "01"),
    ("edu_full", "本科", "synonyms", "21"),
])  # fmt: skip
def test_a_rule_writes_what_it_should(field: str, text: str, rule: str, becomes: str) -> None:
    assert proposed(**{field: text}) == {field: (rule, becomes)}


@pytest.mark.parametrize(("field", "text"), [
    ("name", "阿依古丽·买买提"), ("name", "Anna Li"), ("entry_doc_no", "甬编办〔2008〕12号"), ("sex", "1"), ("sex", "男"),
    ("work_start_date", "2008-08-01"), ("school", "浙江大学（宁波）"), ("position_name", "办公室主任（正科）"), ("ethnic", "外星人"),
])  # fmt: skip
def test_what_is_right_or_unknown_is_left_alone(field: str, text: str) -> None:
    assert proposed(**{field: text}) == {}


def test_birth_date_and_sex_follow_from_a_sound_number_only() -> None:
    assert proposed(id_no=NUMBER) == {"birth_date": ("from_id", "1985-06-15"), "sex": ("from_id", "1")}
    assert proposed(id_no=NUMBER, birth_date="1985-06-15", sex="男") == {}
    assert proposed(id_no=NUMBER[:-1] + "4") == {}
    assert proposed(id_no="330282850615001") == {}


def test_an_archived_birth_date_is_not_overruled() -> None:
    assert "birth_date" not in proposed(id_no=NUMBER, archive_birth_date="1984-01-01", birth_date="1984-01-01")


def test_a_number_is_shown_masked() -> None:
    found = proposals(PERSON, {"id_no": NUMBER.replace("5", "５")}, {})
    assert [p.becomes for p in found if p.field == "id_no"] == [NUMBER]
    assert not any(NUMBER[4:14] in p.shown + p.was for p in found if p.field == "id_no")


def test_every_synonym_leads_to_a_label_of_its_list() -> None:
    for codes, words in table()["synonyms"].items():
        labels = dictionary().codes[codes].by_label
        assert set(words.values()) <= set(labels), codes
        assert {w for w in words if w in labels} <= {w for w, label in words.items() if w == label}, codes


def test_every_named_field_is_in_the_dictionary() -> None:
    named = {name for d in dictionary().datasets.values() for name in d.fields}
    assert set(table()["document_numbers"]) <= named
    for fields in table()["from_basis"].values():
        assert set(fields) <= set(PERSON.fields)


def test_a_basis_number_is_written_as_documents_are() -> None:
    assert corrected_number("甬政干 [２０２６] 3号") == "甬政干〔2026〕3号"
