"""The streaks counted in SQL for all units at once are those that a reader finds in each ledger row by row."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

import workflow.models  # noqa: F401  (declares every table)
from tests.quality.ticket_room import at
from workflow.db import Base, prepare
from workflow.quality.models import ROUND
from workflow.quality.red_rounds import Entry, _running, standing_rounds

FIRST = date(2026, 3, 2)
ACTS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(("round", "round", "broken", "void"))), max_size=25)


@settings(max_examples=60, deadline=None)
@given(ACTS, st.randoms(use_true_random=False))
def test_the_statement_reads_ledgers_as_a_reader_does(acts: list[tuple[int, str]], dice: object) -> None:
    engine = prepare(create_engine("sqlite://", poolclass=StaticPool))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        rounds: dict[int, list[int]] = {1: [], 2: [], 3: []}
        for number, (unit, kind) in enumerate(acts):
            if kind == "void" and not rounds[unit]:
                continue
            voids = dice.choice(rounds[unit]) if kind == "void" else None  # type: ignore[attr-defined]
            day = FIRST + timedelta(number)
            row = {"unit_id": unit, "kind": kind, "on": day, "streak": 0, "voids_id": voids, "written_at": at(day)}
            id_ = session.scalar(insert(ROUND).values(**row, tickets=[], by="x").returning(ROUND.c.id))
            if kind == "round":
                rounds[unit].append(id_ or 0)
        by_hand = {}
        for unit in rounds:
            mine = select(*(ROUND.c[name] for name in Entry._fields)).where(ROUND.c.unit_id == unit)
            streak = standing_rounds([Entry._make(row) for row in session.execute(mine.order_by(ROUND.c.id))])
            if streak:
                by_hand[unit] = (len(streak), streak[-1].on)
        assert _running(session) == by_hand
    engine.dispose()
