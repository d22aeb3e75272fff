"""The terms of 月排查 and 季更新: ten and fifteen working days from the day of opening, and what is late is kept (办法15)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from tests.duty.duty_room import FIRST, at, case, opened, settle
from workflow.calendar.calendar import shipped_calendar
from workflow.calendar.deadline import deadline
from workflow.db import reading, writing
from workflow.duty.checking import MONTHLY, QUARTERLY
from workflow.engine.models import OUTBOX
from workflow.engine.timers import fire_due


@pytest.mark.parametrize(("process", "days"), [(MONTHLY, 10), (QUARTERLY, 15)])
def test_a_check_is_late_once_its_working_days_are_over_and_stays_to_be_done(
    both_engines: Engine, process: str, days: int
) -> None:
    with writing(both_engines) as session:
        settle(session)
        check = opened(session, process)
    with reading(both_engines) as session:
        due = case(session, check).due_at
    last = deadline(FIRST, days, shipped_calendar()).due_on
    assert last is not None
    assert due == at(last + timedelta(1), 0)
    fire_due(both_engines, due - timedelta(minutes=1))
    with reading(both_engines) as session:
        assert "late_on" not in case(session, check).data
    fire_due(both_engines, due)
    fire_due(both_engines, due + timedelta(days=9))
    with reading(both_engines) as session:
        late = case(session, check)
        told = session.scalar(select(func.count()).select_from(OUTBOX).where(OUTBOX.c.key.contains(f"{process}.late")))
    assert (late.state, late.open, late.data["late_on"], told) == ("checking", True, due.astimezone(at(last).tzinfo).date().isoformat(), 1)  # fmt: skip
