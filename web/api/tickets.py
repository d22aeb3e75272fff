"""Tickets: the list of the page with its filters, one ticket, a re-check."""

from __future__ import annotations

from typing import Any

from flask import g, jsonify

from web.api import shapes
from web.api.shared import api, listed
from web.database import engine_released, session
from web.identity import actor
from web.pages.ticket import in_scope_for
from web.pages.tickets import wanted_filter
from web.paging import argument, decode
from web.permissions import permission
from workflow.insight.ticket import ticket_page
from workflow.insight.tickets import counts_by_light, ticket_row, tickets
from workflow.quality.run import as_json, run_check

bp = api("tickets")


@bp.get("/tickets")
@permission("ticket.read")
def page() -> Any:
    """Tickets in scope, most urgent first; the same filters as the page, and `lights` with the counts of the whole filter."""
    wanted = wanted_filter()
    rows, after = tickets(
        session(), actor(), wanted, sort=argument("sort") or "deadline", after=decode(argument("after", limit=300))
    )
    return listed([shapes.ticket(row) for row in rows], after, lights=counts_by_light(session(), actor(), wanted))


@bp.get("/tickets/<int:ticket_id>")
@permission("ticket.read")
def one(ticket_id: int) -> Any:
    """A ticket with remedy, article and the derivation of its deadline day by day."""
    shown = ticket_page(session(), actor(), ticket_id)
    rule = {"remedy": shown.rule.remedy, "basis": shown.rule.basis} if shown.rule else {}
    due = shown.deadline.as_json() if shown.deadline else None
    return jsonify(**shapes.ticket(shown.ticket), **rule, deadline=due, paused=shown.paused or None)


@bp.post("/tickets/<int:ticket_id>/recheck")
@permission("check.run")
def recheck(ticket_id: int) -> Any:
    """Judge the ticket's record again now; only a pass turns the light green."""
    ticket = in_scope_for(ticket_id, "check.run")
    by, scope = actor().account, {"dataset": ticket.dataset, "records": [ticket.record_id]}
    run = run_check(engine_released(), g.today, g.now, scope=scope, by=by)
    after = ticket_row(session(), actor(), ticket_id)
    return jsonify(run=as_json(run), ticket=shapes.ticket(after))
