"""办法对照: the regulation article by article, beside what carries it out on this platform."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from web.permissions import signed_in_only
from workflow.insight.law import STATUS, articles

bp = Blueprint("law", __name__)


@bp.get("/law")
@signed_in_only
def page() -> Any:
    """All 24 articles."""
    return render_template("law/page.html", articles=articles(), STATUS=STATUS)
