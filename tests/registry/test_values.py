"""Proof of the converters: what a cell may hold, what it becomes, and the half sentence where it may not."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.registry.dictionary import dictionary
from workflow.registry.values import BadValue, choices, clip, converter, guarded, mask_text, show, show_plain

PERSON = dictionary()["person"].fields
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=50),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
)
DATE, MONTH, INT, BOOL = (
    PERSON["birth_date"],
    dictionary()["contract"].fields["retire_month"],
    PERSON["absent_days_run"],
    PERSON["probation"],
)


@pytest.mark.parametrize(
    "cell",
    [
        "2019-01-05",
        "2019-1-5",
        "20190105",
        "2019/1/5",
        "2019/01/05",
        "2019年1月5日",
        " 2019年01月05日 ",
        20190105,
        20190105.0,
        date(2019, 1, 5),
        datetime(2019, 1, 5),  # noqa: DTZ001
    ],
)
def test_a_date_is_taken_in_the_ways_people_write_it(cell: Any) -> None:
    assert converter(DATE)(cell) == 20190105


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("2019-02-30", "不是真实存在的日期"), ("2019-13-01", "不是真实存在的日期"), ("1.5.2019", "不是日期"), ("2019", "不是日期"), ("２０１９-01-05", "不是日期"),
        (43470.0, "不是日期"), (datetime(2019, 1, 5, 9, 30), "带有时刻"), ("0019-01-05", "年份"), (True, "不是日期"), (time(9), "不是日期"),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(cell: Any, says: str) -> None:
    with pytest.raises(BadValue, match=says) as refused:
        converter(DATE)(cell)
    assert refused.value.rule == "F09"


@pytest.mark.parametrize("cell", ["2026-03", "202603", "2026/3", "2026年3月", 202603.0, date(2026, 3, 9)])
def test_a_month_is_taken_likewise(cell: Any) -> None:
    assert converter(MONTH)(cell) == 202603


@pytest.mark.parametrize("cell", ["2026-13", "2026", "202600", 26.5])
def test_what_is_no_month_is_refused(cell: Any) -> None:
    with pytest.raises(BadValue, match="不是年月"):
        converter(MONTH)(cell)


@pytest.mark.parametrize(("cell", "value"), [("12", 12), (12.0, 12), ("-3", -3), (0, 0), ("", None), (None, None)])
def test_a_whole_number_is_taken(cell: Any, value: int | None) -> None:
    assert converter(INT)(cell) == value


@pytest.mark.parametrize("cell", ["12.5", 12.5, "1,200", "一", "1e3", True, float("nan"), float("inf"), "9" * 13])
def test_what_is_no_whole_number_is_refused(cell: Any) -> None:
    with pytest.raises(BadValue, match=r"不是整数|过大"):
        converter(INT)(cell)


@pytest.mark.parametrize(("cell", "value"), [("是", True), ("否", False), (True, True), (False, False), ("", None)])
def test_yes_and_no_are_taken(cell: Any, value: bool | None) -> None:
    assert converter(BOOL)(cell) is value


@pytest.mark.parametrize("cell", ["Y", "1", 1.0, "对"])
def test_any_other_yes_is_refused(cell: Any) -> None:
    with pytest.raises(BadValue, match="应填“是”或“否”"):
        converter(BOOL)(cell)


@pytest.mark.parametrize("cell", ["汉族", "01", " 汉族 ", 1.0, 1])
def test_a_code_is_taken_by_label_by_code_and_by_its_number(cell: Any) -> None:
    assert converter(PERSON["ethnic"])(cell) == "01"


def test_a_retired_code_is_taken_for_the_rules_to_judge() -> None:
    assert converter(dictionary()["unit"].fields["district_code"])("江东区") == "330204"


@pytest.mark.parametrize("cell", ["汉人", "100", 3.5, True])
def test_an_unknown_code_is_refused_with_its_list(cell: Any) -> None:
    with pytest.raises(BadValue, match=r"不在代码表“民族.*”中") as refused:
        converter(PERSON["ethnic"])(cell)
    assert refused.value.rule == "F05"


def test_a_short_list_is_told_in_full() -> None:
    with pytest.raises(BadValue, match=r"可填：.*男、女"):
        converter(PERSON["sex"])("公")


@pytest.mark.parametrize(
    "cell", [330203196501150000.0, 330203196501150000, "3.30203E+17", "3.30203196501150e+17", date(2019, 1, 1), True]
)
def test_an_id_number_typed_as_a_number_has_lost_digits(cell: Any) -> None:
    with pytest.raises(BadValue, match="末位数字已丢失") as refused:
        converter(PERSON["id_no"])(cell)
    assert refused.value.rule == "numeric_id"


@pytest.mark.parametrize("cell", ["33020319650115001x", " 33020319650115001X ", "'33020319650115001X"])
def test_an_id_number_comes_trimmed_and_in_capitals(cell: str) -> None:
    assert converter(PERSON["id_no"])(cell) == "33020319650115001X"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (13800000000.0, "13800000000"),
        (110, "110"),
        (3.5, "3.5"),
        (date(2019, 1, 5), "2019-01-05"),
        (" 0574 ", "0574"),
        ("   ", None),
    ],
)
def test_a_text_cell_may_hold_a_number(cell: Any, text: str | None) -> None:
    assert converter(PERSON["phone"])(cell) == text


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("王\n明", "不可见字符"), ("王\x00明", "不可见字符"), ("王\u200b明", "不可见字符"), ("王\u202e明", "不可见字符"), ("王" * 51, "有 51 个字，最多 50 个字"),
        (1e15, "超过 15 位"), (timedelta(1), "不是文本"), (float("nan"), "nan"), (float("inf"), "超过 15 位"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_kept_is_refused(cell: Any, says: str) -> None:
    if says == "nan":
        assert converter(PERSON["name"])(cell) == "nan"
        return
    with pytest.raises(BadValue, match=says):
        converter(PERSON["name"])(cell)


def test_rare_characters_and_lines_are_kept_where_they_belong() -> None:
    assert converter(PERSON["name"])("𠮷\ue123·买买提") == "𠮷\ue123·买买提"
    assert converter(PERSON["remark"])("第一行\r\n第二行") == "第一行\n第二行"


@given(cell=CELLS, name=st.sampled_from(sorted(PERSON)))
def test_any_cell_is_converted_or_refused_in_words(cell: Any, name: str) -> None:
    try:
        value = converter(PERSON[name])(cell)
    except BadValue as refused:
        assert refused.says  # noqa: PT017
    else:
        assert value is None or isinstance(value, str | int | bool)


@given(text=st.text(alphabet="'=+-@a1 ", max_size=8), formulas=st.booleans())
def test_what_an_export_guards_comes_back_the_same(text: str, formulas: bool) -> None:
    kept = converter(PERSON["remark"])(text)
    if kept is not None:
        written = guarded(kept, formulas=formulas)
        assert converter(PERSON["remark"])(written) == kept
        assert not formulas or written[0] not in "=+-@"


@given(day=st.dates(date(1800, 1, 1), date(2200, 12, 31)))
def test_a_date_that_is_shown_comes_back_the_same(day: date) -> None:
    assert show(DATE, converter(DATE)(show(DATE, day))) == day.isoformat()


def test_values_are_shown_in_chinese() -> None:
    assert show(PERSON["sex"], "1") == "男"
    assert show(DATE, 20190105) == "2019-01-05"
    assert show(MONTH, 202603) == "2026-03"
    assert (show(BOOL, False), show(BOOL, None), show(INT, 0)) == ("否", "", "0")
    assert show(PERSON["id_no"], "33020319650115001X") == "33**************1X"
    assert show(PERSON["phone"], "13800001234") == "138*****234"
    assert show_plain(PERSON["phone"], "13800001234") == "13800001234"
    assert show_plain(PERSON["id_no"], "33020319650115001X") == "33**************1X"
    assert mask_text("1234") == "****"


def test_a_form_offers_the_codes_of_the_day() -> None:
    district = dictionary()["unit"].fields["district_code"]
    assert "江东区" in {code.label for code in choices(district, date(2015, 1, 1))}
    assert "江东区" not in {code.label for code in choices(district, date(2026, 1, 1))}


def test_a_clipped_text_has_no_control_characters() -> None:
    assert clip("a\x00b" + "c" * 40) == "a□b" + "c" * 26 + "…"
