"""What one business date's run does, in order: check, tickets, red rounds, reminders and proposals (办法10(一)、办法21). An edge: it commits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from workflow.db import writing
from workflow.quality.models import CheckRun
from workflow.quality.red_rounds import Consequence, count_rounds
from workflow.quality.run import as_json, run_check


@dataclass(frozen=True)
class DayResult:
    """The run, and what the day's red rounds led to."""

    run: CheckRun
    consequences: list[Consequence]

    def as_json(self) -> dict[str, Any]:
        """The run's figures, with reminders sent and suspensions proposed."""
        counted = Counter(consequence.process for consequence in self.consequences)
        return as_json(self.run) | {"reminders": counted["reminder"], "proposals": counted["suspension"]}


def check_day(engine: Engine, today: date, now: datetime, *, kind: str = "incremental", by: str = "clock") -> DayResult:
    """The daily check of a business date. Doing it again finds nothing new and counts no round twice.

    1. The rules over the data, full or incremental; tickets in line. 2. Red rounds and broken streaks of the day.
    3. Reminders and proposals that follow.
    """
    run = run_check(engine, today, now, kind=kind, by=by)
    with writing(engine) as session:
        return DayResult(run, count_rounds(session, today, now))
