"""证据包: everything of a case as one ZIP that can be read without the platform and judged again; each export is told (办法17)."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, current_app, g, render_template, send_file

from web.auditing import note_now
from web.database import session
from web.identity import actor
from web.look import moment
from web.permissions import permission
from workflow.access import sealed_files
from workflow.access.scopes import Actor
from workflow.engine.registry import book
from workflow.errors import NotAllowed, NotFound
from workflow.evidence.bundle import packed, sound
from workflow.evidence.exports import ACTION, KIND
from workflow.evidence.findings import PARTS, RESULTS
from workflow.evidence.gathering import Evidence, evidence_of
from workflow.insight.audit_trail import action_title
from workflow.insight.audit_words import RESULTS as AUDIT_RESULTS
from workflow.insight.case import case_in_scope
from workflow.insight.record import KINDS, SOURCES

bp = Blueprint("evidence", __name__)
IN_MEMORY = 16 * 1024 * 1024  # bytes; a larger bundle lies in the data directory, without a name, until it is sent


@bp.get("/cases/<int:case_id>/evidence.zip")
@permission("case.evidence")
def bundle(case_id: int) -> Any:
    """The bundle of a case in the person's own scope; what is only lent for substitution is read, not taken out."""
    case = case_in_scope(session(), actor(), case_id)
    found = evidence_of(session(), case_id, _own(case_id), g.now)
    folder = current_app.extensions["sandeng"].folder
    uploads = folder("uploads", "evidence")
    files = {
        path: functools.partial(sealed_files.pieces, uploads / Path(kept).name)
        for path, kept in found.files.items()
        if kept
    }
    listed = {one["path"]: one for one in found.document["attachments"]}
    files = {path: pieces for path, pieces in files.items() if sound(listed[path], pieces)}
    for path, one in listed.items():
        one["included"] = path in files
    with contextlib.ExitStack() as unsent:
        made = unsent.enter_context(tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=folder("exports")))
        digest = packed(made, found.document, _sheet(found), files)
        told = {"sha256": digest, "files": len(files)}
        note_now(ACTION, kind=KIND, key=case_id, case_id=case_id, unit_id=case.unit_id, summary=told)
        unsent.pop_all()  # from here on the answer closes it
    made.seek(0)
    name = f"证据包-{found.document['definition']['title']}-{case_id}-{g.today:%Y%m%d}.zip"
    return send_file(made, as_attachment=True, download_name=name, mimetype="application/zip")


def _own(case_id: int) -> Actor:
    own = replace(actor(), borrowed=())
    try:
        case_in_scope(session(), own, case_id)
    except NotFound:
        raise NotAllowed("代办的事项由本人或其他有权限的人导出证据包") from None
    return own


def _sheet(found: Evidence) -> str:
    """The document as one page to read and to print: no scripts, nothing from elsewhere."""
    kept = found.document
    return render_template(
        "evidence/sheet.html",
        e=kept,
        definition=book().version(session(), kept["case"]["definition"]),
        at=_moment,
        pretty=_pretty,
        PARTS=PARTS,
        RESULTS=RESULTS,
        KINDS=KINDS,
        SOURCES=SOURCES,
        action_title=action_title,
        AUDIT_RESULTS=AUDIT_RESULTS,
    )


def _moment(text: str | None) -> str:
    return moment(datetime.fromisoformat(text)) if text else ""


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
