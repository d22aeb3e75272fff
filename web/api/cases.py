"""Inbox and cases: what waits for me, a case, its steps with verdicts, its history; open one, claim it, take a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import g, jsonify

from web.api import shapes
from web.api.shared import api, body, if_match, listed, number_of, once, text_of
from web.api.units import unit_in_scope
from web.database import session
from web.filing_opening import opening_for
from web.identity import actor
from web.paging import argument, decode
from web.permissions import permission
from workflow.access.scopes import require
from workflow.access.substitution import opener, take_step_as
from workflow.casework.explanation import open_explanation
from workflow.casework.filing import fields_of
from workflow.casework.filing_drafting import open_filing, save_draft
from workflow.casework.matters import open_matter
from workflow.casework.voiding import request_void
from workflow.engine.claiming import claim, release
from workflow.engine.definition import Definition
from workflow.engine.inbox import history
from workflow.engine.registry import book
from workflow.engine.steps import require_moved
from workflow.errors import BadInput, NotAllowed, NotFound
from workflow.insight.case import case_in_scope, case_page, steps_of
from workflow.insight.matters import unit_to_open_for
from workflow.insight.tasks import VIEWS, TaskFilter, my_tasks, require_my_turn
from workflow.insight.tickets import ticket_row
from workflow.registry.dictionary import dictionary

bp = api("cases")


@bp.get("/inbox")
@permission("case.read")
def inbox() -> Any:
    """My tasks, most urgent first: `process`, `view` (mine | free | later | office | all | done), `after`; `whose` (mine | free) as before."""
    wanted = TaskFilter(
        view=argument("whose", ("mine", "free")) or argument("view", VIEWS), process=argument("process")
    )
    rows, after = my_tasks(session(), actor(), wanted, g.today, after=decode(argument("after", limit=300)))
    return listed([shapes.task(row, actor()) for row in rows], after)


@bp.get("/cases/<int:case_id>")
@permission("case.read")
def one(case_id: int) -> Any:
    """The case; its version stands in ETag too."""
    shown = case_page(session(), actor(), case_id, g.now)
    answer = jsonify(shapes.case(shown.case, shown.definition, shown.unit))
    answer.set_etag(str(shown.case.version))
    return answer


@bp.get("/cases/<int:case_id>/steps")
@permission("case.read")
def steps(case_id: int) -> Any:
    """Each step open to the person's roles, with all its verdicts."""
    case = case_in_scope(session(), actor(), case_id)
    found = steps_of(session(), case, actor(), g.now)
    return jsonify(case=case_id, state=case.state, version=case.version, steps=[shapes.step(each) for each in found])


@bp.get("/cases/<int:case_id>/history")
@permission("case.read")
def told(case_id: int) -> Any:
    """What happened, in order."""
    case_in_scope(session(), actor(), case_id)
    return jsonify(case=case_id, items=[shapes.act(row) for row in history(session(), case_id)])


@bp.post("/cases/<process>")
@permission("case.read")
@once
def open_one(process: str) -> Any:
    """Open a case: explanation `{"ticket"}`, void_light `{"ticket","reason"}`, filing `{"dataset","key" or "unit","values"}`.

    A filing takes doc_no, doc_on, fact_on, reason, late_reason and leaving too; while a draft for the record is open, the values go
    into that one. Processes with a form: `{"unit","values"}`. Others are opened by the platform itself (403).
    """
    definition = book().process(process)
    if process not in OPENERS and not definition.form:
        raise NotAllowed(f"“{definition.title}”由平台自动发起，不由人发起")
    case_id = OPENERS[process](body()) if process in OPENERS else _matter(definition, body())
    return _as_it_is(case_id), 201


@bp.post("/cases/<int:case_id>/steps/<do>")
@permission("case.read")
@once
def step(case_id: int, do: str) -> Any:
    """Take a step: `{"reason","inputs"}`; If-Match with the version seen. 409 where somebody acted since, 422 with all verdicts."""
    sent = body()
    inputs = sent.get("inputs", {})
    if not isinstance(inputs, dict):
        raise BadInput("“inputs”应为 JSON 对象", errors=[{"field": "inputs"}])
    case = case_in_scope(session(), actor(), case_id)
    definition = book().version(session(), case.definition)
    known = {f.name: f for f in definition.form} | {name: definition.input(name) for name in inputs}
    if files := sorted(name for name in inputs if name.startswith("_") or known[name].type == "files"):
        raise BadInput(
            f"{'、'.join(known[name].label for name in files)}请在页面上提交",
            errors=[{"field": name} for name in files],
        )
    seen = if_match()
    result = take_step_as(
        session(), actor(), case.process, do, [case_id], now=g.now, reason=text_of(sent, "reason") or None,
        inputs=inputs, versions={case_id: seen} if seen is not None else None,
    )  # fmt: skip
    require_moved(result)
    return _as_it_is(case_id), 200


@bp.post("/cases/<int:case_id>/claim")
@permission("case.read")
@once
def take_on(case_id: int) -> Any:
    """Take a case on that waits for one of my roles; 409 says who holds it already."""
    require_my_turn(session(), actor(), case_id)
    claim(session(), case_id, actor().account)
    return _as_it_is(case_id), 200


@bp.post("/cases/<int:case_id>/release")
@permission("case.read")
@once
def put_back(case_id: int) -> Any:
    """Put a case back that I hold; one that I do not hold stays as it is."""
    require_my_turn(session(), actor(), case_id)
    release(session(), case_id, actor().account)
    return _as_it_is(case_id), 200


def _as_it_is(case_id: int) -> Any:
    session().expire_all()
    shown = case_page(session(), actor(), case_id, g.now)
    return jsonify(shapes.case(shown.case, shown.definition, shown.unit))


def _explanation(sent: dict[str, Any]) -> int:
    ticket = _ticket(sent, "ticket.explain")
    return open_explanation(
        session(), ticket.id, now=g.now, **opener(session(), actor(), "explanation", ticket.unit_id)
    )


def _void_light(sent: dict[str, Any]) -> int:
    ticket, reason = _ticket(sent, "ticket.void_request"), text_of(sent, "reason", required=True)
    by = opener(session(), actor(), "void_light", ticket.unit_id)
    return request_void(session(), ticket.id, reason, now=g.now, **by)


def _filing(sent: dict[str, Any]) -> int:
    dataset, values = text_of(sent, "dataset", required=True), sent.get("values", {})
    opening = opening_for(dataset, text_of(sent, "key"), text_of(sent, "unit"), leaving=sent.get("leaving") is True)
    fields = fields_of(dictionary()[dataset], new=opening.record is None)
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise BadInput("“values”应为“字段: 文本”的 JSON 对象", errors=[{"field": "values"}])
    if unknown := sorted(set(values) - set(fields)):
        says = f"没有这些字段，或由平台自动生成：{'、'.join(unknown)}"
        raise BadInput(says, errors=[{"field": name} for name in unknown])
    by = opener(session(), actor(), "filing", opening.unit_id)
    case_id = open_filing(session(), opening, now=g.now, **by)
    basis = {f"_{name}": text_of(sent, name) for name in BASIS if name in sent}
    save_draft(session(), case_id, values | basis, now=g.now, **by)
    return case_id


def _matter(definition: Definition, sent: dict[str, Any]) -> int:
    values, unit, asked = sent.get("values", {}), text_of(sent, "unit"), {f.name: f for f in definition.form}
    if not isinstance(values, dict):
        raise BadInput("“values”应为“字段: 值”的 JSON 对象", errors=[{"field": "values"}])
    if unknown := sorted(name for name in values if name not in asked or asked[name].type == "files"):
        says = f"没有这些字段，或须在页面上提交：{'、'.join(unknown)}"
        raise BadInput(says, errors=[{"field": name} for name in unknown])
    if unit and definition.about != "city":
        unit_in_scope(unit)
    unit_id = unit_to_open_for(session(), actor(), unit, definition)
    by = opener(session(), actor(), definition.process, unit_id)
    return open_matter(session(), definition.process, unit_id, values, now=g.now, **by)


BASIS = ("doc_no", "doc_on", "fact_on", "reason", "late_reason")
OPENERS: dict[str, Callable[[dict[str, Any]], int]] = {
    "explanation": _explanation,
    "void_light": _void_light,
    "filing": _filing,
}


def _ticket(sent: dict[str, Any], action: str) -> Any:
    """The ticket that a case is to be about, where the person may do that on its unit."""
    row = ticket_row(session(), actor(), number_of(sent, "ticket"))
    if row is None:
        raise NotFound
    require(session(), actor(), action, row.unit_id)
    return row
