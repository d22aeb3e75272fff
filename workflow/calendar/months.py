"""Calendar months: the same day N months on, clipped to the month's end (办法21 的三个月、六个月). Months as numbers are yyyymm."""

from __future__ import annotations

import calendar
from datetime import date

from workflow.errors import BadInput


def month_index(yyyymm: int) -> int:
    """yyyymm to a running count of months (year × 12 + month − 1), so that months subtract. Raises BadInput for a month 13."""
    year, month = divmod(yyyymm, 100)
    if not 1 <= month <= 12:
        raise BadInput(f"“{yyyymm}”不是年月，应为六位数字，例如 202603", month=yyyymm)
    return year * 12 + month - 1


def from_month_index(index: int) -> int:
    """The inverse of month_index."""
    year, month = divmod(index, 12)
    return year * 100 + month + 1


def add_to_month(yyyymm: int, months: int) -> int:
    """That many months later (earlier when negative), yyyymm."""
    return from_month_index(month_index(yyyymm) + months)


def month_of(day: date) -> int:
    """The yyyymm of a date."""
    return day.year * 100 + day.month


def month_end(yyyymm: int) -> date:
    """The last day of a month."""
    year, month = divmod(yyyymm, 100)
    return date(year, month, calendar.monthrange(year, month)[1])


def add_months(day: date, months: int) -> date:
    """The same day that many calendar months later; the month's last day where that day does not exist (民法典202 的“对应日”)."""
    last = month_end(add_to_month(month_of(day), months))
    return last.replace(day=min(day.day, last.day))
