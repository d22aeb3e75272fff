"""暂停办理 (办法21): what waits for a leader's decision, what is in force and until when; the decision with its preview. Steps go through the case."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, g, render_template

from web.database import session
from web.hold_bands import drawn_bands
from web.identity import actor
from web.paging import argument
from web.permissions import permission
from web.position import position
from workflow.access.scopes import may
from workflow.casework.holds import spans_of
from workflow.casework.overview import cases_of, counts_of
from workflow.casework.preview import Preview, preview
from workflow.engine.registry import book
from workflow.errors import BadInput, NotFound
from workflow.insight.case import CasePage, case_page
from workflow.quality.models import RedRound

bp = Blueprint("suspensions", __name__)
PROCESSES = ("suspension", "reminder")


@bp.get("/suspensions")
@permission("case.read")
def page() -> Any:
    """Suspensions and reminders in scope, what waits first."""
    process = argument("process", PROCESSES) or "suspension"
    definition = book().process(process)
    state = argument("state", definition.states)
    return render_template(
        "suspensions/page.html",
        process=process,
        definition=definition,
        state=state,
        counts=counts_of(session(), actor(), process),
        rows=cases_of(session(), actor(), process, state=state),
        titles={name: book().process(name).title for name in PROCESSES},
        as_day=_day,
    )


@bp.get("/suspensions/<int:case_id>")
@permission("case.read")
def one(case_id: int) -> Any:
    """The decision: who would be bound and until when, the lights behind it, every step open to the person with its verdicts."""
    shown = case_page(session(), actor(), case_id, g.now)
    if shown.case.process != "suspension" or shown.case.unit_id is None:
        raise NotFound
    spans = spans_of(session(), [shown.case.unit_id]).get(shown.case.unit_id, [])
    seen, wrong = _preview(shown)
    return render_template(
        "suspensions/one.html",
        shown=shown,
        round=session().get(RedRound, shown.case.data.get("round")),
        preview=seen,
        wrong=wrong,
        months=argument("months"),
        ends_on=argument("ends_on"),
        spans=spans,
        bands=drawn_bands(spans, g.today),
        **position(shown.definition, shown.case.state, shown.steps, shown.history),
        may_tickets=may(actor(), "ticket.read"),
        as_day=_day,
    )


def _preview(shown: CasePage) -> tuple[Preview | None, str]:
    """What deciding today would bring, with the months or end date asked for; and what is wrong with these."""
    case = shown.case
    if case.state != "proposed" or case.unit_id is None:
        return None, ""
    asked = {name: argument(name) for name in ("months", "ends_on") if argument(name)}
    try:
        return preview(session(), case.unit_id, case.data, g.today, asked), ""
    except BadInput as error:
        return preview(session(), case.unit_id, case.data, g.today), str(error)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
