"""May this step be taken? The same rows answer the page before the click and the writer after it. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.engine.actors import Actor, Platform
from workflow.engine.context import ROW_COLUMNS, CaseRow, Request, StepContext
from workflow.engine.definition import Definition, Step
from workflow.engine.inputs import prove_inputs
from workflow.engine.models import CASE
from workflow.engine.registry import Book, book
from workflow.engine.sets import among, grouped
from workflow.engine.verdicts import Verdict
from workflow.errors import NotFound
from workflow.scoping import whole_view


@dataclass(frozen=True)
class OpenStep:
    """A step that the table lists for a case's state and the actor's role, with its verdicts before the click."""

    do: str
    title: str
    needs: tuple[str, ...]
    verdicts: list[Verdict]
    on_behalf_of: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether it would be taken now, once what it needs is given."""
        return all(verdict.holds for verdict in self.verdicts)


@dataclass
class Judged:
    """Which cases may move, by row of the table; every verdict; and the refused with theirs."""

    moving: list[tuple[Step, list[CaseRow]]] = field(default_factory=list)
    verdicts: dict[int, list[Verdict]] = field(default_factory=dict)
    refused: dict[int, list[Verdict]] = field(default_factory=dict)


def judge(
    session: Session, in_force: Book, definition: Definition, cases: Sequence[CaseRow], request: Request
) -> Judged:
    """Judges every case on from-state, role, inputs and all guards; nothing stops at the first failure.

    Raises BadInput for an input of a person that its field does not allow.
    """
    judged = Judged()
    for state, ours in grouped((case.state, case) for case in cases).items():
        step = definition.row(state, request.do)
        if step is None:
            judged.refused |= {case.id: [_no_way(definition, state, request.do)] for case in ours}
            continue
        context = StepContext(session, in_force, definition, step, ours, request)
        outside, needs = _outside(context), _needs(context)
        if len(outside) < len(ours) and not isinstance(request.actor, Platform):
            prove_inputs(definition, step, request.reason, request.inputs)
        if not (step.when or outside or needs):
            _add_moving(judged, step, ours)
            continue
        verdicts, may = guard_verdicts(context), []
        for case in ours:
            answers = [*outside.get(case.id, ()), *needs, *verdicts[case.id]]
            if all(answer.holds for answer in answers):
                may.append(case)
                judged.verdicts[case.id] = verdicts[case.id]
            else:
                judged.refused[case.id] = answers
        if may:
            _add_moving(judged, step, may)
    return judged


def _add_moving(judged: Judged, step: Step, cases: list[CaseRow]) -> None:
    for other, ours in judged.moving:
        if other is step:
            ours.extend(cases)
            return
    judged.moving.append((step, list(cases)))


def guard_verdicts(context: StepContext) -> dict[int, list[Verdict]]:
    """The verdicts of all guards of a step, by case. A guard that says nothing about a case refuses it."""
    found: dict[int, list[Verdict]] = {case.id: [] for case in context.cases}
    for name in context.step.when:
        answers: Mapping[int, list[Verdict]] = context.book.guards[name](context)
        silent = [Verdict(name, False, "条件没有给出结论，不予办理")]
        for case_id, verdicts in found.items():
            verdicts.extend(answers.get(case_id) or silent)
    return found


def _no_way(definition: Definition, state: str, do: str) -> Verdict:
    says = f"当前状态为“{definition.states[state].title}”，不能办理“{definition.title_of(do)}”"
    return Verdict("state", False, says, facts=[{"record": "case", "field": "state", "value": state}])


def _outside(context: StepContext) -> dict[int, list[Verdict]]:
    """The cases for which the actor holds none of the step's roles."""
    cases = context.cases
    units = {case.unit_id for case in cases if case.unit_id is not None}
    held, reached = may_act(context.session, context.request.actor, context.step.by, units)
    names = "、".join(context.book.roles.get(role, role) for role in context.step.by)
    verdict = Verdict("role", False, f"“{context.step.title}”由{names}办理", clears_by=context.step.by[0])
    return {
        case.id: [verdict] for case in cases if not held or (case.unit_id is not None and case.unit_id not in reached)
    }


def may_act(session: Session, actor: Actor, roles: Sequence[str], units: Set[int]) -> tuple[bool, Set[int]]:
    """Whether the actor holds one of the roles at all, and for which of the units."""
    held = [role for role in roles if actor.has(role)]
    reached: Set[int] = set()
    for role in held:
        reached = reached | actor.reach(session, role, units)
    return bool(held), reached


def reaches(session: Session, actor: Actor, roles: Sequence[str]) -> Callable[[int], bool]:
    """Whether the actor holds one of the roles for a unit: whose records a draft in that role may name."""
    return lambda unit_id: unit_id in may_act(session, actor, roles, {unit_id})[1]


def _needs(context: StepContext) -> list[Verdict]:
    given: dict[str, Any] = {**context.request.inputs, "reason": (context.request.reason or "").strip()}
    missing = [name for name in context.step.needs if not _said(given.get(name))]
    label = context.definition.input
    return [Verdict("needs", False, f"须填写{label(name).label}", facts=[{"field": name}]) for name in missing]


def _said(value: Any) -> Any:
    """What was given, where blanks alone are nothing."""
    return value.strip() if isinstance(value, str) else value


def open_steps(
    session: Session, case_id: int, actor: Actor, now: datetime, on_behalf_of: str | None = None
) -> list[OpenStep]:
    """The steps that the actor's roles list for a case, each with all its verdicts. Raises NotFound."""
    row = session.execute(select(*ROW_COLUMNS).where(CASE.c.id == case_id)).one_or_none()
    if row is None:
        raise NotFound(case=case_id)
    return steps_open_on(session, CaseRow._make(row), actor, now, on_behalf_of, {})


def steps_open_on(
    session: Session, case: CaseRow, actor: Actor, now: datetime, on_behalf_of: str | None, memory: dict[Any, Any]
) -> list[OpenStep]:
    """The same for a case that is read already. `memory`: what the page has read and shares with the guards of all steps."""
    in_force = book()
    definition = in_force.version(session, case.definition)
    units = set[int]() if case.unit_id is None else {case.unit_id}
    listed = [step for step in definition.steps if case.state in step.sources]
    reach = {
        role: actor.reach(session, role, units)
        for role in dict.fromkeys(role for step in listed for role in step.by)
        if actor.has(role)
    }
    open_to_actor = [s for s in listed if any(role in reach and reach[role] >= units for role in s.by)]
    found = []
    with whole_view(session):
        for step in open_to_actor:
            request = Request(step.do, now, actor, on_behalf_of)
            context = StepContext(session, in_force, definition, step, [case], request, memory=memory)
            found.append(OpenStep(step.do, step.title, step.needs, guard_verdicts(context)[case.id], on_behalf_of))
    return found


def verdicts_for(session: Session, case_id: int, do: str, actor: Actor, now: datetime) -> list[Verdict]:
    """Every verdict that a step would meet now, role and state included, inputs left aside (`sandeng can`). Raises NotFound."""
    found = preview(session, do, [case_id], actor, now)
    if case_id not in found:
        raise NotFound(case=case_id)
    return found[case_id]


def preview(
    session: Session, do: str, case_ids: Collection[int], actor: Actor, now: datetime, on_behalf_of: str | None = None
) -> dict[int, list[Verdict]]:
    """Case → every verdict that a step would meet now, for a set of cases as the writer would judge it; inputs left aside."""
    rows = session.execute(select(*ROW_COLUMNS).where(among(session, CASE.c.id, case_ids)).order_by(CASE.c.id))
    cases, in_force = [CaseRow._make(row) for row in rows], book()
    found: dict[int, list[Verdict]] = {}
    for (hash_, state), ours in grouped(((case.definition, case.state), case) for case in cases).items():
        definition = in_force.version(session, hash_)
        step = definition.row(state, do)
        if step is None:
            found |= {case.id: [_no_way(definition, state, do)] for case in ours}
            continue
        context = StepContext(session, in_force, definition, step, ours, Request(do, now, actor, on_behalf_of))
        with whole_view(session):
            outside, verdicts = _outside(context), guard_verdicts(context)
        found |= {case.id: [*outside.get(case.id, ()), *verdicts[case.id]] for case in ours}
    return found
