"""The notice of an approval as a sheet to print (核准使用编制通知单). Reads only."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template

from web.database import session
from web.identity import actor
from web.permissions import permission
from workflow.casework.approval_page import notice_of
from workflow.casework.approving import KINDS
from workflow.casework.forms import shown_form
from workflow.errors import NotFound
from workflow.insight.case import case_page

bp = Blueprint("approvals", __name__)


@bp.get("/approvals/<int:case_id>/notice")
@permission("case.read")
def notice(case_id: int) -> Any:
    """The sheet; a case that brought no notice has none."""
    shown = case_page(session(), actor(), case_id, g.now)
    found = notice_of(session(), case_id)
    if found is None:
        raise NotFound("尚未签发通知单")
    lines = [
        line for line in shown_form(session(), shown.definition.form, shown.case.data.get("form", {})) if not line.files
    ]
    return render_template("approvals/notice.html", shown=shown, notice=found, lines=lines, KINDS=KINDS)
