"""One case of any process: its position, the steps open to the person with their verdicts, its history. Buttons come from the table."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.pages.matters import options_of
from web.permissions import permission
from web.position import position
from web.route import Route
from web.typed_forms import sent_fields
from web.uploads import sent_upload
from workflow.access.substitution import take_step_as
from workflow.casework.approval_page import audit_facts, beside_application
from workflow.casework.forms import shown_form
from workflow.casework.links import linked
from workflow.casework.reporting import bond_of
from workflow.engine.definition import RETURNS
from workflow.engine.form import COMMON
from workflow.engine.judging import OpenStep
from workflow.engine.registry import book
from workflow.engine.steps import require_moved
from workflow.errors import BadInput, NotFound
from workflow.insight.case import CasePage, case_in_scope, case_page
from workflow.insight.wording import rule_named, said
from workflow.quality.terms import policies_of

bp = Blueprint("case", __name__)
ASIDE = {*RETURNS, "edit", "withdraw", "recall", "refuse", "drop", "revoke", "give_back"}  # steps that lead no further


@bp.get("/cases/<int:case_id>")
@permission("matter.read")
def page(case_id: int) -> Any:
    """The page of a case; a ticket's case is shown on the ticket's page, a suspension with its preview, a filing with its differences."""
    shown = case_page(session(), actor(), case_id, g.now)
    if shown.ticket and shown.ticket.case_id == case_id:
        return redirect(url_for("ticket.page", ticket_id=shown.ticket.id))
    if shown.case.process == "suspension":
        return redirect(url_for("suspensions.one", case_id=case_id))
    if shown.case.process == "filing":
        return redirect(url_for("filings.one", case_id=case_id))
    if shown.case.process == "monthly_report":
        return redirect(url_for("monthly.one", case_id=case_id))
    if shown.case.process == "check_pair":
        return redirect(url_for("checks.one", case_id=case_id))
    ticket = shown.ticket
    rule = rule_named(ticket.rule_id, ticket.dataset) if ticket else None
    says = said(rule, ticket.part, ticket.facts) if ticket and rule else ""
    place = position(shown.definition, shown.case.state, shown.steps, shown.history)
    return render_template(
        "case/page.html",
        shown=shown,
        backs=_ways_back(shown),
        forward=_forward(shown, place["route"]),
        says=says,
        **place,
        lines=shown_form(session(), shown.definition.form, shown.case.data.get("form", {})),
        bond=bond_of(session(), case_id) if shown.case.process == "report_request" else None,
        ties=linked(session(), actor(), case_id),
        **_of_process(shown),
        options_of=options_of,
    )


def _forward(shown: CasePage, way: Route) -> OpenStep | None:
    """The step that stands out: the one along the main way, else the first that leads on at all."""
    onward = [step for step in shown.steps if step.do not in ASIDE]
    next_stop = way.ahead[0].name if way.ahead else ""
    along = (step for step in onward if shown.definition.rows[shown.case.state, step.do].to == next_stop)
    return next(along, onward[0] if onward else None)


def _ways_back(shown: CasePage) -> list[OpenStep]:
    """The steps that only send the case back with a reason, where there are several: one field serves them all."""
    ways = [
        step for step in shown.steps
        if step.do in RETURNS and step.allowed and tuple(step.needs) == ("reason",) and step.on_behalf_of is None
    ]  # fmt: skip
    return ways if len(ways) > 1 else []


def _of_process(shown: CasePage) -> dict[str, Any]:
    """What an application, a weekly audit or a reminder shows beside its form."""
    unit_id = shown.case.unit_id
    if shown.case.process == "approval":
        beside = beside_application(session(), shown, g.today)
        return {"beside": beside, "balances": beside.balances}
    if shown.case.process == "weekly_audit" and unit_id is not None:
        return {"audit": audit_facts(session(), unit_id, g.today, shown.memory)}
    if shown.case.process == "reminder" and unit_id is not None:
        return {"ladder": policies_of(session(), [unit_id])[unit_id].entry("ladder").says}
    return {}


@bp.get("/cases/<int:case_id>/evidence/<int:number>")
@permission("matter.read")
def evidence(case_id: int, number: int) -> Any:
    """One file that was handed in with the case, as a download."""
    listed = case_in_scope(session(), actor(), case_id).data.get("evidence") or []
    if not 1 <= number <= len(listed):
        raise NotFound
    return sent_upload(listed[number - 1])


@bp.get("/cases/<int:case_id>/form/<name>/<int:number>")
@permission("matter.read")
def form_file(case_id: int, name: str, number: int) -> Any:
    """One file of the case's form, as a download."""
    listed = case_in_scope(session(), actor(), case_id).data.get("form", {}).get(name)
    if not isinstance(listed, list) or not 1 <= number <= len(listed):
        raise NotFound
    return sent_upload(listed[number - 1])


@bp.post("/cases/<int:case_id>/steps/<do>")
@permission("matter.read")
def step(case_id: int, do: str) -> Any:
    """Take a step; who acted meanwhile is named (409), what stands against it is told in full (422)."""
    case = case_in_scope(session(), actor(), case_id)
    seen = request.form.get("version", "")
    if not seen.isascii() or not seen.isdigit():
        raise BadInput("页面已过期，请刷新后重试")
    definition = book().version(session(), case.definition)
    asked = {**COMMON, **{f.name: f for f in definition.form}, **definition.inputs}
    inputs = sent_fields(field for name, field in asked.items() if name != "reason")
    reason = request.form.get("reason") or None
    result = take_step_as(
        session(), actor(), case.process, do, [case_id], now=g.now, reason=reason, inputs=inputs, versions={case_id: int(seen)}
    )  # fmt: skip
    require_moved(result)
    flash("已办理。", "done")
    return redirect(url_for("case.page", case_id=case_id))
