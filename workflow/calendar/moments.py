"""Between business dates (Asia/Shanghai) and moments (UTC). The business date of a moment is workflow.clock's, re-exported."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from workflow.clock import SHANGHAI, business_date

__all__ = ["business_date", "local_midnight_utc"]


def local_midnight_utc(day: date) -> datetime:
    """The UTC moment at which that date begins in Asia/Shanghai (00:00 local)."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
