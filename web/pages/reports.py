"""Asking for approval of one operation on important data (办法17): the operation is shown as it would be carried out, and bound to the request."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.pages.matters import options_of
from web.pages.roster import described_as, wanted_filter
from web.permissions import permission
from web.typed_forms import sent_fields
from workflow.access.substitution import opener
from workflow.casework.filing_lists import filing_in_scope
from workflow.casework.report_operations import batch_operation, export_operation, filing_operation
from workflow.casework.reporting import PROCESS, Operation, ask_approval, newest_request
from workflow.engine.registry import book
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, NotFound, Refused
from workflow.insight.lamps import view
from workflow.insight.matters import own_unit_code, topmost_unit_code, unit_to_open_for
from workflow.insight.roster import counted_exactly
from workflow.operations import imports

bp = Blueprint("reports", __name__)
GIVEN = ("kind", "rows")  # what the operation says itself


@bp.get("/reports/batch/<int:batch_id>")
@permission("import.run", scope="own")
def of_batch(batch_id: int) -> Any:
    """The request for an import that is larger than may be written on one's own word."""
    return _form(_batch(batch_id))


@bp.post("/reports/batch/<int:batch_id>")
@permission("import.run", scope="own")
def ask_batch(batch_id: int) -> Any:
    """Ask for the approval of an import."""
    return _asked(_batch(batch_id))


@bp.get("/reports/export/<dataset>")
@permission("export.run")
def of_export(dataset: str) -> Any:
    """The request for an export of personal data as the list is narrowed."""
    return _form(_export(dataset))


@bp.post("/reports/export/<dataset>")
@permission("export.run")
def ask_export(dataset: str) -> Any:
    """Ask for the approval of an export."""
    return _asked(_export(dataset))


@bp.get("/reports/filing/<int:case_id>")
@permission("case.read")
def of_filing(case_id: int) -> Any:
    """The request for the correction of important fields that a filing drafts."""
    operation, unit = _filing(case_id)
    return _form(operation, unit)


@bp.post("/reports/filing/<int:case_id>")
@permission("case.read")
def ask_filing(case_id: int) -> Any:
    """Ask for the approval of a filing's important changes."""
    operation, unit = _filing(case_id)
    return _asked(operation, unit)


def _batch(batch_id: int) -> Operation:
    return batch_operation(imports.batch_of(session(), batch_id, by=actor().account))


def _export(dataset: str) -> Operation:
    described_as(dataset)
    wanted = wanted_filter(dataset)
    rows = counted_exactly(session(), actor(), view(session(), actor()), wanted)
    link = url_for("roster.of", **(request.args.to_dict() | {"dataset": dataset}))
    return export_operation(dataset, asdict(wanted), actor().account, rows, link)


def _filing(case_id: int) -> tuple[Operation, str]:
    _, filing, unit = filing_in_scope(session(), actor(), case_id)
    operation = filing_operation(session(), filing, g.today)
    if operation is None:
        raise NotFound("这份填报不涉及须请示的内容")
    return operation, unit.unit_code


def _form(operation: Operation, unit: str = "", given: Any = None, fault: str = "", errors: Any = ()) -> Any:
    there = newest_request(session(), operation.key)
    if there is not None:
        return redirect(url_for("case.page", case_id=there.id))
    default = unit or own_unit_code(session(), actor()) or topmost_unit_code(session(), actor())
    return render_template(
        "reports/new.html",
        operation=operation,
        unit=(given or {}).get("unit", default),
        fields=[field for field in book().process(PROCESS).form if field.name not in GIVEN and not field.only],
        given=given or {"what": operation.says},
        fault=fault,
        errors=dict(errors),
        options_of=options_of,
    )


def _asked(operation: Operation, unit: str = "") -> Any:
    """Open the request and submit it at once; where something lacks, nothing is kept and the form comes back as typed."""
    now, person = g.now, actor()
    try:
        unit_id = unit_to_open_for(session(), person, request.form.get("unit", "").strip(), book().process(PROCESS))
        fields = book().process(PROCESS).form
        by = opener(session(), person, PROCESS, unit_id)
        case_id = ask_approval(session(), operation, unit_id, sent_fields(fields), now=now, **by)
        require_moved(take_step(session(), PROCESS, "submit", [case_id], now=now, **by))
    except (BadInput, Refused) as fault:
        session().rollback()
        errors = {each["field"]: each.get("message", fault.says) for each in fault.facts.get("errors", [])}
        return _form(operation, unit, request.form, fault.says, errors), 400
    flash("请示已提交，处室审核、领导批准后即可执行。", "done")
    return redirect(url_for("case.page", case_id=case_id))
