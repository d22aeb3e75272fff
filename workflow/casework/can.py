"""`sandeng can`: the verdicts that a step of a process would meet now for a unit, and what would make it legal. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.casework.standing_guards import Way, shortest_way
from workflow.engine.actors import Actor, Person
from workflow.engine.definition import Definition
from workflow.engine.judging import may_act, verdicts_for
from workflow.engine.models import CASE
from workflow.engine.registry import book
from workflow.engine.verdicts import Verdict, failing
from workflow.errors import BadInput, NotFound
from workflow.registry.tables import TABLES

LOOKED_AT = 200  # open cases of a unit that are asked at most
OPEN = "open"


@dataclass(frozen=True)
class Can:
    """Whether a step may be taken, for which case, with every verdict and the shortest way out."""

    case_id: int | None
    verdicts: list[Verdict]
    ways: list[Way] = field(default_factory=list)

    @property
    def allowed(self) -> bool:
        """Whether every verdict holds."""
        return not failing(self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """The object of `sandeng can --json`."""
        return {
            "allowed": self.allowed,
            "case": self.case_id,
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "way_out": [vars(way) for way in self.ways],
        }


def can(session: Session, do: str, process: str, unit_code: str, actor: Actor | None, now: datetime) -> Can:
    """The verdicts for the unit's case that is nearest to that step; without `actor` the roles are left aside.

    `open` asks whether the actor may open a case. Raises NotFound for an unknown process or unit, BadInput for an unknown action.
    """
    definition = book().process(process)
    actions = [OPEN, *dict.fromkeys(step.do for step in definition.steps)]
    if do not in actions:
        raise BadInput(f"流程“{process}”没有“{do}”这一步（有：{'、'.join(actions)}）")
    unit = TABLES["unit"].c
    unit_id = session.scalar(select(unit.id).where(unit.unit_code == unit_code, unit.removed_on.is_(None)))
    if unit_id is None:
        raise NotFound(f"没有机构 {unit_code}")
    asking = actor or Person("", dict.fromkeys(book().roles))
    if do == OPEN:
        return _told(None, [_may_open(session, definition, asking, unit_id)])
    cases = _cases_at(session, definition, do, unit_id)
    judged = [_told(case_id, verdicts_for(session, case_id, do, asking, now)) for case_id in cases]
    if judged:
        return min(judged, key=lambda one: (len(failing(one.verdicts)), one.case_id))
    states = "、".join(definition.states[state].title for state, action in definition.rows if action == do)
    says = f"本单位没有处于“{states}”的“{definition.title}”事项，无从办理“{definition.title_of(do)}”"
    return _told(None, [Verdict("state", False, says, basis="、".join(definition.basis))])


def _told(case_id: int | None, verdicts: Sequence[Verdict]) -> Can:
    return Can(case_id, list(verdicts), shortest_way(verdicts))


def _may_open(session: Session, definition: Definition, actor: Actor, unit_id: int) -> Verdict:
    held, reached = may_act(session, actor, definition.opened_by, {unit_id})
    names = "、".join(book().roles.get(role, role) for role in definition.opened_by)
    holds = held and unit_id in reached
    says = f"可以发起“{definition.title}”" if holds else f"“{definition.title}”由{names}发起"
    return Verdict("role", holds, says, basis="、".join(definition.basis), clears_by=definition.opened_by[0])


def _cases_at(session: Session, definition: Definition, do: str, unit_id: int) -> list[int]:
    sources = [state for state, action in definition.rows if action == do]
    ours = CASE.c.state.in_(sources) & (CASE.c.process == definition.process) & (CASE.c.unit_id == unit_id)
    return list(session.scalars(select(CASE.c.id).where(ours).order_by(CASE.c.id).limit(LOOKED_AT)))
