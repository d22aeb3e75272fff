"""An ID number in full: asked for with a reason by who has just proved the identity, shown once, registered each time (办法17)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor, signed
from web.permissions import permission
from workflow.access.revealing import ProofNeeded, register_reading
from workflow.access.scopes import require
from workflow.errors import BadInput, NotFound
from workflow.insight.lamps import view
from workflow.insight.record import has_id_number, id_number, record_named
from workflow.registry.queries import Record

bp = Blueprint("reveal", __name__)


@bp.get("/records/<dataset>/<key>/reveal")
@permission("record.reveal")
def ask(dataset: str, key: str) -> Any:
    """Where the reason is written; whose last proof is older than five minutes proves the identity first."""
    record = _record(dataset, key)
    if not signed().fresh(g.now):
        return redirect(url_for("prove.form", next=request.path))
    return render_template("records/reveal.html", record=record, number="", says="", reason="")


@bp.post("/records/<dataset>/<key>/reveal")
@permission("record.reveal")
def show(dataset: str, key: str) -> Any:
    """Register the reading, then show the number."""
    record, reason = _record(dataset, key), request.form.get("reason", "")
    try:
        register_reading(session(), signed(), dataset, record.key, record.unit_id, reason, g.now)
    except ProofNeeded:
        return redirect(url_for("prove.form", next=request.path))
    except BadInput as error:
        return render_template("records/reveal.html", record=record, number="", says=error.says, reason=reason), 400
    return render_template("records/reveal.html", record=record, number=id_number(record), says="", reason=reason)


def _record(dataset: str, key: str) -> Record:
    record = record_named(session(), view(session(), actor()), dataset, key)
    require(session(), actor(), "record.reveal", record.unit_id)
    if not has_id_number(record):
        raise NotFound("本记录没有身份证号")
    return record
