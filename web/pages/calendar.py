"""The working-day calendar: a year at a glance with its notices, and a deadline worked out day by day. Reads definitions only, no database."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, g, render_template

from web.paging import argument, day_argument, number_argument
from web.permissions import permission
from workflow.calendar.calendar import FIRST, LAST, shipped_calendar
from workflow.calendar.deadline import Deadline, deadline
from workflow.errors import BadInput

bp = Blueprint("calendar", __name__)
MOST = 260  # working days: a year; more is no term of this regulation


@bp.get("/calendar")
@permission("calendar.read", scope="platform")
def page() -> Any:
    """A year of working days, days off and make-up days."""
    year = number_argument("year") or g.today.year
    if not FIRST.year < year < LAST.year:
        raise BadInput(f"日历只有 {FIRST.year + 1} 至 {LAST.year - 1} 年")
    shipped = shipped_calendar()
    months = [shipped.month(year * 100 + month) for month in range(1, 13)]
    days = [day for month in months for day in month]
    return render_template(
        "calendar/page.html",
        year=year,
        months=months,
        notices=shipped.notices(year),
        provisional=year not in shipped.announced,
        announced=sorted(shipped.announced),
        version=shipped.version,
        counts={kind: sum(day.kind == kind for day in days) for kind in ("work", "makeup", "holiday", "weekend")},
        **_calculator(),
    )


def _calculator() -> dict[str, Any]:
    """The deadline that the form asks for; three days from today where it asks for nothing."""
    start = day_argument("start") or g.today
    n = _term()
    due: Deadline = deadline(start, n, shipped_calendar())
    assert due.due_on is not None
    return {"start": start, "n": n, "due": due, "red_on": due.due_on + timedelta(1), "highlight": _span(due)}


def _term() -> int:
    text = argument("n") or "3"
    if not (text.isascii() and text.isdigit() and int(text) <= MOST):
        raise BadInput(f"工作日数应为 0 至 {MOST} 的整数")
    return int(text)


def _span(due: Deadline) -> dict[date, str]:
    """Date → how the year view marks it: zero, counted, due."""
    marks = {day.date: "counted" for day in due.days if day.counted}
    marks[due.start] = "zero"
    if due.due_on:
        marks[due.due_on] = "due"
    return marks
