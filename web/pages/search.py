"""The search box of the top bar: units, people, records, ticket numbers, all within the person's scope."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, url_for

from web.database import session
from web.identity import actor
from web.paging import argument
from web.permissions import permission
from workflow.insight.search import search

bp = Blueprint("search", __name__)


@bp.get("/search")
@permission("record.read")
def page() -> Any:
    """What the words could mean; where they mean one thing only, that thing."""
    words = argument("q")
    found = search(session(), actor(), words)
    if found.ticket_id and not found.units and not found.records:
        return redirect(url_for("ticket.page", ticket_id=found.ticket_id))
    if found.only is not None:
        return redirect(url_for("records.one", dataset=found.only.dataset, key=found.only.key))
    return render_template("search/page.html", words=words, found=found)
