"""Statutory retirement month: the published examples, the steps of the schedule, and the choice of category."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.calendar.months import add_to_month, from_month_index, month_index
from workflow.errors import BadInput
from workflow.registry.retirement import SCHEDULES, Retirement, retire_category, retirement

SEX = {"M": "男", "F55": "女", "F50": "女"}
births = st.integers(month_index(193001), month_index(202512)).map(from_month_index)
categories = st.sampled_from(sorted(SCHEDULES))


@pytest.mark.parametrize(
    ("category", "birth_month", "retire_month", "delay"),
    [
        ("M", 196501, 202502, 1),
        ("M", 196512, 202603, 3),
        ("M", 196402, 202402, 0),
        ("M", 196312, 202312, 0),
        ("M", 199512, 205812, 36),
        ("M", 200012, 206312, 36),
        ("F55", 197104, 202608, 4),
        ("F55", 196304, 201804, 0),
        ("F55", 200012, 205812, 36),
        ("F50", 199512, 205012, 60),
        ("M", 196412, 202412, 0),
        ("M", 196505, 202507, 2),
        ("M", 197006, 203111, 17),
        ("M", 197608, 203907, 35),
        ("M", 197609, 203909, 36),
        ("F55", 197001, 202502, 1),
        ("F55", 198109, 203909, 36),
        ("F50", 197501, 202502, 1),
        ("F50", 198411, 203911, 60),
    ],
)
def test_the_published_examples(category: str, birth_month: int, retire_month: int, delay: int) -> None:
    result = retirement(SEX[category], birth_month, category)
    assert (result.retire_month, result.delay_months) == (retire_month, delay)


@pytest.mark.parametrize(
    ("category", "birth_month", "expected"),
    [
        ("M", 196412, Retirement(202412, 0, 202412, 202712)),  # never earlier than the original age
        ("M", 196512, Retirement(202603, 3, 202512, 202903)),
        ("M", 197609, Retirement(203909, 36, 203609, 204209)),  # three full years of choice on both sides
        ("F55", 197104, Retirement(202608, 4, 202604, 202908)),
        ("F50", 198411, Retirement(203911, 60, 203611, 204211)),
    ],
)
def test_flexible_retirement_lies_three_years_around_and_not_below_the_original_age(
    category: str, birth_month: int, expected: Retirement
) -> None:
    assert retirement(SEX[category], birth_month, category) == expected


@given(categories, births)
def test_the_delay_grows_by_a_month_each_step_until_its_most(category: str, birth_month: int) -> None:
    schedule = SCHEDULES[category]
    this = retirement(SEX[category], birth_month, category)
    a_step_later = retirement(SEX[category], add_to_month(birth_month, schedule.step), category)
    affected = birth_month >= schedule.from_month
    within = affected and this.delay_months < schedule.most
    if affected:
        assert a_step_later.delay_months - this.delay_months == (1 if within else 0)
    else:
        assert this.delay_months == 0


@given(categories, births)
def test_someone_younger_never_retires_earlier(category: str, birth_month: int) -> None:
    this = retirement(SEX[category], birth_month, category)
    younger = retirement(SEX[category], add_to_month(birth_month, 1), category)
    assert younger.retire_month > this.retire_month


@given(categories, births)
def test_the_bounds_enclose_the_statutory_month(category: str, birth_month: int) -> None:
    result = retirement(SEX[category], birth_month, category)
    original = add_to_month(birth_month, SCHEDULES[category].age * 12)
    assert original <= result.earliest <= result.retire_month < result.latest
    assert month_index(result.retire_month) - month_index(original) == result.delay_months
    assert month_index(result.retire_month) - month_index(result.earliest) <= 36
    assert month_index(result.latest) - month_index(result.retire_month) == 36


@given(births)
def test_nobody_retires_before_2025_by_the_new_schedule(birth_month: int) -> None:
    result = retirement("男", birth_month)
    assert (result.delay_months > 0) == (result.retire_month >= 202502)


@pytest.mark.parametrize(
    ("facts", "category"),
    [
        ({"sex": "男"}, "M"),
        ({"sex": "1", "worker": True}, "M"),
        ({"sex": "女"}, "F55"),
        ({"sex": "2", "worker": True}, "F50"),
        ({"sex": "女", "division_rank": True}, "M"),
        ({"sex": "女", "senior_title": True}, "M"),
        ({"sex": "女", "worker": True, "senior_title": True}, "M"),
        ({"sex": "女", "division_rank": True, "override": "F55"}, "F55"),
    ],
)
def test_the_category_follows_sex_post_rank_and_title(facts: dict[str, object], category: str) -> None:
    assert retire_category(**facts) == category  # type: ignore[arg-type]


def test_without_a_category_a_man_goes_by_60_and_a_woman_by_55() -> None:
    assert retirement("男", 197001) == retirement("1", 197001, "M")
    assert retirement("女", 197001) == retirement("2", 197001, "F55")


def test_a_woman_of_division_rank_goes_by_the_mens_schedule() -> None:
    assert retirement("女", 197006, retire_category("女", division_rank=True)) == retirement("男", 197006)


@pytest.mark.parametrize(
    ("sex", "birth_month", "category", "says"),
    [
        ("男", 197001, "F55", "男性的退休口径只能是 M"),
        ("女", 197001, "F60", "退休口径“F60”不存在，应为 M、F55、F50 之一"),
        ("未知", 197001, "M", "性别“未知”"),
        ("0", 197001, None, "性别“0”"),
        ("男", 197013, "M", "不是年月"),
        ("男", 1970, "M", "不是年月"),
    ],
)
def test_what_cannot_be_computed_is_refused(sex: str, birth_month: int, category: str | None, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        retirement(sex, birth_month, category)
