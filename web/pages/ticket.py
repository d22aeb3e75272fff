"""One rectification ticket: what is wrong, by when, what happened; re-check, explain, have a wrong light voided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.auditing import note_refused_step
from web.database import engine_released, session
from web.identity import actor
from web.permissions import permission
from web.uploads import kept_uploads
from workflow.access.scopes import may, require
from workflow.access.substitution import opener
from workflow.casework.explanation import open_explanation
from workflow.casework.filing_drafting import may_file
from workflow.casework.voiding import request_void
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, NotFound, Refused
from workflow.insight.catalogue import failed_in
from workflow.insight.ticket import ticket_page
from workflow.insight.tickets import ticket_row
from workflow.insight.wording import field_label, part_text, said, spoken
from workflow.quality.run import run_check

bp = Blueprint("ticket", __name__)


@bp.get("/tickets/<int:ticket_id>")
@permission("ticket.read")
def page(ticket_id: int) -> Any:
    """The ticket's page."""
    return _page(ticket_id)


def _page(ticket_id: int, *, text: str = "", fault: str = "") -> str:
    """The page; after an explanation that was refused with what was typed and why."""
    person = actor()
    shown = ticket_page(session(), person, ticket_id)
    ticket, rule = shown.ticket, shown.rule
    open_about = {case.process for case in shown.related if case.open}
    return render_template(
        "ticket/page.html",
        shown=shown,
        text=text,
        fault=fault,
        says=said(rule, ticket.part, ticket.facts) if rule else ticket.title,
        values=spoken(rule, ticket.part, ticket.facts) if rule else [],
        field_label=field_label(ticket.dataset, ticket.field) if ticket.field else "",
        part_label=part_text(rule, ticket.part) if rule else ticket.part,
        explain=ticket.open
        and ticket.level == "W"
        and may(person, "ticket.explain")
        and "explanation" not in open_about,
        file=ticket.open
        and not (rule and rule.matter)
        and may_file(session(), _opener("filing", ticket)["actor"], ticket.unit_id),
        void=ticket.light in ("yellow", "red")
        and may(person, "ticket.void_request")
        and "void_light" not in open_about,
        behalf={
            process: _opener(process, ticket)["on_behalf_of"] for process in ("filing", "explanation", "void_light")
        },
    )


def _opener(process: str, ticket: Any) -> Mapping[str, Any]:
    return opener(session(), actor(), process, ticket.unit_id)


@bp.post("/tickets/<int:ticket_id>/recheck")
@permission("check.run")
def recheck(ticket_id: int) -> Any:
    """Judge the ticket's record again now; a pass turns the light green."""
    ticket = in_scope_for(ticket_id, "check.run")
    by = actor().account
    scope = {"dataset": ticket.dataset, "records": [ticket.record_id]}
    run = run_check(engine_released(), g.today, g.now, scope=scope, by=by)
    after = ticket_row(session(), actor(), ticket_id)
    if after is not None and not after.present:
        flash("复核通过，问题已整改，亮绿灯。", "done")
    elif failed_in(session(), run.id, ticket.rule_id, ticket.dataset):
        flash("规则本次未能执行，工单维持原状，请稍后再复核。", "refused")
    elif after is not None and not after.open and after.resolved_how in ("waived", "voided"):
        flash("问题仍在，但说明已核准或误亮已撤销，不亮灯。", "done")
    else:
        flash("复核未通过，问题仍在。请核对记录后再试。", "refused")
    return redirect(url_for("ticket.page", ticket_id=ticket_id))


@bp.post("/tickets/<int:ticket_id>/explain")
@permission("ticket.explain")
def explain(ticket_id: int) -> Any:
    """Explain a doubtful finding with evidence; goes to the reviewer, the clock stands meanwhile."""
    ticket = in_scope_for(ticket_id, "ticket.explain")
    text, by = request.form.get("text", "").strip()[:2000], _opener("explanation", ticket)
    try:
        with session().begin_nested():
            given = {"text": text, "evidence": kept_uploads("evidence")}
            case_id = open_explanation(session(), ticket.id, now=g.now, **by)
            require_moved(take_step(session(), "explanation", "submit", [case_id], now=g.now, inputs=given, **by))
    except (BadInput, Refused) as refused:
        note_refused_step(refused)
        return _page(ticket_id, text=text, fault=refused.says), 422
    flash("说明已提交审核，审核期间期限暂停计算。", "done")
    return redirect(url_for("ticket.page", ticket_id=ticket_id))


@bp.post("/tickets/<int:ticket_id>/void")
@permission("ticket.void_request")
def void(ticket_id: int) -> Any:
    """Ask for a light that was wrong to be taken back; a second person confirms."""
    ticket = in_scope_for(ticket_id, "ticket.void_request")
    reason = request.form.get("reason", "")[:1000]
    request_void(session(), ticket.id, reason, now=g.now, **_opener("void_light", ticket))
    flash("已提请撤销，由另一人确认后生效。", "done")
    return redirect(url_for("ticket.page", ticket_id=ticket_id))


def in_scope_for(ticket_id: int, action: str) -> Any:
    """The ticket, where the person may do that action on its unit. Raises NotFound."""
    ticket = ticket_row(session(), actor(), ticket_id)
    if ticket is None:
        raise NotFound
    require(session(), actor(), action, ticket.unit_id)
    return ticket
