"""Proof of the facts about ID numbers and credit codes, against the vectors of the standards and by property."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.registry.identity import NO_ID, id_check, id_facts, id_form, organisation_check, uscc_check, uscc_facts

TODAY = 20260302
DAYS = st.integers(0, 45000).map(lambda n: date(1900, 1, 1) + timedelta(days=n)).filter(lambda d: d < date(2026, 3, 2))


@pytest.mark.parametrize(
    ("number", "birth", "sex"),
    [
        ("33020319650115001X", 19650115, "1"),
        ("330205198808081233", 19880808, "1"),
        ("330212197004010025", 19700401, "2"),
        ("11010519491231002X", 19491231, "2"),
    ],
)
def test_a_right_number_matches_in_every_fact(number: str, birth: int, sex: str) -> None:
    assert id_facts(number, birth, sex, TODAY) == ("规范", True, True, True, True, True)


@given(day=DAYS, serial=st.integers(0, 999), wrong=st.integers(1, 10))
def test_any_other_check_character_is_found(day: date, serial: int, wrong: int) -> None:
    first = f"330203{day:%Y%m%d}{serial:03d}"
    right = id_check(first)
    assert id_facts(first + right, None, None, TODAY).id_checksum_ok
    other = "0123456789X"[("0123456789X".index(right) + wrong) % 11]
    assert id_facts(first + other, None, None, TODAY).id_checksum_ok is False


@given(day=DAYS, serial=st.integers(0, 999), place=st.integers(0, 16), step=st.integers(1, 9))
def test_any_single_wrong_digit_is_found(day: date, serial: int, place: int, step: int) -> None:
    first = f"330203{day:%Y%m%d}{serial:03d}"
    number = list(first + id_check(first))
    number[place] = str((int(number[place]) + step) % 10)
    if number[0] != "0":
        assert id_facts("".join(number), None, None, TODAY).id_checksum_ok is False


@given(day=DAYS, shift=st.integers(-400, 400), serial=st.integers(0, 999), sex=st.sampled_from(["1", "2"]))
def test_birth_and_sex_match_only_where_they_are_the_same(day: date, shift: int, serial: int, sex: str) -> None:
    first = f"330203{day:%Y%m%d}{serial:03d}"
    recorded = day + timedelta(days=shift)
    facts = id_facts(first + id_check(first), int(f"{recorded:%Y%m%d}"), sex, TODAY)
    assert facts.id_birth_matches is (shift == 0)
    assert facts.id_sex_matches is ((serial % 2 == 1) == (sex == "1"))


@pytest.mark.parametrize("segment", ["19650230", "18991231", "20260303", "19651301", "19650100"])
def test_a_birth_segment_that_is_no_day_or_in_the_future_is_invalid(segment: str) -> None:
    first = f"330203{segment}001"
    assert id_facts(first + id_check(first), None, None, TODAY).id_birth_valid is False


@pytest.mark.parametrize(
    ("number", "form"),
    [
        ("33020319650115001X", "规范"),
        ("330203650115001", "十五位"),
        ("3302031965011500", "长度不符"),
        ("33020365011500X", "长度不符"),
        ("33020319650115O01X", "含非法字符"),
        ("3302031965X115001X", "含非法字符"),
        ("330203１９65011500", "含非法字符"),
        ("03020319650115001X", "含非法字符"),
    ],
)
def test_the_form_of_a_number_is_named(number: str, form: str) -> None:
    assert id_form(number) == form
    if form != "规范":
        assert id_facts(number, 19650115, "1", TODAY) == (form, None, None, None, None, None)


@given(number=st.text(max_size=30))
def test_every_text_has_facts(number: str) -> None:
    assert id_facts(number, 19650115, "1", TODAY).id_form in {"规范", "十五位", "长度不符", "含非法字符", None}


def test_what_is_not_recorded_is_unknown_not_wrong() -> None:
    assert id_facts(None, 19650115, "1", TODAY) == NO_ID
    assert id_facts("33020319650115001X", None, "9", TODAY)[3:5] == (None, None)


def test_the_region_of_a_number_may_be_abolished_but_not_invented() -> None:
    def known(region: str) -> bool | None:
        first = f"{region}19650115001"
        return id_facts(first + id_check(first), None, None, TODAY).id_region_known

    assert known("330204")  # 江东区, abolished in 2016
    assert known("430102")  # another province
    assert known("990101") is False
    assert known("330299") is False


@pytest.mark.parametrize(
    "code",
    [
        "12100000400002259P", "12100000470095016Q", "91330100799655058B",
        "11330200002980014M", "12330200419500012Y", "13330200002980022A",
    ],
)  # fmt: skip
def test_right_credit_codes_hold(code: str) -> None:
    assert uscc_facts(code) == (True, True)


@given(
    digits=st.text(alphabet="0123456789", min_size=8, max_size=8), place=st.integers(0, 17), other=st.integers(1, 30)
)
def test_any_single_wrong_place_of_a_credit_code_is_found(digits: str, place: int, other: int) -> None:
    first = f"12330200{digits}{organisation_check(digits)}"
    code = first + uscc_check(first)
    assert uscc_facts(code) == (True, True)
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    wrong = alphabet[(alphabet.index(code[place]) + other) % 31]
    assert uscc_facts(code[:place] + wrong + code[place + 1 :]) == (True, False)


def test_a_wrong_organisation_code_is_found_under_a_right_last_place() -> None:
    first = "1233020041950001" + "3"
    assert uscc_facts(first + uscc_check(first)) == (True, False)


@pytest.mark.parametrize("code", ["1233020041950001", "12330200419500012I", "１2330200419500012Y"])
def test_a_credit_code_of_another_shape_is_told_so(code: str) -> None:
    assert uscc_facts(code) == (False, None)


def test_no_credit_code_is_unknown() -> None:
    assert uscc_facts(None) == (None, None)
