"""The digest of a working morning: what waits for each role at each place, in one notice (办法20). None on holidays."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from workflow.access.roles import roles
from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.moments import local_midnight_utc
from workflow.clock import business_date
from workflow.engine.models import Case
from workflow.operations.daily import Slot
from workflow.operations.notices import OFFICE, post
from workflow.policy import Policies
from workflow.registry.tables import TABLES

KIND = "digest"
LIGHTS = {"red": "红灯", "yellow": "黄灯", "none": "待办"}

Place = tuple[str, int | None, str | None]  # role, unit, district


def digest_slots(policies: Policies) -> list[Slot]:
    """The digest at the city's hour, and one more for each county with an hour of its own."""
    at = policies.city.time("digest.at")
    own = [policy for policy in policies.counties.values() if policy.time("digest.at") != at]
    return [Slot(KIND, at), *(Slot(f"{KIND}:{policy.district}", policy.time("digest.at")) for policy in own)]


def send_digest(
    session: Session, job: str, now: datetime, policies: Policies, calendar: WorkCalendar
) -> dict[str, Any]:
    """Write the notices of one digest slot; returns {"notices": n}. A day off has none."""
    if not calendar.is_working(business_date(now)).working:
        return {"notices": 0}
    _, _, county = job.partition(":")
    elsewhere = {slot.job.partition(":")[2] for slot in digest_slots(policies)} - {"", county}
    waiting = _waiting(session, now)
    chosen = {
        place: figures
        for place, figures in waiting.items()
        if (figures.district == county if county else figures.district not in elsewhere)
    }
    items = [_notice(place, figures) for place, figures in chosen.items()]
    post(session, items, now, policies, calendar)
    return {"notices": len(items)}


class Figures:
    """What waits at one place: open cases by light, and how many of them end today."""

    def __init__(self, district: str) -> None:
        self.district = district
        self.lights: Counter[str] = Counter()
        self.ending = 0

    def add(self, light: str, count: int, ending: int) -> None:
        """Count some more cases."""
        self.lights[light if light in LIGHTS else "none"] += count
        self.ending += ending

    def title(self) -> str:
        """As 今日待办：红灯1项，黄灯3项；今日到期2项."""
        parts = "，".join(f"{title}{self.lights[light]}项" for light, title in LIGHTS.items() if self.lights[light])
        return f"今日待办：{parts}" + (f"；今日到期{self.ending}项" if self.ending else "")


def _waiting(session: Session, now: datetime) -> dict[Place, Figures]:
    """Open cases by the role whose turn it is and its place; the city's office counts every county."""
    found: dict[Place, Figures] = {}
    for row in session.execute(_open_cases(now)):
        for place, district in _places(row.inbox, row.unit_id, (row.district_code or OFFICE)[:6]):
            found.setdefault(place, Figures(district)).add(row.light, row.cases, row.ending)
    return found


def _places(role: str, unit_id: int | None, district: str) -> list[tuple[Place, str]]:
    known = roles().get(role)
    if known is None:
        return []
    if known.scope == "unit":
        return [((role, unit_id, None), district)]
    if known.scope == "platform":
        return [((role, None, None), OFFICE)]
    return [((role, None, place), place) for place in dict.fromkeys((district, OFFICE))]


def _open_cases(now: datetime) -> Any:
    unit = TABLES["unit"].c
    tomorrow = local_midnight_utc(business_date(now) + timedelta(days=1))
    ending = func.sum(case((Case.due_at <= tomorrow, 1), else_=0)).label("ending")
    groups = (Case.inbox, Case.unit_id, unit.district_code, Case.light)
    return (
        select(*groups, func.count().label("cases"), ending)
        .outerjoin(TABLES["unit"], unit.id == Case.unit_id)
        .where(Case.open.is_(True), Case.inbox.is_not(None))
        .group_by(*groups)
    )


def _notice(place: Place, figures: Figures) -> dict[str, Any]:
    role, unit_id, district = place
    return {
        "role": role,
        "unit_id": unit_id,
        "district": district,
        "kind": KIND,
        "title": figures.title(),
        "link": "/tasks",
    }
