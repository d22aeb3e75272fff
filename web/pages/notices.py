"""What the person was told: notices in the platform, read and unread."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.permissions import signed_in_only
from workflow.operations.notices import mark_read, notices_for

bp = Blueprint("notices", __name__)


@bp.get("/notices")
@signed_in_only
def page() -> Any:
    """The latest notices, unread ones marked."""
    return render_template("notices/page.html", notices=notices_for(session(), actor(), g.now, limit=100))


@bp.post("/notices/read")
@signed_in_only
def read() -> Any:
    """Mark one notice read, or all of them; then go where it leads."""
    chosen = request.form.get("id", "")
    ids = [int(chosen)] if chosen.isascii() and chosen.isdigit() else None
    mark_read(session(), actor(), g.now, ids)
    link = request.form.get("link", "")
    return redirect(link if link.startswith("/") and not link.startswith(("//", "/\\")) else url_for("notices.page"))
