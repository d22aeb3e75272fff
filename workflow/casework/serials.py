"""Numbers that run on without a gap within a year: of cases, notices, letters. One counter row a series, taken in the step's own transaction."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from workflow.casework.models import SERIAL, SerialNumber
from workflow.engine.outbox import insert_new


def next_number(session: Session, series: str, year: int) -> int:
    """The next number of a series, from 1 each year; what is rolled back is given again, so that no number is missing."""
    key = {"series": series, "year": year}
    session.execute(insert_new(session, SerialNumber, ["series", "year"]), [{**key, "last": 0}])
    mine = (SERIAL.c.series == series) & (SERIAL.c.year == year)
    return int(
        session.execute(update(SERIAL).where(mine).values(last=SERIAL.c.last + 1).returning(SERIAL.c.last)).scalar_one()
    )
