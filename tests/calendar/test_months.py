"""Calendar months: clipped at the month's end, subtractable as indexes."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.calendar.months import add_months, add_to_month, from_month_index, month_end, month_index, month_of
from workflow.errors import BadInput


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ((2026, 3, 2), 3, (2026, 6, 2)),
        ((2026, 8, 31), 6, (2027, 2, 28)),
        ((2023, 8, 31), 6, (2024, 2, 29)),
        ((2026, 11, 30), 3, (2027, 2, 28)),
        ((2026, 12, 31), 12, (2027, 12, 31)),
        ((2024, 2, 29), 12, (2025, 2, 28)),
        ((2026, 3, 31), -1, (2026, 2, 28)),
        ((2026, 1, 15), 0, (2026, 1, 15)),
    ],
)
def test_the_same_day_months_later_is_clipped_to_the_months_end(
    day: tuple[int, int, int], months: int, expected: tuple[int, int, int]
) -> None:
    assert add_months(dt.date(*day), months) == dt.date(*expected)


@given(st.dates(dt.date(1950, 1, 1), dt.date(2090, 12, 31)), st.integers(-240, 240))
def test_adding_months_changes_the_month_by_just_that_many(day: dt.date, months: int) -> None:
    later = add_months(day, months)
    assert month_index(month_of(later)) - month_index(month_of(day)) == months
    assert later.day == day.day or (later.day < day.day and later == month_end(month_of(later)))


@given(st.integers(1900 * 12, 2100 * 12))
def test_month_indexes_and_months_are_one_to_one(index: int) -> None:
    assert month_index(from_month_index(index)) == index


def test_months_run_over_the_turn_of_the_year() -> None:
    assert add_to_month(202611, 3) == 202702
    assert add_to_month(202602, -3) == 202511
    assert month_index(202701) - month_index(202612) == 1


@pytest.mark.parametrize("wrong", [202600, 202613, 2026])
def test_a_month_that_does_not_exist_is_refused(wrong: int) -> None:
    with pytest.raises(BadInput, match="不是年月"):
        month_index(wrong)
