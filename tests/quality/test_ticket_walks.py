"""Random weeks of findings and explanations: the stored lights equal the light as a pure function of dates, on every day."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from tests.quality.ticket_room import OFFICE, at, check, finding, settle, ticket
from workflow.calendar.calendar import shipped_calendar
from workflow.calendar.deadline import Pause
from workflow.casework.explanation import open_explanation
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE, HISTORY, TIMER
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.quality.lights import light_on
from workflow.quality.models import TICKET

CALENDAR = shipped_calendar()
CLERK = Person("clerk", {"unit_clerk": frozenset({OFFICE})})
REVIEWER = Person("reviewer", {"reviewer": None})
RELAPSE = 5  # working days
DAYS = 18
CAUSE = "情况说明审核中"
records = itertools.count(1000)


@dataclass
class Truth:
    """What a person with calendar and pencil knows about one record."""

    record: int
    found_on: date | None = None
    fixed_on: date | None = None
    waived: bool = False
    explaining: bool = False
    pauses: list[Pause] = field(default_factory=list)

    def found(self, today: date) -> None:
        if self.waived or (self.found_on is not None and self.fixed_on is None):
            return
        if self.fixed_on is None or CALENDAR.working_days_between(self.fixed_on, today) > RELAPSE:
            self.found_on = today
        self.fixed_on = None

    def passed(self, today: date) -> None:
        if self.found_on is not None and self.fixed_on is None and not self.waived:
            self.fixed_on, self.explaining = today, False
            self._end_pause(today)

    def explain(self, today: date) -> None:
        self.explaining = True
        if not any(pause.from_on >= (self.found_on or today) for pause in self.pauses):
            self.pauses.append(Pause(CAUSE, today))

    def _end_pause(self, today: date) -> None:
        self.pauses = [p if p.to_on else Pause(CAUSE, p.from_on, today) for p in self.pauses]

    def end(self, do: str, today: date) -> None:
        self.explaining = False
        if do == "withdraw":
            self.pauses = [pause for pause in self.pauses if pause.to_on]
        else:
            self._end_pause(today)
            self.waived = do == "approve"

    def light(self, today: date) -> str:
        if self.found_on is None or self.waived:
            return "none"
        return light_on(today, self.found_on, CALENDAR, pauses=self.pauses, fixed_on=self.fixed_on)


def explanation(engine: Engine, truth: Truth, do: str, today: date) -> None:
    """One step of an explanation, taken by whoever may, in the house and on paper."""
    now = at(today, 10)
    ticket_id = ticket(engine, truth.record).id
    with writing(engine) as session:
        if do == "explain":
            case_id = open_explanation(session, ticket_id, now=now, actor=CLERK)
            given_: dict[str, Any] = {"actor": CLERK, "inputs": {"text": "说明", "evidence": ["x"]}}
            require_moved(take_step(session, "explanation", "submit", [case_id], now=now, **given_))
            truth.explain(today)
            return
        waiting = select(CASE.c.id).where(CASE.c.subject.like(f"ticket:{ticket_id}:%"), CASE.c.state == "submitted")
        actor = CLERK if do == "withdraw" else REVIEWER
        step = take_step(
            session, "explanation", do, [session.scalars(waiting).one()], now=now, actor=actor, reason="理由"
        )
        require_moved(step)
        truth.end(do, today)


def legal(truth: Truth) -> list[str]:
    lit = truth.found_on is not None and truth.fixed_on is None and not truth.waived
    if not lit:
        return []
    return ["approve", "refuse", "withdraw"] if truth.explaining else ["explain"]


def consistent(engine: Engine, ids: list[int]) -> None:
    """One case a ticket, one history row a version, one running timer in yellow and none elsewhere."""
    running = TIMER.c.state.in_(["armed", "paused"])
    with reading(engine) as session:
        for row in session.execute(select(TICKET.c.case_id).where(TICKET.c.record_id.in_(ids))):
            case = session.execute(select(CASE).where(CASE.c.id == row.case_id)).one()
            acts = session.scalars(
                select(HISTORY.c.version).where(HISTORY.c.case_id == case.id).order_by(HISTORY.c.version)
            )
            assert acts.all() == list(range(1, case.version + 1))
            timers = session.scalar(select(func.count()).select_from(TIMER).where(TIMER.c.case_id == case.id, running))
            assert timers == (case.state == "yellow")


@pytest.mark.slow
@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=st.dates(date(2026, 1, 1), date(2026, 10, 20)), data=st.data())
def test_the_lights_of_random_weeks_are_those_of_calendar_and_pencil(
    tmp_path: Path, engine: Engine, first: date, data: st.DataObject
) -> None:
    if not (tmp_path / "settled").exists():
        settle(engine)
        (tmp_path / "settled").touch()
    truths = [Truth(next(records)) for _ in range(4)]
    spells = [data.draw(st.lists(st.integers(1, 9), min_size=DAYS, max_size=DAYS), label="spells") for _ in truths]
    presence = [
        list(itertools.chain.from_iterable([n % 2 == 0] * long for n, long in enumerate(spell))) for spell in spells
    ]
    for number in range(DAYS):
        today, there = first + timedelta(number), [days[number] for days in presence]
        fire_due(engine, at(today, 0))
        check(
            engine,
            today,
            [finding(t.record) for t, yes in zip(truths, there, strict=True) if yes],
            scope=[t.record for t in truths],
        )
        for truth, yes in zip(truths, there, strict=True):
            truth.found(today) if yes else truth.passed(today)
        for truth in truths:
            do = data.draw(st.sampled_from(["", "", "", "", *legal(truth)]), label=f"{today} step")
            if do:
                explanation(engine, truth, do, today)
        fire_due(engine, at(today, 23))
        stored = [getattr(ticket(engine, truth.record), "light", "none") for truth in truths]
        assert stored == [truth.light(today) for truth in truths], today
    consistent(engine, [truth.record for truth in truths])
