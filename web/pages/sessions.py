"""Sign-in sessions: everybody's own, and all that are open for the security officers, who may end any of them at once (办法16)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor, signed
from web.paging import argument
from web.permissions import permission, signed_in_only
from workflow.access.sessions import ENDINGS, WAYS, revoke_session
from workflow.errors import BadInput, NotFound
from workflow.insight.sessions import manages_session, open_sessions, sessions_of

bp = Blueprint("sessions", __name__)
WORDS = {"WAYS": WAYS, "ENDINGS": ENDINGS}


@bp.get("/me/sessions")
@signed_in_only
def mine() -> Any:
    """The present session and the latest before it: when, from where, how each ended."""
    rows = sessions_of(session(), actor().account)
    return render_template("sessions/mine.html", rows=rows, here=signed().session_id, **WORDS)


@bp.get("/sessions")
@permission("account.manage")
def page() -> Any:
    """The sessions in use now."""
    find = argument("account")
    rows = open_sessions(session(), actor(), g.now, find=find)
    return render_template("sessions/page.html", rows=rows, find=find, here=signed().session_id, **WORDS)


@bp.post("/sessions/<int:session_id>/revoke")
@permission("account.manage")
def revoke(session_id: int) -> Any:
    """End a session at once; the person is told, with the reason."""
    reason = request.form.get("reason", "").strip()[:200]
    if not reason:
        raise BadInput("请写明收回会话的理由")
    if not manages_session(session(), actor(), session_id):
        raise NotFound
    account = revoke_session(session(), session_id, by=actor().account, now=g.now, reason=reason)
    flash(f"已收回账号 {account} 的会话，即时生效。", "done")
    return redirect(url_for("sessions.page"))
