"""The import wizard: choose, download the template, upload, read the report or the preview, confirm, see what the check made of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, send_file, url_for

from web.auditing import note_now
from web.database import db, session
from web.identity import actor
from web.paging import argument, number_argument
from web.permissions import permission
from workflow.access import sealed_files
from workflow.access.scopes import may
from workflow.casework.report_operations import batch_needs_request, batch_operation
from workflow.casework.reporting import request_verdict, require_approval
from workflow.errors import BadInput, NotFound
from workflow.insight.batches import STATES, STEPS, BatchPage, batch_page, known_batches
from workflow.insight.columns import ORDER
from workflow.operations import imports
from workflow.operations.progress import shown
from workflow.registry.dictionary import dictionary
from workflow.registry.importing.annotate import annotated
from workflow.registry.importing.template import template

bp = Blueprint("imports", __name__)
PIECE = 1024 * 1024
ERRORS_A_PAGE = 100
ENDINGS = (".xlsx", ".csv")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.get("/imports")
@permission("import.run")
def page() -> Any:
    """Choose a data set, fetch its template, hand in a file; below it what was handed in before."""
    chosen = argument("dataset", ORDER) or "person"
    return render_template(
        "imports/page.html",
        datasets=[dictionary()[name] for name in ORDER],
        chosen=dictionary()[chosen],
        batches=known_batches(session(), actor().account),
        batch_states=STATES,
        locked_too=may(actor(), "record.write_locked"),
    )


@bp.get("/imports/template/<dataset>")
@permission("import.run")
def blank(dataset: str) -> Any:
    """The template of a data set as a workbook."""
    if dataset not in ORDER:
        raise NotFound
    made = io.BytesIO()
    template(dataset, made, today=g.today)
    made.seek(0)
    return send_file(
        made, as_attachment=True, download_name=f"{dictionary()[dataset].title}导入模板.xlsx", mimetype=XLSX
    )


@bp.post("/imports")
@permission("import.run")
def upload() -> Any:
    """Keep the file, open its batch, have it checked without writing anything."""
    dataset, file = request.form.get("dataset", ""), request.files.get("file")
    if dataset not in ORDER:
        raise BadInput("请选择要导入的数据集")
    if file is None or not file.filename:
        raise BadInput("请选择要导入的文件")
    if not file.filename.lower().endswith(ENDINGS):
        raise BadInput("只能导入 xlsx 或 csv 文件；xls 文件请另存为 xlsx 后再上传")
    folder = current_app.extensions["sandeng"].folder()
    basis = request.form.get("basis", "").strip()[:200] or None
    batch = imports.receive(
        session(), folder, dataset, file.filename, _pieces(file.stream), by=actor().account, now=g.now, basis=basis
    )
    imports.ask_for(session(), batch.id, dry_run=True, by=actor().account, now=g.now)
    return redirect(url_for("imports.one", batch_id=batch.id))


@bp.get("/imports/<int:batch_id>")
@permission("import.run", scope="own")
def one(batch_id: int) -> Any:
    """How far a batch has come, what is wrong with it, or what it would change."""
    return render_template("imports/one.html", **_shown(batch_id))


@bp.get("/imports/<int:batch_id>/progress")
@permission("import.run", scope="own")
def progress(batch_id: int) -> Any:
    """The piece of the page that is asked for again and again while the workers are at it."""
    found = _shown(batch_id)
    answer = current_app.make_response(render_template("imports/_progress.html", **found))
    if not found["batch"].moving:
        answer.headers["HX-Refresh"] = "true"
    return answer


@bp.post("/imports/<int:batch_id>/confirm")
@permission("import.run", scope="own")
def confirm(batch_id: int) -> Any:
    """Have the checked file written; a large one once its request is approved (办法17)."""
    batch = imports.batch_of(session(), batch_id, by=actor().account)
    if batch_needs_request(session(), batch, actor().unit_id):
        link = url_for("reports.of_batch", batch_id=batch_id)
        require_approval(session(), batch_operation(batch), link)
    imports.ask_for(session(), batch_id, dry_run=False, by=actor().account, now=g.now)
    return redirect(url_for("imports.one", batch_id=batch_id))


@bp.post("/imports/<int:batch_id>/again")
@permission("import.run", scope="own")
def again(batch_id: int) -> Any:
    """Have a batch that could not be worked off checked once more."""
    imports.ask_for(session(), batch_id, dry_run=True, by=actor().account, now=g.now)
    flash("已重新提交检查。", "done")
    return redirect(url_for("imports.one", batch_id=batch_id))


@bp.get("/imports/<int:batch_id>/annotated")
@permission("import.run", scope="own")
def marked(batch_id: int) -> Any:
    """The same file with the errors marked in their cells."""
    batch = imports.batch_of(session(), batch_id, by=actor().account)
    if not any(error["row"] for error in batch.errors):
        raise NotFound("这个批次没有可以标注的错误")
    folder = current_app.extensions["sandeng"].folder()
    with sealed_files.opened(folder / batch.file_path) as plain:
        out = plain.with_suffix(".xlsx")
        try:
            annotated(plain, out, batch.errors, name=batch.file_name, total=batch.error_count)
            marked_copy = io.BytesIO(out.read_bytes())
        finally:
            out.unlink(missing_ok=True)
    name = f"{batch.file_name.rsplit('.', 1)[0]}-错误标注.xlsx"
    note_now("import.fetch", kind=batch.dataset, key=f"batch:{batch_id}")
    return send_file(marked_copy, as_attachment=True, download_name=name, mimetype=XLSX)


def _shown(batch_id: int) -> dict[str, Any]:
    """What the page of a batch needs; one batch belongs to one account."""
    found: BatchPage = batch_page(session(), batch_id, actor().account)
    start = max(0, (number_argument("page") or 1) - 1) * ERRORS_A_PAGE
    done, total = (
        shown(db.engine, found.request) if found.request and found.moving else (found.row.done_rows, found.row.rows)
    )
    asks = found.row.state == "ready" and batch_needs_request(session(), found.row, actor().unit_id)
    link = url_for("reports.of_batch", batch_id=batch_id)
    return {
        "asked": request_verdict(session(), batch_operation(found.row), link) if asks else None,
        "batch": found,
        "row": found.row,
        "batch_steps": STEPS,
        "dataset": dictionary()[found.row.dataset],
        "done": done,
        "total": total,
        "errors": found.row.errors[start : start + ERRORS_A_PAGE],
        "page": start // ERRORS_A_PAGE + 1,
        "pages": -(-len(found.row.errors) // ERRORS_A_PAGE),
    }


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece
