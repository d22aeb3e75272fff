"""A running timer held to another term. Rows only; which timers and which term is the caller's to say."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import update
from sqlalchemy.orm import Session

from workflow.engine.arming import DueDate
from workflow.engine.models import TIMER
from workflow.engine.sets import among
from workflow.policy import Term


def hold_to(session: Session, timer_ids: Collection[int], term: Term, when: DueDate) -> None:
    """Gives these timers a term's length and the dates that follow from it; a date in the past comes due at once."""
    dates = {"due_on": when.due_on, "due_at": when.due_at, "next_try_at": when.due_at, "provisional": when.provisional}
    session.execute(
        update(TIMER).where(among(session, TIMER.c.id, timer_ids)).values(n=term.n, unit=term.unit, **dates)
    )
