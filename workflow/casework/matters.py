"""Matters that people open by a form (事项): opened, edited while the table lets them, complete before they are sent on.

What a process asks for stands in its own table (`form:`); a process needs no page of its own to be opened, listed and shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.casework.forms import typed_form, unit_names
from workflow.casework.serials import next_number
from workflow.clock import business_date
from workflow.engine.actors import PLATFORM_ROLES, Actor
from workflow.engine.context import StepContext
from workflow.engine.definition import Definition
from workflow.engine.form import missing_fields
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.judging import reaches
from workflow.engine.registry import book, effect, guard
from workflow.engine.steps import NewCase, open_cases, retitle
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput
from workflow.registry.places import names_of
from workflow.registry.tables import TABLES

UNIT = TABLES["unit"].c
# Form values (units by their names), name of the unit → title of the case.
Named = Callable[[Mapping[str, Any], str], str]

_TITLES: dict[str, Named] = {}
Checked = Callable[[Session, Mapping[str, Any], date], Mapping[str, str]]  # form values, today → field → what is wrong
_CHECKS: dict[str, Checked] = {}


def checks_form(process: str) -> Callable[[Checked], Checked]:
    """Registers what else a form of a process is held to while it is drafted, beyond each field for itself."""

    def register(function: Checked) -> Checked:
        _CHECKS[process] = function
        return function

    return register


def proved_form(
    session: Session, definition: Definition, texts: Mapping[str, Any], *, on: date, kept: Mapping[str, Any],
    may_name: Callable[[int], bool],
) -> dict[str, Any]:  # fmt: skip
    """The values of a process's form as typed. Raises BadInput with every field and its fault."""
    values = typed_form(session, definition.form, texts, on=on, kept=kept, may_name=may_name)
    check = _CHECKS.get(definition.process)
    labels = {f.name: f.label for f in definition.form}
    faults = [
        {"field": name, "label": labels[name], "message": f"「{labels[name]}」{fault}"}
        for name, fault in (check(session, values, on).items() if check else ())
    ]
    if faults:
        raise BadInput("；".join(fault["message"] for fault in faults), errors=faults)
    return values


def titled(process: str) -> Callable[[Named], Named]:
    """Registers how a case of a process is called in lists; without it: the process and the unit."""

    def register(function: Named) -> Named:
        _TITLES[process] = function
        return function

    return register


def title_for(session: Session, process: str, values: Mapping[str, Any], unit_name: str) -> str:
    """The title of a case, at most 200 letters."""
    named, definition = _TITLES.get(process), book().process(process)
    if named:
        return named(_with_names(session, definition, values), unit_name)[:200]
    return (f"{definition.title}：{unit_name}" if unit_name else definition.title)[:200]


def _with_names(session: Session, definition: Definition, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A form's values where units stand under their names, as far as there are such units."""
    codes = {
        field.name: values[field.name] for field in definition.form if field.type == "unit" and values.get(field.name)
    }
    names = unit_names(session, list(codes.values()))
    return {**values, **{name: names[code] for name, code in codes.items() if code in names}}


def open_matter(
    session: Session,
    process: str,
    unit_id: int | None,
    texts: Mapping[str, Any],
    *,
    now: datetime,
    actor: Actor,
    on_behalf_of: str | None = None,
    day_zero: date | None = None,
    data: Mapping[str, Any] | None = None,
) -> int:
    """A case of a process with a form; its subject is a number of the year (`2026-0001`). `data`: what else the case keeps.

    Raises NotAllowed where the actor may not open it for the unit, BadInput with every field that cannot be kept.
    """
    definition = book().process(process)
    if not definition.form:
        raise BadInput(f"“{definition.title}”不由表单发起")
    today = business_date(now)
    own = reaches(session, actor, definition.opened_by)
    values = proved_form(session, definition, texts, on=today, kept={}, may_name=own)
    name = session.scalar(select(UNIT.name).where(UNIT.id == unit_id)) if unit_id is not None else ""
    subject = f"{today.year}-{next_number(session, process, today.year):04d}"
    facts = {**(data or {}), "form": values}
    new = NewCase(unit_id, subject, title_for(session, process, values, name or ""), day_zero, facts)
    return open_cases(session, process, [new], now=now, actor=actor, on_behalf_of=on_behalf_of)[0]


@effect("keep_form")
def keep_form(context: StepContext) -> None:
    """What was typed replaces what the form said, and in the title too; the history keeps both."""
    inputs, own = context.request.inputs, reaches(context.session, context.request.actor, context.step.by)
    names = names_of(context.session, {case.unit_id for case in context.cases if case.unit_id is not None})
    titles: dict[int, str] = {}
    for case in context.cases:
        kept, name = case.data.get("form", {}), names.get(case.unit_id or 0, ("", ""))[1]
        values = proved_form(context.session, context.definition, inputs, on=context.today, kept=kept, may_name=own)
        context.keep(case, form=values)
        if case.title == title_for(context.session, case.process, kept, name):
            titles[case.id] = title_for(context.session, case.process, values, name)
    retitle(context.session, titles)


@guard("form_is_complete")
def form_is_complete(context: StepContext) -> dict[int, list[Verdict]]:
    """Every required field of the form is filled in."""
    basis = "、".join(context.definition.basis)
    clears = next((role for role in context.definition.opened_by if role not in PLATFORM_ROLES), context.step.by[0])
    verdicts = {}
    for case in context.cases:
        values = case.data.get("form", {})
        lacking = {each.name for each in missing_fields(context.definition.form, values)}
        asked = [
            [f.name, f.label, f.name not in lacking] for f in context.definition.form if f.required and f.asked(values)
        ]
        read = {"case": case.id, "subject": case.subject, "fields": asked, "basis": basis, "clears_by": clears}
        verdicts[case.id] = judged("form_is_complete", read)
    return verdicts


@judge_of("form_is_complete")
def _complete(facts: Facts) -> Verdict:
    lacking = [(name, label) for name, label, filled in facts["fields"] if not filled]
    says = f"还须填写：{'、'.join(label for _, label in lacking)}" if lacking else "表单已填写完整"
    told = [{"record": facts["subject"], "field": name, "value": None} for name, _ in lacking]
    link = f"/cases/{facts['case']}#form"
    return Verdict("form_is_complete", not lacking, says, told, facts["basis"], clears_by=facts["clears_by"], link=link)
