"""One step on many cases: choose, see every row's verdicts, start it, watch it, stop it, read what became of each row."""

from __future__ import annotations

import re
import secrets
from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for

from web.database import db, session
from web.identity import actor
from web.pages.matters import options_of
from web.pages.tasks import wanted_filter
from web.permissions import permission
from web.typed_forms import sent_fields
from workflow.casework.bulk import MOST, STATES, bulk_of, row_counts, start, stop
from workflow.engine.registry import book
from workflow.errors import BadInput
from workflow.insight.bulk import bulk_rows, offered_steps, preview_rows
from workflow.insight.tasks import chosen_tasks
from workflow.operations.progress import shown
from workflow.operations.requests import request_of

bp = Blueprint("bulk", __name__)
SEEN = re.compile(r"(?:[0-9]{1,15}:[0-9]{1,9}(?:,|$))+")


@bp.post("/tasks/bulk")
@permission("matter.read")
def preview() -> Any:
    """Which of the chosen rows may take a step, which not and why; writes nothing."""
    ids = _ids()
    offered = offered_steps(session(), actor(), ids)
    chosen = request.form.get("step", "")
    step = next((one for one in offered if one.key == chosen), offered[0] if offered else None)
    rows = preview_rows(session(), actor(), step, ids, g.now) if step else []
    needs = [step.definition.input(name) for name in step.needs] if step else []
    return render_template(
        "bulk/preview.html",
        offered=offered,
        step=step,
        rows=rows,
        left=len(ids) - len(rows),
        ids=ids,
        needs=needs,
        key=secrets.token_hex(16),
        options_of=options_of,
    )


def _ids() -> list[int]:
    if request.form.get("every"):
        return chosen_tasks(session(), actor(), wanted_filter(), g.today, most=MOST)
    listed = request.form.get("chosen", "").split(",") + request.form.getlist("ids")
    ids = list(dict.fromkeys(int(one) for one in listed if one.isascii() and one.isdigit() and len(one) < 16))
    if not ids:
        raise BadInput("请先选中事项")
    return ids[:MOST]


@bp.post("/tasks/bulk/start")
@permission("matter.read")
def begin() -> Any:
    """Hand the rows that may move to a worker; sent twice, it is begun once."""
    process, _, do = request.form.get("step", "").partition(".")
    seen, key = request.form.get("versions", ""), request.form.get("key", "")
    if not SEEN.fullmatch(seen) or not re.fullmatch("[0-9a-f]{32}", key):
        raise BadInput("页面已过期，请重新选择事项")
    versions = {
        int(case): int(version) for case, _, version in (pair.partition(":") for pair in seen.split(",") if pair)
    }
    definition = book().process(process)
    needs = {name for step in definition.steps if step.do == do for name in step.needs} - {"reason"}
    inputs = sent_fields(definition.input(name) for name in sorted(needs))
    reason = request.form.get("reason", "")
    made = start(session(), actor(), process, do, versions, key=key, now=g.now, reason=reason, inputs=inputs)
    return redirect(url_for("bulk.one", bulk_id=made.id))


@bp.get("/tasks/bulk/<int:bulk_id>")
@permission("matter.read", scope="own")
def one(bulk_id: int) -> Any:
    """How far it has come, and what became of each row."""
    made = bulk_of(session(), bulk_id, actor().account)
    asked = request_of(session(), made.request_id, by=actor().account)
    done, total = shown(db.engine, asked)
    live = bool(request.headers.get("HX-Request"))
    rows = [] if live else bulk_rows(session(), bulk_id)
    answer = current_app.make_response(
        render_template(
            "bulk/_progress.html" if live else "bulk/one.html",
            made=made,
            asked=asked,
            done=done,
            total=total,
            rows=rows,
            counts=row_counts(session(), bulk_id),
            definition=book().process(made.process),
            STATES=STATES,
        )
    )
    if live and asked.state in ("done", "failed"):
        answer.headers["HX-Refresh"] = "true"
    return answer


@bp.post("/tasks/bulk/<int:bulk_id>/stop")
@permission("matter.read", scope="own")
def end(bulk_id: int) -> Any:
    """Begin no further row."""
    stop(session(), bulk_id, actor().account, g.now)
    flash("已停止：尚未办理的事项不再办理，已办理的保持不变。", "done")
    return redirect(url_for("bulk.one", bulk_id=bulk_id))
