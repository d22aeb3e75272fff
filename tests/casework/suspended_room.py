"""A city whose office was red three rounds long: a reminder and two proposals stand; steps on them by named people."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Engine, select

from tests.quality.ticket_room import at, check, days, finding, midnight, rounds, settle
from workflow.casework.holds import Span, band_on, spans_of
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.registry.tree import rebuild

FOUND, FIRST, SECOND, THIRD = date(2026, 3, 2), date(2026, 3, 6), date(2026, 3, 11), date(2026, 3, 16)
LEADER, OTHER = Person("leader", {"leader": None}), Person("leader2", {"leader": None})
REVIEWER = Person("reviewer", {"reviewer": None})
HEAD = Person("head@1", {"unit_head": frozenset({1})})
NOISE = 3  # another county's unit, of which nothing may ever change


def red_city(engine: Engine, until: date = THIRD) -> Engine:
    """The office (1) with its school (2) below; two problems red since 6 March 2026, counted daily until a day."""
    settle(engine)
    with writing(engine) as session:
        rebuild(session)
    check(engine, FOUND, [finding(1), finding(2)])
    midnight(engine, FIRST)
    for day in days(FIRST, until):
        rounds(engine, day)
    return engine


def proposal(engine: Engine, months: int = 3) -> int:
    """The case that proposes so many months."""
    with reading(engine) as session:
        rows = session.execute(select(CASE.c.id, CASE.c.data).where(CASE.c.process == "suspension")).all()
    return next(row.id for row in rows if row.data["months"] == months)


def step(
    engine: Engine, case_id: int, do: str, on: date, actor: Person = LEADER, *, process: str = "suspension", **more: Any
) -> None:
    """One step at nine in the morning of a day; raises what refuses it."""
    with writing(engine) as session:
        require_moved(take_step(session, process, do, [case_id], now=at(on), actor=actor, **more))


def case(engine: Engine, case_id: int) -> Any:
    """A case as it stands."""
    with reading(engine) as session:
        return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def spans(engine: Engine, unit_id: int = 1) -> list[Span]:
    """The holds on a unit."""
    with reading(engine) as session:
        return spans_of(session, [unit_id]).get(unit_id, [])


def held_until(engine: Engine, day: date, unit_id: int = 1) -> date | None:
    """The governing end date for a unit on a day; None where it is free."""
    band = band_on(spans(engine, unit_id), day)
    return band.last_on if band else None
