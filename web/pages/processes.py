"""The processes as tables and drawings; with a case, where it stands."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template

from web.database import session
from web.drawing import drawn
from web.identity import actor
from web.paging import number_argument
from web.permissions import signed_in_only
from web.position import position
from workflow.engine.form import COMMON
from workflow.engine.registry import book
from workflow.insight.case import case_in_scope, case_page
from workflow.insight.wording import KEPT_DAYS, condition_titles
from workflow.policy import shipped_policies

bp = Blueprint("processes", __name__)


@bp.get("/processes")
@signed_in_only
def page() -> Any:
    """Every process in force."""
    return render_template("processes/page.html", processes=book().current.values())


@bp.get("/processes/<process>")
@signed_in_only
def one(process: str) -> Any:
    """One process, drawn and row by row; `case` marks where that case stands, in the version under which it began."""
    case_id = number_argument("case")
    case = case_in_scope(session(), actor(), case_id) if case_id else None
    if case is not None and case.process == process:
        shown = case_page(session(), actor(), case.id, g.now)
        definition = shown.definition
        drawing = position(definition, shown.case.state, shown.steps, shown.history)["drawing"]
    else:
        definition = book().process(process)
        drawing = drawn(definition)
    return render_template(
        "processes/one.html", definition=definition, case=case, drawing=drawing,
        roles=book().roles, entries=shipped_policies().city.entries, conditions=condition_titles(), KEPT_DAYS=KEPT_DAYS,
        inputs={field.name: field.label for field in (*COMMON.values(), *definition.inputs.values(), *definition.form)},
    )  # fmt: skip
