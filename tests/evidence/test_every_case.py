"""Whatever people tried for weeks, every case that came of it is judged again without one difference: lights, explanations, holds, pauses."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, select

from tests.casework.test_walks import FIRST, attempt, hours
from tests.evidence.room import different, document
from tests.quality.ticket_room import at, check, finding, midnight, rounds, settle
from workflow.db import reading
from workflow.engine.models import CASE
from workflow.evidence.rejudging import rejudged

DAYS = 30


@pytest.mark.slow
def test_every_case_of_a_walk_is_judged_again_the_same(engine: Engine, tmp_path: Path) -> None:
    settle(engine)
    dice, broken, day = Random(7), {1, 2, 3}, FIRST
    for number in range(DAYS):
        day = FIRST + timedelta(number)
        midnight(engine, day)
        broken ^= {dice.randint(1, 6)}
        check(engine, day, [finding(record, level="W" if record % 2 else "E") for record in broken])
        rounds(engine, day)
        for hour in hours(dice):
            attempt(engine, dice, day, hour)
    with reading(engine) as session:
        cases = list(session.scalars(select(CASE.c.id).order_by(CASE.c.id)))
    seen: Counter[str] = Counter()
    for case_id in cases:
        kept = document(engine, case_id, at(day))
        found = rejudged(kept)
        assert different(found.rows) == [], case_id
        seen.update(f"{row.part} {row.result}" for row in found.rows)
        seen[kept["case"]["process"]] += 1
    assert {"rectification", "explanation", "suspension", "void_light"} <= seen.keys(), seen
    assert seen["timers same"] > 15, seen
