"""The demonstration year 2026, lived through day by day: every light of every day is the one that the calendar gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from workflow.calendar.calendar import shipped_calendar
from workflow.clock import SHANGHAI
from workflow.db import reading, writing
from workflow.demo.bundle import DATASETS
from workflow.demo.city import CitySize, bundles
from workflow.demo.edits import Desk
from workflow.demo.files import write_city
from workflow.demo.fortnight import Script
from workflow.demo.spoiling import Spoiler
from workflow.engine.models import Case
from workflow.engine.timers import fire_due
from workflow.quality.daily import check_day
from workflow.quality.lights import light_on
from workflow.quality.models import Ticket
from workflow.quality.run import run_check
from workflow.registry.importing.run import import_file
from workflow.registry.tables import TABLES

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
CALENDAR = shipped_calendar()
TERMS = {"330282": 2}  # working days to red by county; the city has 3
RELAPSE = 5  # working days


@dataclass
class Pencil:
    """Day zero of each problem, kept by hand from what each check found."""

    found_on: dict[int, date] = field(default_factory=dict)
    fixed_on: dict[int, date | None] = field(default_factory=dict)
    seen: set[tuple[date, str]] = field(default_factory=set)

    def note(self, day: date, present: dict[int, bool]) -> None:
        """What a check of that day said of every ticket."""
        for ticket, there in present.items():
            fixed = self.fixed_on.get(ticket)
            if there and ticket not in self.found_on:
                self.found_on[ticket] = day
            elif there and fixed:
                held = CALENDAR.working_days_between(fixed, day)
                self.found_on[ticket] = day if held > RELAPSE else self.found_on[ticket]
            elif not there and not fixed:
                self.fixed_on[ticket] = day
            if there:
                self.fixed_on[ticket] = None

    def light(self, ticket: int, day: date, district: str) -> str:
        """The light at the end of the day."""
        term = TERMS.get(district, 3)
        return light_on(day, self.found_on[ticket], CALENDAR, red_after=term, fixed_on=self.fixed_on[ticket])


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment of that day in Ningbo."""
    return datetime.combine(day, time(hour, minute), SHANGHAI)


def prepare(engine: Engine, folder: Path, people: int) -> Script:
    """A small city on New Year's Day and what will happen to it on each working day of the year."""
    size = CitySize(people, FIRST, 7)
    spoiler, script = Spoiler(size, 0.2), Script(7, {}, days=245)
    write_city(script.spread(spoiler.spoil(bundles(size)), spoiler), folder)
    for dataset in DATASETS:
        path = folder / f"{dataset}.xlsx"
        assert not import_file(engine, dataset, path, by="demo", now=at(FIRST, 6), may_write_locked=True).errors
    return script


def days() -> Iterator[tuple[date, int | None]]:
    """Each day of the year with its number among the working days, None for a day off."""
    working = 0
    for n in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=n)
        if CALENDAR.is_working(day).working:
            yield day, working
            working += 1
        else:
            yield day, None


def compare(engine: Engine, pencil: Pencil, day: date) -> None:
    """Write down what was found; then every stored light must be the one worked out by hand."""
    unit = TABLES["unit"].c
    listed = (
        select(Ticket.id, Ticket.present, Ticket.rule_id, Ticket.found_on, Case.light, unit.district_code)
        .join(Case, Case.id == Ticket.case_id)
        .join(TABLES["unit"], unit.id == Ticket.unit_id)
    )
    with reading(engine) as session:
        rows = session.execute(listed).all()
    pencil.note(day, {row.id: row.present for row in rows})
    wrong = [
        (
            day,
            row.rule_id,
            row.light,
            pencil.light(row.id, day, row.district_code),
            row.found_on,
            pencil.found_on[row.id],
        )
        for row in rows
        if row.light != pencil.light(row.id, day, row.district_code)
        or (row.present and row.found_on != pencil.found_on[row.id])
    ]
    assert not wrong, wrong[:5]
    pencil.seen |= {(day, row.light) for row in rows}


@pytest.mark.slow
def test_the_whole_year_2026_shows_the_right_light_on_every_day(engine: Engine, tmp_path: Path) -> None:
    script, pencil = prepare(engine, tmp_path, people=300), Pencil()
    for day, working in days():
        fire_due(engine, at(day, 7, 30))
        check_day(engine, day, at(day, 7, 30), kind="full" if day == FIRST else "incremental")
        compare(engine, pencil, day)
        if working is not None and (script.fixing[working] or script.coming[working]):
            with writing(engine) as session:
                for spoiled in script.fixing[working]:
                    Desk(session, spoiled.unit, at(day, 15), "更正").put_right(spoiled.changes)
                for spoiled in script.coming[working]:
                    Desk(session, spoiled.unit, at(day, 15), "维护").spoil(spoiled.changes)
            run_check(engine, day, at(day, 15, 5), by="demo")
            fire_due(engine, at(day, 15, 6))
            compare(engine, pencil, day)
    lit = {light for _, light in pencil.seen}
    assert lit == {"green", "yellow", "red"}
    # Found before the Spring Festival (15 to 23 February): the make-up Saturday 14 February counts, the nine days off do not.
    assert any(day == date(2026, 2, 20) and light == "red" for day, light in pencil.seen)
    assert {day for day, _ in pencil.seen} >= {
        date(2026, 2, 14),
        date(2026, 2, 28),
        date(2026, 10, 1),
        date(2026, 10, 10),
    }
