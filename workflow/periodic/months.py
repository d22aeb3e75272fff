"""Months written YYYY-MM: first and last day, neighbours, the terms of a month's report. Pure functions."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.deadline import deadline
from workflow.errors import BadInput
from workflow.policy import Policy


def month_of(day: date) -> str:
    """2026-11"""
    return f"{day.year:04d}-{day.month:02d}"


def first_day(month: str) -> date:
    """The first day of a month. Raises BadInput for text that is no month."""
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        raise BadInput(f"“{month[:20]}”不是月份，应为 YYYY-MM") from None


def last_day(month: str) -> date:
    """The last day of a month."""
    first = first_day(month)
    return first.replace(day=monthrange(first.year, first.month)[1])


def month_before(month: str) -> str:
    """The month before."""
    return month_of(first_day(month) - timedelta(1))


def terms_of_month(month: str, policy: Policy, calendar: WorkCalendar) -> dict[str, date]:
    """The dates of a report: opens_on, remind_on, confirm_by, compare_by, consistent_by (readings 5.9)."""
    first, last = first_day(month), last_day(month)
    confirm_by = policy.day_in("monthly.confirm", first.year, first.month)
    after = {name: deadline(last, policy.term(f"monthly.{name}").n, calendar).due_on or last for name in _AFTER}
    return {
        "opens_on": policy.day_in("monthly.opens_on", first.year, first.month),
        "remind_on": working_days_before(confirm_by, policy.term("monthly.remind").n, calendar),
        "confirm_by": confirm_by,
        "compare_by": after["compare"],
        "consistent_by": after["consistency"],
    }


_AFTER = ("compare", "consistency")


def working_days_before(day: date, n: int, calendar: WorkCalendar) -> date:
    """The day that lies n working days before; the day itself for 0."""
    while n > 0:
        day -= timedelta(1)
        n -= calendar.is_working(day).working
    return day
