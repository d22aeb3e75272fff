"""Statutory retirement month under the gradual delay (国务院关于渐进式延迟法定退休年龄的办法, from 2025-01-01). Integers only.

The formula, for SQL and arrays alike; m(x) is year × 12 + month − 1, every division whole and of a number that is not negative:

    off    = m(birth) − m(from)                       the day of birth is ignored
    delay  = 0 if off < 0 else min(most, off ÷ step + 1)
    retire = m(birth) + age × 12 + delay
    earliest = max(m(birth) + age × 12, retire − 36)   latest = retire + 36
    M: age 60, from 1965-01, step 4, most 36 · F55: 55, 1970-01, 4, 36 · F50: 50, 1975-01, 2, 60

Months in and out are yyyymm. Earliest and latest are the bounds of 弹性退休 (办法第三条; 人社部发〔2024〕94号).
"""

from __future__ import annotations

from typing import NamedTuple

from workflow.calendar.months import from_month_index, month_index
from workflow.errors import BadInput

FLEXIBLE_MONTHS = 36
MALE, FEMALE = "1", "2"  # GB/T 2261.1-2003
_SEXES = {"男": MALE, "女": FEMALE, MALE: MALE, FEMALE: FEMALE}


class Schedule(NamedTuple):
    """One column of the annex: original age in years, first birth month delayed, birth months per month of delay, most months."""

    title: str
    age: int
    from_month: int
    step: int
    most: int


SCHEDULES = {
    "M": Schedule("原法定退休年龄60周岁", 60, 196501, 4, 36),
    "F55": Schedule("原法定退休年龄55周岁的女职工", 55, 197001, 4, 36),
    "F50": Schedule("原法定退休年龄50周岁的女职工", 50, 197501, 2, 60),
}


class Retirement(NamedTuple):
    """Statutory month, months of delay against the original age, and the bounds of flexible retirement; months yyyymm."""

    retire_month: int
    delay_months: int
    earliest: int
    latest: int


def retirement(sex: str, birth_month: int, category: str | None = None) -> Retirement:
    """The retirement months of one person.

    `sex` 男/女 or its code 1/2; `birth_month` yyyymm; `category` M, F55 or F50, and where it is None that of a man, or of a woman cadre.
    A woman may go by M (处级及以上、高级职称), a man by M only. Raises BadInput for anything else.
    """
    sex = _sex(sex)
    category = category or retire_category(sex)
    if category not in SCHEDULES:
        raise BadInput(f"退休口径“{category}”不存在，应为 {'、'.join(SCHEDULES)} 之一", category=category)
    if sex == MALE and category != "M":
        raise BadInput(f"男性的退休口径只能是 M，不能是 {category}", category=category)
    schedule = SCHEDULES[category]
    birth = month_index(birth_month)
    original = birth + schedule.age * 12
    off = birth - month_index(schedule.from_month)
    delay = 0 if off < 0 else min(schedule.most, off // schedule.step + 1)
    retire = original + delay
    months = (retire, max(original, retire - FLEXIBLE_MONTHS), retire + FLEXIBLE_MONTHS)
    retire_month, earliest, latest = (from_month_index(month) for month in months)
    return Retirement(retire_month, delay, earliest, latest)


def retire_category(
    sex: str,
    *,
    worker: bool = False,
    division_rank: bool = False,
    senior_title: bool = False,
    override: str | None = None,
) -> str:
    """Which schedule a person of a state organ or public institution goes by (组通字〔2015〕14号).

    An override with a document wins. A man: M. A woman of 处级 rank and up or with a 高级职称: M. A woman in a 工勤 post: F50.
    Every other woman (公务员、参公、管理岗、专技岗): F55.
    """
    if override:
        return override
    if _sex(sex) == MALE or division_rank or senior_title:
        return "M"
    return "F50" if worker else "F55"


def _sex(sex: str) -> str:
    if sex not in _SEXES:
        raise BadInput(f"性别“{sex}”不能用于计算退休年月，应为男或女", sex=sex)
    return _SEXES[sex]
