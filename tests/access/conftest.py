"""A unit tree of two counties, with codes that look alike, and people of every kind."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.orm import Session

from workflow.access.accounts import create_account, grant
from workflow.registry import records

UNITS = {  # code → (district, parent code)
    "330282101": ("330282", None),
    "33028210101": ("330282", "330282101"),
    "3302821010101": ("330282", "33028210101"),
    "3302821011": ("330282", None),  # begins like the first, is not under it
    "330203101": ("330203", None),
}


@pytest.fixture
def units(session: Session, now: datetime) -> dict[str, int]:
    """Unit code → id."""
    from sqlalchemy import select

    from workflow.registry.tables import TABLES

    office = {"by": "office", "now": now, "may_write_locked": True, "may_create": True}
    rows = [{"unit_code": code, "name": code, "district_code": place} for code, (place, _) in UNITS.items()]
    records.write(session, "unit", rows, **office)
    unit = TABLES["unit"].c
    ids = dict(session.execute(select(unit.unit_code, unit.id)).all())
    records.write(session, "unit", [{"unit_code": c, "parent": ids[p]} for c, (_, p) in UNITS.items() if p], **office)
    return ids


@pytest.fixture
def people(session: Session, units: dict[str, int], now: datetime) -> dict[str, str]:
    """Role → an account that holds it: the clerk of the bureau, the county's reviewer, the city's leader, the auditor."""
    held = {
        "unit_clerk": {"scope": "unit", "unit_id": units["330282101"]},
        "reviewer": {"scope": "district", "district": "330282"},
        "leader": {"scope": "district", "district": "330200"},
        "auditor": {"scope": "platform"},
    }
    for name, where in held.items():
        create_account(session, name=name, person_name=name, now=now, by="security", password="correct horse battery")
        grant(session, account=name, role_name=name, now=now, by="security", **where)
    return {name: name for name in held}
