"""Holds as days: which bind a unit on a day, and overlapping ones as one band with the governing end. Reads only.

A hold binds the units noted on the day of decision; a unit moved in the tree later neither gains nor loses one by that (办法21).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from workflow.casework.models import HOLD, HOLD_APPLY, HOLD_USE
from workflow.engine.sets import Shape, among, bound, grouped
from workflow.prepared import Prepared
from workflow.registry.tables import TABLES

DAY = timedelta(1)
UNIT = TABLES["unit"].c


@dataclass(frozen=True)
class Span:
    """One hold on one unit: its days, and the case and unit that it comes from."""

    case_id: int
    unit_id: int
    source_unit_id: int
    from_on: date
    until_on: date
    lifted_on: date | None
    kind: str = HOLD_APPLY

    @property
    def stops_use(self) -> bool:
        """Whether it stops the use of quotas altogether (办法22), entries on issued notices included."""
        return self.kind == HOLD_USE

    @property
    def last_on(self) -> date:
        """The last day on which it binds; before `from_on` where it was taken back on the first day."""
        return self.until_on if self.lifted_on is None else min(self.until_on, self.lifted_on - DAY)

    def binds(self, day: date) -> bool:
        """Whether it binds on that day."""
        return self.from_on <= day <= self.last_on

    @property
    def inherited(self) -> bool:
        """Whether it comes from a unit above."""
        return self.unit_id != self.source_unit_id


@dataclass(frozen=True)
class Band:
    """Holds that overlap or follow each other without a free day, drawn as one; `last_on` is the governing end date."""

    from_on: date
    last_on: date
    spans: tuple[Span, ...]

    @property
    def free_on(self) -> date:
        """The first day on which applications are taken again."""
        return self.last_on + DAY

    @property
    def governing(self) -> Span:
        """The hold that ends last."""
        return max(self.spans, key=lambda span: (span.last_on, span.case_id))


def in_force(day: date) -> ColumnElement[bool]:
    """The condition that a hold row binds on a day."""
    kept = or_(HOLD.c.lifted_on.is_(None), HOLD.c.lifted_on > day)
    return (HOLD.c.from_on <= day) & (HOLD.c.until_on >= day) & kept


def spans_of(session: Session, unit_ids: Collection[int], *conditions: ColumnElement[bool]) -> dict[int, list[Span]]:
    """Unit id → its holds of all time in order of their first day; units without any are left out."""
    columns = [HOLD.c[name] for name in Span.__dataclass_fields__]
    ours = select(*columns).where(among(session, HOLD.c.unit_id, unit_ids), *conditions)
    rows = session.execute(ours.order_by(HOLD.c.from_on, HOLD.c.id))
    return grouped((row.unit_id, Span(**row._mapping)) for row in rows)


def spans_and_names(
    session: Session, unit_ids: Collection[int]
) -> tuple[dict[int, list[Span]], dict[int, tuple[str, str]]]:
    """The same, and the code and name of each unit that a hold comes from. One statement."""
    shape, chosen = bound(session, unit_ids)
    rows = [(Span(*row[:-2]), row[-2:]) for row in _of_units(shape).rows(session, {"ids": chosen})]
    names = {span.source_unit_id: (code, name) for span, (code, name) in rows}
    return grouped((span.unit_id, span) for span, _ in rows), names


@cache
def _of_units(shape: Shape) -> Prepared:
    """The holds on units, each with code and name of the unit that it comes from; built once."""
    columns = [HOLD.c[name] for name in Span.__dataclass_fields__]
    listed = select(*columns, UNIT.unit_code, UNIT.name).join(TABLES["unit"], UNIT.id == HOLD.c.source_unit_id)
    return Prepared(listed.where(shape.holds(HOLD.c.unit_id)).order_by(HOLD.c.from_on, HOLD.c.id), ["ids"])


def binding(session: Session, unit_ids: Collection[int], day: date) -> dict[int, list[Span]]:
    """Unit id → the holds that bind it on a day."""
    return spans_of(session, unit_ids, in_force(day))


def bands(spans: Iterable[Span]) -> list[Band]:
    """The holds of one unit as bands in order; a hold that never bound a day is left out. Pure."""
    merged: list[list[Span]] = []
    end: date | None = None
    for span in sorted((s for s in spans if s.last_on >= s.from_on), key=lambda s: (s.from_on, s.last_on)):
        if end is None or span.from_on > end + DAY:
            merged.append([])
            end = span.last_on
        merged[-1].append(span)
        end = max(end, span.last_on)
    return [_band(part) for part in merged]


def _band(part: Sequence[Span]) -> Band:
    return Band(part[0].from_on, max(span.last_on for span in part), tuple(part))


def band_on(spans: Iterable[Span], day: date) -> Band | None:
    """The band that covers a day; None where the unit is free."""
    return next((band for band in bands(spans) if band.from_on <= day <= band.last_on), None)
