"""Acting for somebody else (代办): who acts, and on whose behalf, when the role comes only from a substitution. Never commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.roles import administrators, roles
from workflow.access.scopes import SUBSTITUTION, Actor, Held
from workflow.engine.models import CASE, HISTORY
from workflow.engine.registry import book
from workflow.engine.sets import among, grouped
from workflow.engine.steps import StepResult, take_step

ByWhom = tuple[Actor, str | None]  # who acts, and on whose behalf


def lendable() -> dict[str, str]:
    """Process → title of those in which people take steps, in order of title: what a substitution may be limited to."""
    people = roles().keys() - administrators()
    found = {
        name: definition.title
        for name, definition in book().current.items()
        if name != SUBSTITUTION and any(people & {*step.by} for step in definition.steps)
    }
    return dict(sorted(found.items(), key=lambda one: one[1]))


def stand_ins(
    actor: Actor, process: str, opened_by: str = "", opened_for: str | None = None
) -> list[tuple[Actor, str]]:
    """(the person with the borrowed roles alone, principal) for each principal.

    A case never comes back to who applied, by way of somebody else's role: of a case that the person opened, only what was
    opened on a principal's behalf goes on for that principal, in a role that opens such cases.
    """
    own = opened_by == actor.account
    found: dict[str, list[Held]] = {}
    for one in actor.borrowed:
        goes_on = one.principal == opened_for and one.held.role in book().process(process).opened_by if own else True
        if one.covers(process) and goes_on:
            found.setdefault(one.principal, []).append(one.held)
    return [(replace(actor, held=tuple(held), borrowed=()), principal) for principal, held in found.items()]


def acting(
    session: Session, actor: Actor, process: str, roles: Collection[str], unit_id: int | None, opened_by: str = "",
    opened_for: str | None = None,
) -> ByWhom:  # fmt: skip
    """Who takes a step of these roles: the person where one of the roles is the own, else the person for a principal.

    Where neither holds a role, the person as such: the engine refuses with its reason.
    """
    if not actor.borrowed or _holds(session, actor, roles, unit_id):
        return actor, None
    for lent, principal in stand_ins(actor, process, opened_by, opened_for):
        if _holds(session, lent, roles, unit_id):
            return lent, principal
    return actor, None


def _holds(session: Session, actor: Actor, roles: Collection[str], unit_id: int | None) -> bool:
    held = [role for role in roles if actor.has(role)]
    if unit_id is None:
        return bool(held)
    return any(unit_id in actor.reach(session, role, frozenset({unit_id})) for role in held)


def opened_for(session: Session, case_ids: Collection[int]) -> dict[int, str | None]:
    """Case → on whose behalf it was opened. One statement."""
    opened = select(HISTORY.c.case_id, HISTORY.c.on_behalf_of).where(HISTORY.c.do == "open")
    return {row[0]: row[1] for row in session.execute(opened.where(among(session, HISTORY.c.case_id, case_ids)))}


def by_whom(session: Session, actor: Actor, do: str, case_ids: Collection[int]) -> dict[ByWhom, list[int]]:
    """The cases of a set by who takes the step on them, and on whose behalf; without a substitution the person takes all."""
    if not actor.borrowed:
        return {(actor, None): list(case_ids)}
    columns = [CASE.c[name] for name in ("id", "process", "definition", "state", "unit_id", "opened_by")]
    rows = session.execute(select(*columns).where(among(session, CASE.c.id, case_ids)).order_by(CASE.c.id)).all()
    openers = opened_for(session, [row.id for row in rows if row.opened_by == actor.account])
    return grouped((_of_case(session, actor, do, row, openers.get(row.id)), row.id) for row in rows)


def _of_case(session: Session, actor: Actor, do: str, row: Any, opener: str | None) -> ByWhom:
    roles = book().version(session, row.definition).roles_of(row.state, do)
    return acting(session, actor, row.process, roles, row.unit_id, row.opened_by, opener)


def take_step_as(
    session: Session, actor: Actor, process: str, do: str, case_ids: Iterable[int], **asked: Any
) -> StepResult:
    """`take_step` by a signed-in person: each case under the own role, else on behalf of a principal. Raises what it raises."""
    result = StepResult()
    for (who, behalf), ids in by_whom(session, actor, do, list(case_ids)).items():
        result.add(take_step(session, process, do, ids, actor=who, on_behalf_of=behalf, **asked))
    return result


def opener(session: Session, actor: Actor, process: str, unit_id: int | None) -> Mapping[str, Any]:
    """Who opens a case of a process for a unit, as the arguments `actor` and `on_behalf_of`."""
    who, behalf = acting(session, actor, process, book().process(process).opened_by, unit_id)
    return {"actor": who, "on_behalf_of": behalf}


def drafter(session: Session, actor: Actor, case: Any) -> Mapping[str, Any]:
    """Who goes on with a draft in a role that opens such cases, as the arguments `actor` and `on_behalf_of`."""
    before = opened_for(session, [case.id]).get(case.id) if case.opened_by == actor.account and actor.borrowed else None
    roles = book().version(session, case.definition).opened_by
    who, behalf = acting(session, actor, case.process, roles, case.unit_id, case.opened_by, before)
    return {"actor": who, "on_behalf_of": behalf}
