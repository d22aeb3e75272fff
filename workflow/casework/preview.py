"""What a decision on a suspension would bring, before it is taken: units bound, governing end, open matters that stop. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.casework.holds import band_on, spans_of
from workflow.casework.suspending import decided_end, derivation
from workflow.engine.models import CASE
from workflow.engine.registry import Book, book
from workflow.engine.sets import among
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

GUARD = "no_hold_on_unit_or_above"


@dataclass(frozen=True)
class BoundUnit:
    """One unit that would be bound, how far below, until when it is bound already, and until when it would be."""

    unit_id: int
    code: str
    name: str
    depth: int
    held_until: date | None
    governing_on: date


@dataclass(frozen=True)
class Matters:
    """Open matters of one process in the units bound; `stops` where its steps ask for no hold."""

    process: str
    title: str
    count: int
    stops: bool


@dataclass(frozen=True)
class Preview:
    """What would follow from deciding today."""

    until_on: date
    says: str
    units: list[BoundUnit]
    matters: list[Matters]

    @property
    def governing_on(self) -> date:
        """The end that would hold for the unit decided on: the later of an earlier hold's end and this one (readings 5.2)."""
        return next((unit.governing_on for unit in self.units if unit.depth == 0), self.until_on)


def stopped_processes(in_force: Book) -> set[str]:
    """The processes that a hold stops: those with a step that asks for no hold."""
    return {name for name, made in in_force.current.items() if any(GUARD in step.when for step in made.steps)}


def preview(
    session: Session, unit_id: int, data: Mapping[str, Any], today: date, inputs: Mapping[str, Any] | None = None
) -> Preview:
    """The consequences of deciding a proposal today, with the months proposed or the months or end date given. Raises BadInput."""
    until, months = decided_end(data, inputs or {}, today)
    unit = TABLES["unit"].c
    below = (
        select(unit.id, unit.unit_code, unit.name, UnitClosure.depth)
        .join(UnitClosure, UnitClosure.descendant_id == unit.id)
        .where(UnitClosure.ancestor_id == unit_id)
    )
    rows = session.execute(below.order_by(UnitClosure.depth, unit.unit_code)).all()
    spans = spans_of(session, [row.id for row in rows])
    units = []
    for row in rows:
        band = band_on(spans.get(row.id, []), today)
        held = band.last_on if band else None
        units.append(BoundUnit(row.id, row.unit_code, row.name, row.depth, held, max(until, held or until)))
    return Preview(until, derivation(today, until, months), units, _matters(session, [row.id for row in rows]))


def _matters(session: Session, unit_ids: list[int]) -> list[Matters]:
    in_force = book()
    stopped = stopped_processes(in_force)
    ours = select(CASE.c.process, func.count()).where(CASE.c.open, among(session, CASE.c.unit_id, unit_ids))
    counted = {process: n for process, n in session.execute(ours.group_by(CASE.c.process)) if process != "suspension"}
    return [
        Matters(name, in_force.process(name).title, counted.get(name, 0), name in stopped)
        for name in sorted({*counted, *stopped}, key=lambda name: (name not in stopped, name))
    ]
