"""Holds against a reading by hand: every day of every unit looked at on its own, months counted on fingers, the tree moving meanwhile."""

from __future__ import annotations

import itertools
from calendar import monthrange
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, update
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

import workflow.models  # noqa: F401  (declares every table)
from tests.quality.ticket_room import at
from workflow.casework.holds import Span, band_on, bands, spans_of
from workflow.db import Base, prepare
from workflow.engine.actors import SYSTEM, Person
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.registry.tables import TABLES
from workflow.registry.tree import rebuild

FIRST = date(2026, 1, 25)
DAYS = st.integers(0, 500).map(lambda n: FIRST + timedelta(n))
LEADER, SECOND = Person("a", {"leader": None}), Person("b", {"leader": None})
UNITS = (1, 2, 3, 4)


def months_later(day: date, months: int) -> date:
    """Month after month on the fingers; the last day where the same day is missing."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    first = draw(DAYS)
    until = first + timedelta(draw(st.integers(0, 200)))
    lifted = draw(st.none() | st.integers(0, 210).map(lambda n: first + timedelta(n)))
    return Span(draw(st.integers(1, 9)), 1, 1, first, until, lifted)


@given(st.lists(spans(), max_size=6))
def test_bands_are_the_days_on_which_some_hold_binds(given_spans: list[Span]) -> None:
    held = {
        day
        for span in given_spans
        for day in (span.from_on + timedelta(n) for n in range((span.until_on - span.from_on).days + 1))
        if span.lifted_on is None or day < span.lifted_on
    }
    drawn = bands(given_spans)
    for n in range(-1, 730):
        day = FIRST + timedelta(n)
        band = band_on(given_spans, day)
        assert (band is not None) == (day in held)
        assert band is None or (band.free_on not in held and band.governing.last_on == band.last_on)
    assert all(a.last_on + timedelta(1) < b.from_on for a, b in itertools.pairwise(drawn))


ACTS = st.lists(
    st.tuples(
        st.integers(0, 40),  # days that pass
        st.one_of(
            st.tuples(st.just("decide"), st.sampled_from(UNITS), st.integers(1, 6)),
            st.tuples(st.just("lift"), st.integers(0, 5), st.just(0)),
            st.tuples(st.just("move"), st.sampled_from(UNITS), st.sampled_from((0, *UNITS))),
        ),
    ),
    min_size=1,
    max_size=9,
)


class Town:
    """The same acts twice: through the engine, and as sets of (unit, day) noted by hand."""

    def __init__(self, session: Session) -> None:
        self.session, self.day = session, FIRST
        self.parents: dict[int, int | None] = {1: None, 2: 1, 3: 2, 4: None}
        entered = {"first_entered_by": "x", "first_entered_at": at(FIRST), "changed_at": at(FIRST)}
        for id_ in UNITS:
            row = {"id": id_, "unit_code": f"U{id_}", "name": f"单位{id_}", "district_code": "330200", **entered}
            session.execute(TABLES["unit"].insert().values(**row, parent_id=self.parents[id_]))
        rebuild(session)
        self.decided: list[tuple[int, set[int], date, date]] = []
        self.lifted: dict[int, date] = {}

    def line(self, unit: int) -> set[int]:
        above: set[int] = set()
        at_unit: int | None = unit
        while at_unit is not None:
            above.add(at_unit)
            at_unit = self.parents[at_unit]
        return above

    def take(self, case_id: int, do: str, actor: Person, **more: object) -> None:
        taken = take_step(self.session, "suspension", do, [case_id], now=at(self.day), actor=actor, **more)  # type: ignore[arg-type]
        require_moved(taken)

    def decide(self, unit: int, months: int) -> None:
        new = NewCase(unit, f"s{len(self.decided)}", "t", self.day, {"months": months, "round": 0})
        case_id = open_cases(self.session, "suspension", [new], now=at(self.day), actor=SYSTEM)[0]
        self.take(case_id, "confirm", LEADER)
        bound = {other for other in UNITS if unit in self.line(other)}
        self.decided.append((case_id, bound, self.day, months_later(self.day, months)))

    def lift(self, index: int, _: int) -> None:
        if index < len(self.decided) and self.decided[index][0] not in self.lifted:
            case_id = self.decided[index][0]
            self.take(case_id, "request_lift", LEADER, reason="x")
            self.take(case_id, "lift", SECOND)
            self.lifted[case_id] = self.day

    def move(self, unit: int, to: int) -> None:
        if not to or unit not in self.line(to):
            self.parents[unit] = to or None
            table = TABLES["unit"]
            self.session.execute(update(table).where(table.c.id == unit).values(parent_id=to or None))
            rebuild(self.session)

    def held_by_hand(self, unit: int, day: date) -> bool:
        return any(
            unit in bound and first <= day <= last and (case_id not in self.lifted or day < self.lifted[case_id])
            for case_id, bound, first, last in self.decided
        )


@settings(max_examples=25, deadline=None)
@given(ACTS)
def test_what_the_rows_say_is_what_a_reader_by_hand_says(acts: list[tuple[int, tuple[str, int, int]]]) -> None:
    engine = prepare(create_engine("sqlite://", poolclass=StaticPool))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        town = Town(session)
        for wait, (act, first, second) in acts:
            town.day += timedelta(wait)
            getattr(town, act)(first, second)
        found = spans_of(session, UNITS)
        for unit in UNITS:
            mine = found.get(unit, [])
            for n in range((town.day - FIRST).days + 200):
                day = FIRST + timedelta(n)
                assert (band_on(mine, day) is not None) == town.held_by_hand(unit, day), (unit, day)
        session.rollback()
    engine.dispose()
