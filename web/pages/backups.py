"""The backups (办法18): what there is, how each hangs on the one before, whether it was proved, what is missing; start one, prove one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request, url_for

from web.database import db, session
from web.identity import actor
from web.permissions import permission
from workflow.access.scopes import may
from workflow.backup.keeping import FULLS, KEPT_FOR
from workflow.backup.repository import KINDS
from workflow.backup.state import state_of
from workflow.operations.progress import shown
from workflow.operations.requests import ask, request_of, requests_by

bp = Blueprint("backups", __name__)
MAKE, VERIFY = "backup", "backup_verify"  # kinds of requests
LISTED = 60


@bp.get("/system/backups")
@permission("system.read", scope="platform")
def page() -> Any:
    """Alarms, the last of each kind, the log, the chain, archives, what was asked for."""
    asked = [r for r in requests_by(session(), actor().account) if r.kind in (MAKE, VERIFY)]
    state = state_of(current_app.extensions["sandeng"], g.now)
    return render_template(
        "backups/page.html",
        state=state,
        verified_at={name: datetime.fromisoformat(outcome["at"]) for name, outcome in state.verified.items()},
        kinds=KINDS,
        kept_days=KEPT_FOR.days,
        fulls=FULLS,
        listed=LISTED,
        asked=[(r, shown(db.engine, r)) for r in asked[:5]],
        may_run=may(actor(), "backup.run"),
    )


@bp.post("/system/backups")
@permission("backup.run", scope="platform")
def make() -> Any:
    """Ask the workers for a backup."""
    kind = request.form.get("kind", "")
    if kind not in ("full", "incremental"):
        abort(400)
    made = ask(session(), MAKE, {"kind": kind}, by=actor().account, now=g.now)
    flash(f"已提交{KINDS[kind]}备份，完成后列在下面。", "done")
    return redirect(url_for("backups.page", _anchor=f"request-{made.id}"))


@bp.post("/system/backups/<backup_id>/verify")
@permission("backup.run", scope="platform")
def verify(backup_id: str) -> Any:
    """Ask the workers to restore a backup into a scratch folder and check it."""
    made = ask(session(), VERIFY, {"backup": backup_id}, by=actor().account, now=g.now)
    flash("已提交验证，结果列在下面。", "done")
    return redirect(url_for("backups.page", _anchor=f"request-{made.id}"))


@bp.get("/system/backups/requests/<int:request_id>")
@permission("backup.run", scope="own")
def one(request_id: int) -> Any:
    """How far a request has come: asked for again and again by the page."""
    asked = request_of(session(), request_id, by=actor().account)
    answer = current_app.make_response(
        render_template("backups/_request.html", r=asked, progress=shown(db.engine, asked))
    )
    if asked.state in ("done", "failed"):
        answer.headers["HX-Refresh"] = "true"
    return answer
