"""The present, read once at the edges (web, workers, command line); nothing inside workflow/ asks for the time by itself."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from workflow.errors import BadInput

SHANGHAI = ZoneInfo("Asia/Shanghai")
_started = datetime.now(UTC)


def present() -> datetime:
    """The present moment (aware, UTC), as SANDENG_CLOCK has it.

    Unset: the real time. A moment: the present at the start of the process, running on from there.
    `file:PATH`: the moment in that file, read anew each time. Raises BadInput where the moment cannot be read.
    """
    setting = os.environ.get("SANDENG_CLOCK", "").strip()
    if not setting:
        return datetime.now(UTC)
    if setting.startswith("file:"):
        return parse_moment(Path(setting[5:]).read_text(encoding="utf-8").strip())
    return parse_moment(setting) + (datetime.now(UTC) - _started)


def parse_moment(text: str) -> datetime:
    """ISO 8601 text to an aware UTC moment; a moment without offset is Asia/Shanghai, a date its first minute."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"时间“{text}”不是 ISO 8601 格式，例如 2026-03-02T09:00:00+08:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).astimezone(UTC)


def business_date(moment: datetime) -> date:
    """The date in Asia/Shanghai of an aware moment."""
    return moment.astimezone(SHANGHAI).date()
