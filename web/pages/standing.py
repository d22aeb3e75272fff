"""May this unit apply for establishment matters: verdicts before it files, the shortest way out, its holds as bands. Reads only."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request
from sqlalchemy import select

from web.database import session
from web.hold_bands import drawn_bands
from web.identity import actor
from web.permissions import permission
from workflow.access.scopes import may, may_at
from workflow.casework.holds import band_on, spans_of
from workflow.casework.standing_guards import shortest_way, standing_verdicts
from workflow.errors import NotFound
from workflow.insight.tickets import UNIT

bp = Blueprint("standing", __name__)


@bp.get("/units/<code>/standing")
@permission("record.read")
def page(code: str) -> Any:
    """A page of its own, or the section of the unit page."""
    unit = session().execute(select(UNIT.id, UNIT.unit_code, UNIT.name).where(UNIT.unit_code == code)).one_or_none()
    if unit is None or not may_at(session(), actor(), "record.read", unit.id):
        raise NotFound
    verdicts = standing_verdicts(session(), unit.id, g.today)
    spans = spans_of(session(), [unit.id]).get(unit.id, [])
    part = "_section.html" if request.headers.get("HX-Request") else "page.html"
    return render_template(
        f"standing/{part}",
        unit=unit,
        verdicts=verdicts,
        allowed=all(verdict.holds for verdict in verdicts),
        ways=shortest_way(verdicts),
        spans=spans,
        band=band_on(spans, g.today),
        drawing=drawn_bands(spans, g.today),
        may_cases=may(actor(), "case.read"),
    )
