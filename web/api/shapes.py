"""How rows look in the API. Pure; no queries."""

from __future__ import annotations

from typing import Any

from web.look import ticket_says
from workflow.access.scopes import Actor
from workflow.engine.definition import Definition
from workflow.engine.judging import OpenStep
from workflow.engine.models import Case
from workflow.engine.registry import book
from workflow.insight.wording import rule_titles


def ticket(row: Any) -> dict[str, Any]:
    """A ticket of a list."""
    return {
        "ticket": row.id,
        "case": row.case_id,
        "rule": row.rule_id,
        "title": rule_titles().get(row.rule_id, row.rule_id),
        "says": ticket_says(row),
        "dataset": row.dataset,
        "key": row.record_key,
        "part": row.part,
        "field": row.field,
        "facts": row.facts,
        "level": row.level,
        "light": row.light,
        "state": row.state,
        "unit": {"code": row.unit_code, "name": row.unit_name},
        "first_found_on": row.first_found_on,
        "found_on": row.found_on,
        "deadline_on": row.deadline_on,
        "resolved_on": row.resolved_on,
        "resolved_how": row.resolved_how,
        "recurrences": row.recurrences,
        "batch": row.batch_id,
        "version": row.case_version,
    }


def task(row: Any, person: Actor) -> dict[str, Any]:
    """A case of the inbox, with the actions that its process table lists for the person's roles."""
    definition = book().process(row.process)
    state = definition.states.get(row.state)
    return {
        "case": row.id,
        "process": row.process,
        "title": row.title,
        "state": row.state,
        "state_title": state.title if state else row.state,
        "light": row.light,
        "unit": {"code": row.unit_code, "name": row.unit_name} if row.unit_code else None,
        "due_at": row.due_at,
        "due_on": row.deadline_on,
        "assignee": row.assignee,
        "version": row.version,
        "ticket": row.ticket_id,
        "steps": [
            {"do": step.do, "title": step.title, "needs": step.needs}
            for step in definition.steps
            if row.state in step.sources and any(person.has(role) for role in step.by)
        ],
    }


def case(row: Case, definition: Definition, unit: Any) -> dict[str, Any]:
    """One case."""
    state = definition.states[row.state]
    return {
        "case": row.id,
        "process": row.process,
        "process_title": definition.title,
        "definition": {"version": definition.version, "hash": definition.hash},
        "title": row.title,
        "subject": row.subject,
        "state": row.state,
        "state_title": state.title,
        "light": row.light,
        "open": row.open,
        "unit": {"code": unit.unit_code, "name": unit.name} if unit else None,
        "inbox": row.inbox,
        "assignee": row.assignee,
        "opened_at": row.opened_at,
        "opened_by": row.opened_by,
        "state_since": row.state_since,
        "due_at": row.due_at,
        "closed_at": row.closed_at,
        "version": row.version,
        "data": {name: value for name, value in row.data.items() if name != "evidence"},
        "evidence": [
            {"name": e["name"], "sha256": e["sha256"], "bytes": e["bytes"]} for e in row.data.get("evidence", [])
        ],
    }


def step(found: OpenStep) -> dict[str, Any]:
    """A step open to the person, with its verdicts before the click."""
    return {
        "do": found.do,
        "title": found.title,
        "needs": found.needs,
        "allowed": found.allowed,
        "verdicts": [verdict.as_json() for verdict in found.verdicts],
    }


def act(row: dict[str, Any]) -> dict[str, Any]:
    """One row of a case's history."""
    names = (
        "version",
        "do",
        "title",
        "from_state",
        "to_state",
        "to_title",
        "actor",
        "on_behalf_of",
        "at",
        "effective_at",
        "reason",
    )
    facts = {name: value for name, value in row["facts"].items() if name != "read"}
    return {name: row[name] for name in names} | {"facts": facts}
