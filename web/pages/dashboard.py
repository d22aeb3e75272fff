"""The quality dashboard (办法20): figures that open the list they count, drawn in the browser and, for all, written in tables."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, url_for

from web.database import session
from web.identity import actor
from web.look import LEVELS
from web.paging import argument
from web.permissions import permission
from workflow.insight.dashboard import Dashboard, Figure, dashboard

bp = Blueprint("dashboard", __name__)


@bp.get("/quality")
@permission("dashboard.read")
def page() -> Any:
    """The figures of everything in scope, or of one district."""
    shown = dashboard(session(), actor(), g.today, district=argument("district"))
    return render_template("dashboard/page.html", shown=shown, charts=charts(shown), level_names=LEVELS)


def _list_of(figure: Figure) -> str:
    """The address of the list that a figure counts."""
    query: dict[str, Any] = dict(figure.query)
    return url_for("tickets.page", **query)


def charts(shown: Dashboard) -> dict[str, Any]:
    """What the browser draws: plain numbers and the addresses that a click on them opens."""
    days = shown.trend
    return {
        "trend": {
            "days": [day.on.isoformat() for day in days],
            "lines": [
                {"name": label, "kind": name, "numbers": [getattr(day, name).number for day in days],
                 "links": [_list_of(getattr(day, name)) for day in days]}
                for name, label in (("opened", "新发现"), ("resolved", "已整改"), ("red", "亮红灯"))
            ],
        },
        "regions": {
            "names": [region.name for region in shown.regions],
            "groups": [f"{group} {title}" for group, title in shown.groups.items()],
            "cells": [
                [x, y, region.groups[group].number, _list_of(region.groups[group])]
                for y, region in enumerate(shown.regions)
                for x, group in enumerate(shown.groups)
            ],
        },
    }  # fmt: skip
