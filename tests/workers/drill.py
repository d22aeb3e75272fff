"""A process of its own for drills with killed clocks, and a clock process that goes by it: `python drill.py`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from workers.clock import Clock
from workers.signals import Stop
from workflow.clock import business_date
from workflow.db import open_engine, writing
from workflow.engine.actors import SYSTEM
from workflow.engine.context import StepContext
from workflow.engine.definition import read_definition
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import Book, using
from workflow.engine.steps import NewCase, open_cases
from workflow.settings import get_settings

ALARM = """
process: alarm
version: 1
title: 闹钟
basis: [办法10(一)]
initial: set
opened_by: [system]
states:
  set:  {title: 已定}
  rung: {title: 已响, final: true}
transitions:
  - {do: ring, title: 响, from: set, to: rung, by: clock, then: [tell]}
timers:
  - {in: set, until: ring_on, do: ring}
"""
SLOWLY = 0.0004  # seconds that the effect takes for each case, so that kills fall into open transactions


def tell(context: StepContext) -> None:
    """One notice for each case, named after it."""
    time.sleep(SLOWLY * len(context.cases))
    messages = [
        Message("notice", f"ring:{case.id}", {"account": f"sleeper{case.id}", "kind": "alarm", "title": "响了"})
        for case in context.cases
    ]
    emit_all(context.session, messages, context.now)


def alarm_book() -> Book:
    """The book with this one process."""
    return Book({"alarm": read_definition(ALARM, "alarm.yaml")}, effects={"tell": tell})


def set_alarms(engine: Engine, count: int) -> None:
    """Open so many cases, each with a timer that has come due."""
    now = datetime.now(UTC) - timedelta(days=3)
    ring_on = business_date(now).isoformat()
    with using(alarm_book()), writing(engine) as session:
        new = [NewCase(None, f"alarm{n}", data={"ring_on": ring_on}) for n in range(count)]
        open_cases(session, "alarm", new, now=now, actor=SYSTEM)


def main() -> None:
    """A clock without daily jobs."""
    engine = open_engine(get_settings().database_url)
    with using(alarm_book()):
        Clock(engine, Stop(), slots=[]).run()
    engine.dispose()


if __name__ == "__main__":
    main()
