"""A platform with its guards: two security officers, an auditor, a business clerk; and how their matters are taken further."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.accounts import create_account, grant
from workflow.access.scopes import Actor, actor_named
from workflow.clock import SHANGHAI
from workflow.duty.checking import open_due_checks
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step

FIRST = date(2026, 4, 1)  # the month before is over, and the quarter
MORNING, DAWN = datetime(2026, 4, 1, 9, tzinfo=SHANGHAI), datetime(2026, 4, 1, 5, tzinfo=SHANGHAI)
LONG_AGO = datetime(2026, 2, 2, 9, tzinfo=SHANGHAI)
GUARDS = {"guard1": "security", "guard2": "security", "auditor": "auditor", "admin": "sysadmin"}


def at(day: date, hour: int = 9, minute: int = 0) -> datetime:
    """A moment of a day in Ningbo."""
    return datetime.combine(day, time(hour, minute), SHANGHAI)


def settle(session: Session, now: datetime = LONG_AGO) -> None:
    """The accounts that guard the platform, and the city's reviewer."""
    for name, role in GUARDS.items():
        create_account(session, name=name, person_name="某", now=now, by="first")
        grant(session, account=name, role_name=role, scope="platform", now=now, by="first")
    create_account(session, name="reviewer", person_name="某", now=now, by="first")
    grant(session, account="reviewer", role_name="reviewer", scope="district", district="330200", now=now, by="first")


def who(session: Session, name: str, now: datetime = MORNING) -> Actor:
    """Somebody as signed in."""
    return actor_named(session, name, now)


def opened(session: Session, process: str, now: datetime = DAWN) -> int:
    """The check of the period before, as the daily job opens it."""
    open_due_checks(session, FIRST, now)
    found: int = session.scalars(select(CASE.c.id).where(CASE.c.process == process)).one()
    return found


def case(session: Session, case_id: int) -> Any:
    """The case as it stands."""
    return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def step(session: Session, case_id: int, do: str, by: str, now: datetime = MORNING, **more: Any) -> None:
    """A step, which must be taken."""
    process = case(session, case_id).process
    require_moved(take_step(session, process, do, [case_id], now=now, actor=who(session, by, now), **more))


def filled(items: list[str], **odd: str) -> dict[str, str]:
    """Every item judged: in order, or `odd` with its measure."""
    form: dict[str, str] = {}
    for name in items:
        form |= {name: "odd" if name in odd else "fine", f"{name}_note": "已核对"}
        if odd.get(name):
            form[f"{name}_measure"] = odd[name]
    return form
