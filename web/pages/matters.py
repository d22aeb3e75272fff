"""The matters of any process with a form: the list, the form that opens one. Each case has its page under /cases."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.pages.checks import may_tell
from web.paging import Page, argument, decode, encode
from web.people import learn
from web.permissions import permission
from web.typed_forms import sent_fields
from workflow.access.scopes import Actor
from workflow.access.substitution import lendable, opener, stand_ins
from workflow.casework.approval_page import Line, balance_lines
from workflow.casework.granting import PROCESS as GRANT
from workflow.casework.matters import open_matter
from workflow.casework.seeing import may_see
from workflow.engine.definition import Definition
from workflow.engine.form import FormField
from workflow.engine.registry import book
from workflow.errors import BadInput, NotFound
from workflow.insight.matters import MatterFilter, counts_by_state, matters, own_unit_code, unit_to_open_for
from workflow.periodic.cross_check import ROUND
from workflow.registry.dictionary import dictionary

bp = Blueprint("matters", __name__)
WHOSE = {"": "全部", "open": "未办结", "mine": "我发起的"}


def may_open(person: Actor, definition: Definition) -> bool:
    """Whether one of the person's roles, or one taken for somebody else, opens cases of the process by a form."""
    people = [person, *(lent for lent, _ in stand_ins(person, definition.process))]
    return bool(definition.form) and any(one.has(role) for one in people for role in definition.opened_by)


def options_of(field: FormField, today: date) -> list[tuple[str, str]]:
    """What a select offers: the table's own options, or the codes valid on the day."""
    if field.type == "code":
        return [(item.code, item.label) for item in dictionary().codes[field.codes or ""].items if item.valid_on(today)]
    if field.type == "process":
        return list(lendable().items())
    return list(field.options.items())


@bp.get("/matters/<process>")
@permission("matter.read")
def page(process: str) -> Any:
    """The list, newest first."""
    definition = _visible(process)
    wanted = MatterFilter(
        process=process,
        state=argument("state", definition.states),
        whose=argument("whose", WHOSE),
        unit=argument("unit"),
        text=argument("text"),
        kind=argument("kind", _kinds(definition)),
    )
    rows, after = matters(session(), actor(), wanted, after=decode(argument("after", limit=300)))
    learn(row[0].opened_by for row in rows)
    counts = counts_by_state(session(), actor(), wanted)
    total = counts.get(wanted.state, 0) if wanted.state else sum(counts.values())
    return render_template(
        "matters/page.html",
        page=Page(list(rows), encode(*after) if after else None, total),
        wanted=wanted,
        kept={name: value for name, value in asdict(wanted).items() if value and name != "process"},
        counts=counts,
        definition=definition,
        WHOSE=WHOSE,
        kinds=_kinds(definition),
        may_open=may_open(actor(), definition),
        tells=process == ROUND and may_tell(actor()),
    )


def _kinds(definition: Definition) -> dict[str, str]:
    """The kinds by which a list can be narrowed: the options of the form's field `kind`."""
    return next((dict(field.options) for field in definition.form if field.name == "kind"), {})


@bp.get("/matters/<process>/new")
@permission("matter.read")
def new(process: str) -> Any:
    """The empty form; what stands in the address is filled in. A grant is asked for on its account's page."""
    definition = _openable(process)
    if process == GRANT:
        return redirect(url_for("accounts.page"))
    unit = argument("unit") or own_unit_code(session(), actor())
    given = {field.name: argument(field.name, limit=4000) for field in definition.form}
    return _form(definition, unit, given)


@bp.post("/matters/<process>")
@permission("matter.read")
def begin(process: str) -> Any:
    """Open the case; what cannot be kept is told at its field, and nothing typed is lost."""
    definition = _openable(process)
    unit = request.form.get("unit", "").strip()
    try:
        unit_id = unit_to_open_for(session(), actor(), unit, definition)
        by = opener(session(), actor(), process, unit_id)
        case_id = open_matter(session(), process, unit_id, sent_fields(definition.form), now=g.now, **by)
    except BadInput as fault:
        return _form(definition, unit, request.form, fault), 400
    flash(f"“{definition.title}”已建立。", "done")
    return redirect(url_for("case.page", case_id=case_id))


def _visible(process: str) -> Definition:
    definition = book().process(process)
    if not may_see(actor(), definition):
        raise NotFound
    return definition


def _openable(process: str) -> Definition:
    definition = _visible(process)
    if not may_open(actor(), definition):
        raise NotFound
    return definition


def _form(definition: Definition, unit: str, given: Any, fault: BadInput | None = None) -> str:
    errors = {
        each["field"]: each.get("message", fault.says) for each in (fault.facts.get("errors", []) if fault else [])
    }
    return render_template(
        "matters/new.html",
        definition=definition,
        unit=unit,
        given=given,
        fault=fault,
        errors=errors,
        options_of=options_of,
        balances=_balances(unit) if definition.process == "approval" else None,
    )


def _balances(code: str) -> list[Line]:
    """The quota of the unit that is to apply, beside the form; nothing for a unit out of scope."""
    try:
        return (
            balance_lines(session(), unit_to_open_for(session(), actor(), code, book().process("approval")), g.today)
            if code
            else []
        )
    except BadInput:
        return []
