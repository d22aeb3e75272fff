"""Deadlines at their boundaries, their derivations, pauses; properties over all starts of 2015–2027."""

from __future__ import annotations

import datetime as dt
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.calendar.calendar import load_calendar
from workflow.calendar.deadline import Deadline, Pause, deadline, deadlines
from workflow.calendar.moments import business_date, local_midnight_utc
from workflow.errors import BadInput

CALENDAR = load_calendar()
REVIEW = "说明核准审核中"

starts = st.dates(dt.date(2015, 1, 1), dt.date(2027, 12, 31))
terms = st.integers(0, 30)


@st.composite
def closed_pauses(draw: st.DrawFn, start: dt.date) -> list[Pause]:
    """Up to three pauses around a start, ended ones only."""
    spans = draw(st.lists(st.tuples(st.integers(-5, 40), st.integers(0, 15)), max_size=3))
    return [Pause(REVIEW, start + dt.timedelta(after), start + dt.timedelta(after + length)) for after, length in spans]


@pytest.mark.parametrize(
    ("start", "n", "due"),
    [
        ((2026, 9, 25), 3, (2026, 9, 30)),  # found on a holiday Friday
        ((2026, 9, 30), 3, (2026, 10, 10)),  # National Day, then Thursday, Friday and the make-up Saturday
        ((2026, 2, 11), 3, (2026, 2, 14)),  # the make-up Saturday before the Spring Festival is the third day
        ((2026, 2, 12), 3, (2026, 2, 24)),
        ((2026, 2, 14), 3, (2026, 2, 26)),
        ((2026, 2, 25), 3, (2026, 2, 28)),  # the make-up Saturday after it
        ((2026, 2, 26), 3, (2026, 3, 2)),
        ((2025, 12, 31), 1, (2026, 1, 4)),  # New Year, make-up Sunday
        ((2026, 1, 1), 3, (2026, 1, 6)),
        ((2026, 3, 2), 3, (2026, 3, 5)),
        ((2026, 3, 6), 1, (2026, 3, 9)),
        ((2026, 3, 7), 1, (2026, 3, 9)),
        ((2020, 1, 22), 3, (2020, 2, 4)),  # the prolonged Spring Festival
        ((2026, 4, 30), 5, (2026, 5, 11)),
    ],
)
def test_the_deadline_is_the_nth_working_day_after_day_zero(
    start: tuple[int, int, int], n: int, due: tuple[int, int, int]
) -> None:
    assert deadline(dt.date(*start), n, CALENDAR).due_on == dt.date(*due)


def test_a_problem_found_on_a_holiday_friday_turns_red_as_thursday_begins() -> None:
    found = deadline(dt.date(2026, 9, 25), 3, CALENDAR)
    assert found.due_on == dt.date(2026, 9, 30)
    assert found.due_at == dt.datetime(2026, 9, 30, 16, 0, tzinfo=dt.UTC)  # 2026-10-01 00:00 in Ningbo
    assert business_date(found.due_at) == dt.date(2026, 10, 1)
    assert business_date(found.due_at - dt.timedelta(microseconds=1)) == found.due_on


def test_the_derivation_names_each_day_and_its_reason() -> None:
    days = deadline(dt.date(2026, 9, 30), 3, CALENDAR).days
    assert [(day.date.isoformat()[5:], day.counted, day.n, day.why) for day in days] == [
        ("09-30", False, None, "起算当日，不计入"),
        *((f"10-0{d}", False, None, "国庆节放假（国办发明电〔2025〕7号）") for d in range(1, 8)),
        ("10-08", True, 1, "第1个工作日"),
        ("10-09", True, 2, "第2个工作日"),
        ("10-10", True, 3, "第3个工作日，调休上班（国庆节，国办发明电〔2025〕7号）"),
    ]


def test_weekends_are_named_by_their_day() -> None:
    days = deadline(dt.date(2026, 3, 6), 1, CALENDAR).days
    assert [day.why for day in days] == ["起算当日，不计入", "周六", "周日", "第1个工作日"]


def test_a_term_of_no_days_has_passed_as_day_zero_begins() -> None:
    at_once = deadline(dt.date(2026, 9, 25), 0, CALENDAR, [Pause(REVIEW, dt.date(2026, 9, 1))])
    assert at_once.due_on == dt.date(2026, 9, 25)
    assert at_once.due_at == local_midnight_utc(dt.date(2026, 9, 25))
    assert len(at_once.days) == 1


def test_a_deadline_that_reaches_into_an_unannounced_year_is_provisional() -> None:
    assert not deadline(dt.date(2026, 12, 28), 3, CALENDAR).provisional
    reaching = deadline(dt.date(2026, 12, 29), 3, CALENDAR)
    assert reaching.provisional
    assert reaching.due_on == dt.date(2027, 1, 4)
    assert reaching.days[-1].why == "第3个工作日（2027年放假安排尚未公布，暂定）"


def test_working_days_under_review_do_not_count() -> None:
    held = deadline(dt.date(2026, 3, 2), 3, CALENDAR, [Pause(REVIEW, dt.date(2026, 3, 4), dt.date(2026, 3, 9))])
    assert held.due_on == dt.date(2026, 3, 11)
    assert [day.why for day in held.days[1:]] == [
        "第1个工作日", "说明核准审核中不计", "说明核准审核中不计", "说明核准审核中不计",
        "周六", "周日", "说明核准审核中不计", "第2个工作日", "第3个工作日",
    ]  # fmt: skip


def test_an_open_pause_keeps_the_deadline_open() -> None:
    held = deadline(dt.date(2026, 3, 2), 3, CALENDAR, [(REVIEW, dt.date(2026, 3, 4), None)])
    assert (held.due_on, held.due_at) == (None, None)
    assert held.days[-1] == (dt.date(2026, 3, 4), False, None, "说明核准审核中，尚未结束，自本日起不计")
    assert held.as_json()["due_on"] is None


def test_an_open_pause_that_begins_after_the_deadline_changes_nothing() -> None:
    start = dt.date(2026, 3, 2)
    assert deadline(start, 3, CALENDAR, [(REVIEW, dt.date(2026, 3, 6), None)]) == deadline(start, 3, CALENDAR)
    assert deadline(start, 3, CALENDAR, [(REVIEW, dt.date(2026, 3, 5), None)]).due_on is None


def test_days_in_two_pauses_are_left_out_once() -> None:
    twice = [
        Pause(REVIEW, dt.date(2026, 3, 3), dt.date(2026, 3, 4)),
        Pause("平台故障", dt.date(2026, 3, 4), dt.date(2026, 3, 5)),
    ]
    assert deadline(dt.date(2026, 3, 2), 1, CALENDAR, twice).due_on == dt.date(2026, 3, 6)


def test_a_negative_term_and_an_endless_one_are_refused() -> None:
    with pytest.raises(BadInput, match="不能为负"):
        deadline(dt.date(2026, 3, 2), -1, CALENDAR)
    with pytest.raises(BadInput, match="不能为负"):
        CALENDAR.deadline_on(dt.date(2026, 3, 2), -1)
    with pytest.raises(BadInput, match="超出日历范围"):
        CALENDAR.deadline_on(dt.date(2099, 12, 25), 30)
    with pytest.raises(BadInput, match="超出日历范围"):
        deadline(dt.date(2099, 12, 25), 30, CALENDAR)


def test_the_json_of_a_deadline_has_dates_as_text() -> None:
    answer = deadline(dt.date(2026, 3, 6), 1, CALENDAR).as_json()
    assert (answer["due_on"], answer["due_at"], answer["provisional"]) == (
        "2026-03-09",
        "2026-03-09T16:00:00+00:00",
        False,
    )
    assert answer["days"][-1] == {"date": "2026-03-09", "counted": True, "n": 1, "why": "第1个工作日"}
    assert answer["calendar_version"] == CALENDAR.version


def covers_every_day(answer: Deadline) -> bool:
    dates = [day.date for day in answer.days]
    last = answer.due_on or dates[-1]
    return dates == [answer.start + dt.timedelta(step) for step in range((last - answer.start).days + 1)]


@given(starts, terms)
def test_exactly_n_working_days_lie_between(start: dt.date, n: int) -> None:
    due = CALENDAR.deadline_on(start, n)
    assert CALENDAR.working_days_between(start, due) == n
    assert CALENDAR.working_days_between(due, start) == -n
    walked = [start + dt.timedelta(step) for step in range(1, (due - start).days + 1)]
    assert sum(CALENDAR.is_working(day).working for day in walked) == n
    assert n == 0 or CALENDAR.is_working(due).working


@given(starts, terms)
def test_the_derivation_agrees_with_the_fast_path_and_covers_every_day(start: dt.date, n: int) -> None:
    answer = deadline(start, n, CALENDAR)
    assert answer.due_on == CALENDAR.deadline_on(start, n)
    assert covers_every_day(answer)
    assert [day.n for day in answer.days if day.counted] == list(range(1, n + 1))
    assert answer.provisional == any(CALENDAR.is_provisional(day.date) for day in answer.days[1:])


@given(starts, st.integers(0, 10), terms, st.integers(0, 5))
def test_a_later_start_or_a_longer_term_is_never_due_earlier(start: dt.date, later: int, n: int, more: int) -> None:
    assert CALENDAR.deadline_on(start + dt.timedelta(later), n) >= CALENDAR.deadline_on(start, n)
    assert CALENDAR.deadline_on(start, n + more) >= CALENDAR.deadline_on(start, n)


@given(st.data(), starts, st.integers(1, 15))
def test_pauses_never_make_a_deadline_earlier(data: st.DataObject, start: dt.date, n: int) -> None:
    pauses = data.draw(closed_pauses(start))
    held = deadline(start, n, CALENDAR, pauses)
    assert held.due_on is not None
    assert held.due_on >= CALENDAR.deadline_on(start, n)
    assert covers_every_day(held)
    counted = [day.date for day in held.days if day.counted]
    assert len(counted) == n
    assert counted[-1] == held.due_on
    assert not any(pause.from_on <= day <= pause.to_on for day in counted for pause in pauses if pause.to_on)


@given(st.data(), starts, st.integers(1, 15))
def test_one_more_pause_never_helps_to_be_due_earlier(data: st.DataObject, start: dt.date, n: int) -> None:
    pauses = data.draw(closed_pauses(start))
    more = [*pauses, *data.draw(closed_pauses(start))]
    fewer_due, more_due = (deadline(start, n, CALENDAR, some).due_on for some in (pauses, more))
    assert fewer_due is not None
    assert more_due is not None
    assert more_due >= fewer_due


@given(starts)
def test_the_next_working_day_is_the_first_one_after(day: dt.date) -> None:
    following = CALENDAR.next_working_day(day)
    between = [day + dt.timedelta(step) for step in range(1, (following - day).days)]
    assert following > day
    assert CALENDAR.is_working(following).working
    assert not any(CALENDAR.is_working(skipped).working for skipped in between)


@given(starts)
def test_the_business_day_ends_where_the_next_begins(day: dt.date) -> None:
    begins = local_midnight_utc(day)
    assert business_date(begins) == day
    assert business_date(begins - dt.timedelta(microseconds=1)) == day - dt.timedelta(1)
    assert begins.utcoffset() == dt.timedelta(0)


def test_many_starts_at_once_give_each_distinct_date_its_deadline() -> None:
    some = [dt.date(2026, 3, 2), dt.date(2026, 3, 3), dt.date(2026, 3, 2)]
    assert deadlines(some, 3, CALENDAR) == {start: deadline(start, 3, CALENDAR) for start in some}


def test_twenty_thousand_deadlines_take_less_than_a_fifth_of_a_second() -> None:
    chosen = random.Random(3)
    many = [dt.date(2015, 1, 1) + dt.timedelta(chosen.randrange(4380)) for _ in range(20_000)]

    def seconds() -> float:
        began = time.process_time()
        for start in many:
            deadline(start, 3, CALENDAR)
        return time.process_time() - began

    assert min(seconds() for _ in range(3)) < 0.2
