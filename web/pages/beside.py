"""What every case has beside its steps, as one piece that each case's page takes in: comments, files, urging, copies, the next dates."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.people import learn
from web.permissions import permission
from web.uploads import kept_uploads, sent_upload
from workflow.casework.discussing import attach, beside, comment, copy_to, sign_for, urge
from workflow.casework.handling_models import CaseAttachment
from workflow.engine.inbox import timers_of
from workflow.engine.registry import book
from workflow.errors import BadInput, NotFound
from workflow.insight.case import case_in_scope

bp = Blueprint("beside", __name__)


@bp.get("/cases/<int:case_id>/beside")
@permission("matter.read")
def page(case_id: int) -> Any:
    """The piece alone, fetched by the page that shows the case."""
    case = case_in_scope(session(), actor(), case_id)
    running = [timer for timer in timers_of(session(), case_id) if timer["state"] in ("armed", "paused")]
    found = beside(session(), case_id)
    spoken = [one.account for part in ("comments", "files", "urges") for one in found[part]]
    shown_to = [name for row in found["copies"] for name in (row.CaseCopy.to_account, row.CaseCopy.read_by)]
    learn([*spoken, *shown_to])
    mine = [
        row.CaseCopy.id
        for row in found["copies"]
        if row.CaseCopy.read_at is None
        and (row.CaseCopy.to_account == actor().account or row.CaseCopy.to_unit_id == (actor().unit_id or -1))
    ]
    definition = book().version(session(), case.definition)
    alone = not request.headers.get("HX-Request")
    return render_template(
        "beside/page.html" if alone else "beside/_all.html",
        c=case, running=running, definition=definition, mine=mine, urged=any(u.on == g.today for u in found["urges"]), **found,
    )  # fmt: skip


@bp.post("/cases/<int:case_id>/comments")
@permission("matter.read")
def say(case_id: int) -> Any:
    """Write a comment."""
    comment(session(), case_in_scope(session(), actor(), case_id), actor(), request.form.get("text", ""), g.now)
    flash("意见已写入。", "done")
    return redirect(url_for("case.page", case_id=case_id))


@bp.post("/cases/<int:case_id>/attachments")
@permission("matter.read")
def lay(case_id: int) -> Any:
    """Lay files beside the case."""
    case = case_in_scope(session(), actor(), case_id)
    files = kept_uploads("files")
    if not files:
        raise BadInput("请选择文件", errors=[{"field": "files"}])
    new = attach(session(), case, actor(), files, g.now)
    flash(f"已附 {new} 个文件。" if new else "这些文件已在附件中。", "done")
    return redirect(url_for("case.page", case_id=case_id))


@bp.get("/cases/<int:case_id>/attachments/<int:attachment_id>")
@permission("matter.read")
def fetch(case_id: int, attachment_id: int) -> Any:
    """One file, as a download."""
    case_in_scope(session(), actor(), case_id)
    found = session().get(CaseAttachment, attachment_id)
    if found is None or found.case_id != case_id:
        raise NotFound
    return sent_upload(found.file)


@bp.post("/cases/<int:case_id>/urge")
@permission("matter.read")
def remind(case_id: int) -> Any:
    """Remind whose turn it is, once a day."""
    urge(session(), case_in_scope(session(), actor(), case_id), actor(), today=g.today, now=g.now)
    flash("已催办，待办人会收到通知。", "done")
    return redirect(url_for("case.page", case_id=case_id))


@bp.post("/cases/<int:case_id>/copies")
@permission("matter.read")
def copy(case_id: int) -> Any:
    """Show the case to an account or a unit."""
    to = request.form.get("to", "")[:64]
    copy_to(session(), case_in_scope(session(), actor(), case_id), actor(), to, g.now)
    flash(f"已抄送 {to.strip()}。", "done")
    return redirect(url_for("case.page", case_id=case_id))


@bp.post("/cases/<int:case_id>/copies/<int:copy_id>/sign")
@permission("matter.read")
def sign(case_id: int, copy_id: int) -> Any:
    """Sign for a copy."""
    case_in_scope(session(), actor(), case_id)
    sign_for(session(), copy_id, actor(), g.now)
    flash("已签收。", "done")
    return redirect(url_for("case.page", case_id=case_id))
