"""The platform's own state, for those who run and guard it: no business data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, g, render_template

from web.database import session
from web.permissions import permission
from workflow.engine.inbox import overdue
from workflow.insight import home as figures
from workflow.insight.audit_words import JOBS
from workflow.migrations import head
from workflow.operations.readiness import concerns, readiness

bp = Blueprint("system", __name__)


@bp.get("/system")
@permission("system.read", scope="platform")
def page() -> Any:
    """Heartbeats, daily jobs, checks, late timers."""
    return render_template(
        "system/page.html",
        JOBS=JOBS,
        checks=readiness(session(), datetime.now(UTC), head()),
        concerns=concerns(session()),
        late=overdue(session(), g.now),
        parts=figures.platform_state(session()),
        runs=figures.last_runs(session()),
    )
