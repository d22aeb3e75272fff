"""Every day of 2015–2026 against two published packages; what a year without a notice does."""

from __future__ import annotations

import datetime as dt

import chinese_calendar
import holidays
import pytest

from workflow.calendar.calendar import WorkCalendar, load_calendar, shipped_calendar
from workflow.calendar.notices import FOLDER, read_notices
from workflow.errors import BadInput

YEARS = range(2015, 2027)
DAYS = [dt.date(2015, 1, 1) + dt.timedelta(step) for step in range((dt.date(2027, 1, 1) - dt.date(2015, 1, 1)).days)]

# Days that holidays (language zh_CN) names otherwise than the notice does: its name, ours, and the reason.
NAMED_OTHERWISE = {
    dt.date(2015, 9, 3): (
        "中国人民抗日战争暨世界反法西斯战争胜利70周年纪念日",
        "抗战胜利70周年纪念日",
        "国发明电〔2015〕1号：长名，此处用简称",
    ),
    dt.date(2015, 10, 6): (
        "中秋节",
        "国庆节",
        "国办发明电〔2014〕28号：10月1日至7日统称国庆节放假调休，中秋补休并入其中",
    ),
    dt.date(2020, 1, 31): ("春节延长假期", "春节（延长）", "国办发明电〔2020〕1号：同一假期，写法不同"),
    dt.date(2020, 2, 1): ("春节延长假期", "春节（延长）", "国办发明电〔2020〕1号：同一假期，写法不同"),
    dt.date(2020, 2, 2): ("春节延长假期", "春节（延长）", "国办发明电〔2020〕1号：同一假期，写法不同"),
    dt.date(2025, 1, 28): ("农历除夕", "春节", "国办发明电〔2024〕12号：春节自除夕起放假"),
    dt.date(2026, 2, 16): ("农历除夕", "春节", "国办发明电〔2025〕7号：春节自腊月二十八起放假，除夕在内"),
}


@pytest.fixture(scope="module")
def calendar() -> WorkCalendar:
    return load_calendar()


@pytest.fixture(scope="module")
def published() -> holidays.HolidayBase:
    return holidays.country_holidays("CN", years=YEARS, language="zh_CN")


def test_every_day_agrees_with_chinesecalendar(calendar: WorkCalendar) -> None:
    assert [day for day in DAYS if calendar.is_working(day).working != chinese_calendar.is_workday(day)] == []


def test_every_day_agrees_with_holidays(calendar: WorkCalendar, published: holidays.HolidayBase) -> None:
    assert [day for day in DAYS if calendar.is_working(day).working != published.is_working_day(day)] == []


def test_every_make_up_day_agrees_with_holidays(calendar: WorkCalendar, published: holidays.HolidayBase) -> None:
    ours = {day for day in DAYS if calendar.is_working(day).kind == "makeup"}
    assert ours == {day for day in published.weekend_workdays if day.year in YEARS}


def test_every_statutory_holiday_bears_the_name_of_its_notice(
    calendar: WorkCalendar, published: holidays.HolidayBase
) -> None:
    differing = {}
    for day, names in published.items():
        own = calendar.is_working(day).name
        theirs = [name.split("（")[0] for name in names.split("; ") if not name.startswith("休息日")]
        for name in theirs:
            if name not in own.split("、"):
                differing[day] = (name, own)
    assert differing == {day: expected[:2] for day, expected in NAMED_OTHERWISE.items()}


def test_every_year_from_2015_to_2026_has_its_notice_number(calendar: WorkCalendar) -> None:
    assert calendar.announced == frozenset(YEARS)
    numbers = {year: [notice.number for notice in calendar.notices(year)] for year in YEARS}
    assert numbers[2015] == ["国办发明电〔2014〕28号", "国发明电〔2015〕1号"]
    assert numbers[2019] == ["国办发明电〔2018〕15号", "国办发明电〔2019〕3号"]
    assert numbers[2020] == ["国办发明电〔2019〕16号", "国办发明电〔2020〕1号"]
    assert numbers[2026] == ["国办发明电〔2025〕7号"]
    assert all(numbers[year] for year in YEARS)


@pytest.mark.parametrize(
    ("day", "working", "why"),
    [
        (dt.date(2026, 3, 2), True, "工作日"),
        (dt.date(2026, 3, 7), False, "周六"),
        (dt.date(2026, 10, 5), False, "国庆节放假（国办发明电〔2025〕7号）"),
        (dt.date(2026, 2, 14), True, "调休上班（春节，国办发明电〔2025〕7号）"),
        (dt.date(2026, 2, 28), True, "调休上班（春节，国办发明电〔2025〕7号）"),
        (dt.date(2026, 1, 4), True, "调休上班（元旦，国办发明电〔2025〕7号）"),
        (dt.date(2015, 9, 3), False, "抗战胜利70周年纪念日放假（国发明电〔2015〕1号）"),
        (dt.date(2018, 12, 29), True, "调休上班（元旦，国办发明电〔2018〕15号）"),
        (dt.date(2018, 12, 31), False, "元旦放假（国办发明电〔2018〕15号）"),
        (dt.date(2019, 5, 5), True, "调休上班（劳动节，国办发明电〔2019〕3号）"),
    ],
)
def test_each_day_says_why_it_is_or_is_not_a_working_day(
    calendar: WorkCalendar, day: dt.date, working: bool, why: str
) -> None:
    fact = calendar.is_working(day)
    assert (fact.working, fact.why, fact.provisional) == (working, why, False)


def test_a_later_notice_replaces_an_earlier_one_day_by_day(calendar: WorkCalendar) -> None:
    fact = calendar.is_working(dt.date(2020, 2, 1))  # a make-up Saturday until the holiday was prolonged
    assert (fact.working, fact.notice) == (False, "国办发明电〔2020〕1号")


@pytest.mark.parametrize(
    ("day", "working", "why"),
    [
        (dt.date(2027, 1, 1), False, "元旦（2027年放假安排尚未公布，暂定）"),
        (dt.date(2027, 1, 2), False, "周六（2027年放假安排尚未公布，暂定）"),
        (dt.date(2027, 1, 4), True, "工作日（2027年放假安排尚未公布，暂定）"),
        (dt.date(2028, 5, 2), False, "劳动节（2028年放假安排尚未公布，暂定）"),
        (dt.date(2014, 5, 2), True, "工作日（2014年放假安排尚未公布，暂定）"),
        (dt.date(2027, 10, 4), True, "工作日（2027年放假安排尚未公布，暂定）"),
    ],
)
def test_a_year_without_a_notice_is_provisional_and_says_so(
    calendar: WorkCalendar, day: dt.date, working: bool, why: str
) -> None:
    fact = calendar.is_working(day)
    assert (fact.working, fact.why, fact.provisional) == (working, why, True)


def test_loading_the_missing_notice_ends_the_provisional_state() -> None:
    notices = read_notices(FOLDER)
    before = WorkCalendar({year: notices[year] for year in YEARS if year != 2026})
    after = WorkCalendar(notices)
    assert before.is_working(dt.date(2026, 2, 17)).provisional
    assert before.is_working(dt.date(2026, 2, 17)).working  # the lunar holiday is not known without the notice
    assert not after.is_working(dt.date(2026, 2, 17)).working
    assert before.version != after.version


def test_the_version_depends_on_the_content_alone(calendar: WorkCalendar) -> None:
    assert calendar.version == shipped_calendar().version
    assert calendar == shipped_calendar()
    assert len({calendar, shipped_calendar()}) == 1


def test_a_day_outside_the_calendar_is_refused(calendar: WorkCalendar) -> None:
    for day in (dt.date(1969, 12, 31), dt.date(2100, 1, 1)):
        with pytest.raises(BadInput, match="超出日历范围"):
            calendar.is_working(day)
        with pytest.raises(BadInput, match="超出日历范围"):
            calendar.working_index(day)


def test_a_month_lists_each_of_its_days_once(calendar: WorkCalendar) -> None:
    february = calendar.month(202602)
    assert [day.date.day for day in february] == list(range(1, 29))
    assert [day.date.day for day in february if day.kind == "makeup"] == [14, 28]
    assert len(calendar.month(202412)) == 31
    assert sum(day.working for day in calendar.month(202610)) == calendar.working_days_between(
        dt.date(2026, 9, 30), dt.date(2026, 10, 31)
    )
