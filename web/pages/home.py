"""Home by role: a unit sees its lamp and what is due, an office its counties and what waits for it, an administrator the platform's state."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template

from web.database import session
from web.identity import actor
from web.permissions import signed_in_only
from workflow.access.scopes import may
from workflow.insight import home as figures

bp = Blueprint("home", __name__)


@bp.get("/")
@signed_in_only
def page() -> Any:
    """The first page after signing in."""
    person = actor()
    if not may(person, "ticket.read"):
        waiting = figures.guarding(session(), person)
        return render_template("home/platform.html", waiting=waiting, **figures.told(session(), person, g.now))
    if person.unit_id is not None:
        return render_template("home/unit.html", **figures.unit_home(session(), person, g.today, g.now))
    return render_template("home/office.html", **figures.office_home(session(), person, g.today, g.now))
