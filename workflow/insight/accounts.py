"""The sign-in page's list of demonstration accounts, each with what its unit has open. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, case, func, or_, select
from sqlalchemy.orm import Session

from workflow.access.models import Account
from workflow.engine.models import Case
from workflow.scoping import whole_view


def demonstration_accounts(session: Session, find: str = "", *, limit: int = 60) -> Sequence[Row[Any]]:
    """Demonstration accounts (name, title, red, yellow): the offices first, then the units with most to put right.

    `find` narrows by account or title; red and yellow are the open tickets of the account's own unit.
    """
    lights = (
        select(
            Case.unit_id,
            func.sum(case((Case.light == "red", 1), else_=0)).label("red"),
            func.sum(case((Case.light == "yellow", 1), else_=0)).label("yellow"),
        )
        .where(Case.process == "rectification", Case.open)
        .group_by(Case.unit_id)
        .subquery()
    )
    red, yellow = func.coalesce(lights.c.red, 0), func.coalesce(lights.c.yellow, 0)
    statement = (
        select(Account.name, Account.title, red.label("red"), yellow.label("yellow"))
        .outerjoin(lights, lights.c.unit_id == Account.unit_id)
        .where(Account.demo, Account.disabled_on.is_(None))
    )
    if find:
        statement = statement.where(
            or_(Account.name.contains(find, autoescape=True), Account.title.contains(find, autoescape=True))
        )
    offices_first = case((Account.unit_id.is_(None), 0), else_=1)
    urgent = case((Account.unit_id.is_(None), 0), else_=-(red * 1000 + yellow))
    with whole_view(session):  # counts alone, of an invented city
        return session.execute(statement.order_by(offices_first, urgent, Account.name).limit(limit)).all()
