"""Exports: a short list comes at once as a file, a long one is asked of the workers and fetched here when it is ready (办法17: watermarked)."""

from __future__ import annotations

import io
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, send_file, url_for

from web.auditing import note_now
from web.database import db, session
from web.identity import actor
from web.pages.roster import described_as, wanted_filter
from web.permissions import permission
from workflow.audit.notes import told
from workflow.casework.report_operations import export_needs_request, export_operation
from workflow.casework.reporting import Operation, carried_out, require_approval
from workflow.errors import NotFound
from workflow.insight.export import KIND, export_list
from workflow.insight.lamps import view
from workflow.insight.roster import COUNTED, counted
from workflow.operations.progress import shown
from workflow.operations.requests import ask, request_of, requests_by

bp = Blueprint("exports", __name__)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.post("/roster/<dataset>/export")
@permission("export.run")
def ask_for(dataset: str) -> Any:
    """The list as it is narrowed: at once up to 2,000 records, else through the workers."""
    described = described_as(dataset)
    wanted = wanted_filter(dataset)
    count = counted(session(), actor(), view(session(), actor()), wanted)
    approved = _approved(dataset, asdict(wanted), count)
    if count > COUNTED:
        if approved:
            carried_out(session(), approved.key, "已交后台导出", now=g.now)
        made = ask(session(), KIND, {"filter": asdict(wanted)}, by=actor().account, now=g.now)
        flash("记录较多，已交后台导出，完成后在此下载。", "done")
        return redirect(url_for("exports.one", request_id=made.id))
    path = current_app.extensions["sandeng"].folder("exports") / f"direct-{secrets.token_hex(8)}.xlsx"
    try:
        rows = export_list(session(), actor(), wanted, path, now=g.now)
        note_now("export.run", kind=dataset, summary={"rows": rows, "filter": told(asdict(wanted))})
        short = io.BytesIO(path.read_bytes())
    finally:
        path.unlink(missing_ok=True)
    if approved:
        carried_out(session(), approved.key, f"已导出 {count} 条", now=g.now)
    return send_file(short, as_attachment=True, download_name=f"{described.title}-{g.today:%Y%m%d}.xlsx", mimetype=XLSX)


def _approved(dataset: str, wanted: dict[str, Any], count: int) -> Operation | None:
    """The approved operation, where the list is so long that it needs approval. Raises Refused with the way to ask."""
    if not export_needs_request(session(), dataset, count, actor().unit_id):
        return None
    link = url_for("reports.of_export", **(request.args.to_dict() | {"dataset": dataset}))
    operation = export_operation(dataset, wanted, actor().account, count, link)
    require_approval(session(), operation, link)
    return operation


@bp.get("/exports")
@permission("export.run", scope="own")
def page() -> Any:
    """The exports that one has asked for."""
    mine = [r for r in requests_by(session(), actor().account, limit=60) if r.kind == KIND]
    return render_template("exports/page.html", requests=mine[:30])


@bp.get("/exports/<int:request_id>")
@permission("export.run", scope="own")
def one(request_id: int) -> Any:
    """One export: how far it has come, and the file."""
    made = request_of(session(), request_id, by=actor().account)
    if made.kind != KIND:
        raise NotFound
    done, total = shown(db.engine, made)
    answer = current_app.make_response(
        render_template(
            "exports/_one.html" if request.headers.get("HX-Request") else "exports/one.html",
            made=made,
            done=done,
            total=total,
        )
    )
    if request.headers.get("HX-Request") and made.state in ("done", "failed"):
        answer.headers["HX-Refresh"] = "true"
    return answer


@bp.get("/exports/<int:request_id>/file")
@permission("export.run", scope="own")
def file(request_id: int) -> Any:
    """The file of a finished export."""
    made = request_of(session(), request_id, by=actor().account)
    path = current_app.extensions["sandeng"].folder() / (made.result_path or "")
    if made.kind != KIND or not made.result_path or not path.is_file():
        raise NotFound("文件已过期清除，请重新导出")
    note_now("export.fetch", kind="job_request", key=request_id, summary={"rows": made.result.get("rows")})
    return send_file(
        path.resolve(),
        as_attachment=True,
        download_name=Path(str(made.result.get("name", path.name))).name,
        mimetype=XLSX,
    )
