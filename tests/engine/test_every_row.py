"""The forbidden half of every process of this release: unlisted actions and unlisted roles are refused, generated from the tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.orm import Session

from workflow.engine.actors import Person
from workflow.engine.context import CaseRow, Request, StepContext
from workflow.engine.definition import Definition
from workflow.engine.form import FormField
from workflow.engine.judging import judge
from workflow.engine.registry import Book, load_all
from workflow.engine.verdicts import Verdict, failing

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
BOOK = load_all()
PROCESSES = sorted(BOOK.current)


def agreeable() -> Book:
    """The book of this release with guards that all hold, so that only the table decides."""

    def holds(context: StepContext) -> dict[int, list[Verdict]]:
        return context.each(Verdict("holds", True, "成立"))

    return replace(BOOK, guards=dict.fromkeys(BOOK.guards, holds))


def standing(definition: Definition, state: str) -> CaseRow:
    light = definition.states[state].light
    zero = date(2026, 3, 2)
    return CaseRow(
        7, definition.process, definition.hash, state, light, 1, "s", "t", 3, zero, {}, None, "somebody", NOW
    )


def fitting(f: FormField) -> str:
    """Something that the field allows."""
    return {"int": str(f.min or 1), "date": "2026-03-03", "choice": next(iter(f.options), "")}.get(f.type, "x")


def asked(definition: Definition, do: str, *roles: str) -> Request:
    needs = {name: fitting(definition.input(name)) for step in definition.steps for name in step.needs}
    return Request(do, NOW, Person("p", dict.fromkeys(roles)), reason="x", inputs=needs)


@pytest.mark.parametrize("process", PROCESSES)
def test_every_unlisted_action_is_refused_in_every_state(process: str, session: Session) -> None:
    definition, everybody = BOOK.current[process], tuple(BOOK.roles)
    for state in definition.states:
        for do in {step.do for step in definition.steps}:
            judged = judge(
                session, agreeable(), definition, [standing(definition, state)], asked(definition, do, *everybody)
            )
            assert bool(judged.moving) == ((state, do) in definition.rows), (state, do)
            if not judged.moving:
                assert [verdict.guard for verdict in judged.refused[7]] == ["state"]


@pytest.mark.parametrize("process", PROCESSES)
def test_every_unlisted_role_is_refused_for_every_step(process: str, session: Session) -> None:
    definition = BOOK.current[process]
    for (state, do), step in definition.rows.items():
        for role in BOOK.roles:
            judged = judge(session, agreeable(), definition, [standing(definition, state)], asked(definition, do, role))
            assert bool(judged.moving) == (role in step.by), (state, do, role)


@pytest.mark.parametrize("process", PROCESSES)
def test_every_need_is_asked_for(process: str, session: Session) -> None:
    definition, everybody = BOOK.current[process], dict.fromkeys(BOOK.roles)
    for (state, do), step in definition.rows.items():
        bare = Request(do, NOW, Person("p", everybody))
        judged = judge(session, agreeable(), definition, [standing(definition, state)], bare)
        assert [verdict.guard for verdict in failing(judged.refused.get(7, []))] == ["needs"] * len(step.needs)
