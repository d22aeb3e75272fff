"""What is shown before and after one step on many cases: the steps on offer, each row's verdicts, each row's end. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.access.substitution import by_whom, stand_ins
from workflow.casework.handling_models import BulkRow
from workflow.casework.seeing import readable
from workflow.engine.definition import Definition
from workflow.engine.judging import preview
from workflow.engine.models import Case
from workflow.engine.registry import book
from workflow.engine.sets import among
from workflow.engine.verdicts import Verdict, failing
from workflow.insight.tickets import UNIT
from workflow.registry.tables import TABLES

ALONE = ("files", "record")  # inputs that are given case by case


@dataclass(frozen=True)
class PreviewedStep:
    """A step that some of the chosen cases may be asked to take."""

    definition: Definition
    do: str
    needs: tuple[str, ...]
    cases: int

    @property
    def key(self) -> str:
        """How the form names it."""
        return f"{self.definition.process}.{self.do}"


@dataclass(frozen=True)
class PreviewedRow:
    """One chosen case with every verdict that the step would meet."""

    case: Any
    verdicts: list[Verdict]
    on_behalf_of: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether it would move now."""
        return not failing(self.verdicts)


def offered_steps(session: Session, actor: Actor, case_ids: Collection[int]) -> list[PreviewedStep]:
    """The steps of the chosen cases that one of the person's roles takes, or one taken for others; those for the most cases first."""
    grouped = (
        select(Case.definition, Case.state, func.count())
        .where(among(session, Case.id, case_ids), readable(actor))
        .group_by(Case.definition, Case.state)
    )
    found: dict[tuple[str, str], PreviewedStep] = {}
    for hash_, state, count in session.execute(grouped):
        definition = book().version(session, hash_)
        people = [actor, *(lent for lent, _ in stand_ins(actor, definition.process))]
        for step in definition.steps:
            fits = state in step.sources and any(who.has(role) for who in people for role in step.by)
            if not fits or step.do == "edit" or any(definition.input(name).type in ALONE for name in step.needs):
                continue
            earlier = found.get((definition.process, step.do))
            before = earlier.cases if earlier else 0
            found[definition.process, step.do] = PreviewedStep(definition, step.do, step.needs, before + count)
    return sorted(found.values(), key=lambda step: (-step.cases, step.key))


def preview_rows(
    session: Session, actor: Actor, step: PreviewedStep, case_ids: Collection[int], now: datetime
) -> list[PreviewedRow]:
    """The chosen cases of the step's process with their verdicts, those that may not move first."""
    listed = (
        select(Case, UNIT.name.label("unit_name"))
        .outerjoin(TABLES["unit"], UNIT.id == Case.unit_id)
        .where(among(session, Case.id, case_ids), Case.process == step.definition.process)
        .where(readable(actor))
    )
    cases = {row.Case.id: row for row in session.execute(listed)}
    rows = [
        PreviewedRow(cases[case_id], verdicts, behalf)
        for (who, behalf), ids in by_whom(session, actor, step.do, list(cases)).items()
        for case_id, verdicts in preview(session, step.do, ids, who, now, behalf).items()
    ]
    return sorted(rows, key=lambda row: (row.allowed, row.case.Case.id))


def bulk_rows(session: Session, bulk_id: int) -> Sequence[Row[Any]]:
    """Every row of a bulk step with its case, those that did not move first."""
    listed = (
        select(BulkRow.case_id, BulkRow.state, BulkRow.says, Case.title, UNIT.name.label("unit_name"))
        .join(Case, Case.id == BulkRow.case_id)
        .outerjoin(TABLES["unit"], UNIT.id == Case.unit_id)
        .where(BulkRow.bulk_id == bulk_id)
    )
    return session.execute(listed.order_by(BulkRow.state == "moved", BulkRow.case_id)).all()
