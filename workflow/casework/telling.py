"""Notices about holds, reminders and the negative list, to the people concerned. Rows only; no notice names a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workflow.access.roles import roles
from workflow.engine.context import StepContext
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import effect
from workflow.registry.places import districts_of, names_of

CITY = "330200"  # the office of the city, where a case concerns no unit


def tell_units(context: StepContext, kind: str, told: Mapping[int, tuple[str, Iterable[int]]]) -> None:
    """One notice for each unit to its head and clerk: case id → title, units.

    The unit of the case is led to the case, the others to their own standing.
    """
    messages = []
    for case in context.cases:
        title, units = told.get(case.id, ("", ()))
        bound = set(units)
        names = names_of(context.session, bound)
        items: list[dict[str, Any]] = []
        for unit_id in sorted(bound):
            own = unit_id == case.unit_id
            link = f"/cases/{case.id}" if own else f"/units/{names[unit_id][0]}/standing"
            one = {"kind": kind, "title": title, "unit_id": unit_id, "case_id": case.id if own else None, "link": link}
            items += [one | {"role": role} for role in ("unit_head", "unit_clerk")]
        if items:
            messages.append(Message("notice", f"{kind}:{case.id}:{case.version}", {"items": items}))
    emit_all(context.session, messages, context.now)


@effect("tell_whose_turn")
def tell_whose_turn(context: StepContext) -> None:
    """The role into whose inbox the case comes, over its unit or its unit's county."""
    state = context.definition.states[context.step.to]
    if state.inbox is None:
        return
    scope = roles()[state.inbox].scope
    units = {case.unit_id for case in context.cases if case.unit_id is not None} if scope == "district" else set()
    counties = districts_of(context.session, units)
    messages = []
    for case in context.cases:
        kind = f"{case.process}.{state.name}"
        places: dict[str, dict[str, Any]] = {
            "unit": {"unit_id": case.unit_id},
            "district": {"district": counties.get(case.unit_id or 0, CITY)},
            "platform": {},
        }
        title = f"{context.definition.title}：{state.title}"
        item = {"kind": kind, "title": title, "says": case.title, "role": state.inbox, "case_id": case.id}
        payload = {"items": [item | places[scope] | {"link": f"/cases/{case.id}"}]}
        messages.append(Message("notice", f"{kind}:{case.id}:{case.version}", payload))
    emit_all(context.session, messages, context.now)


@effect("tell_the_unit")
def tell_the_unit(context: StepContext) -> None:
    """Head and clerk of the unit learn that the case has come to them."""
    title = f"{context.definition.title}：{context.definition.states[context.step.to].title}"
    told = {case.id: (title, [case.unit_id]) for case in context.cases if case.unit_id is not None}
    tell_units(context, f"{context.definition.process}.{context.step.to}", told)


@effect("tell_applicant")
def tell_applicant(context: StepContext) -> None:
    """Whoever opened the case learns what became of it."""
    messages = []
    for case in context.cases:
        kind = f"{case.process}.{context.step.do}"
        title = f"{context.definition.title}：{context.step.title}"
        item = {"kind": kind, "title": title, "says": case.title, "account": case.opened_by, "case_id": case.id}
        payload = {"items": [item | {"link": f"/cases/{case.id}"}]}
        messages.append(Message("notice", f"{kind}:applicant:{case.id}:{case.version}", payload))
    emit_all(context.session, messages, context.now)
