"""Filings as a person may see them: the list with its filters and counts, one filing with its case. Reads only; one function a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope
from workflow.casework.filing import KINDS, PROCESS
from workflow.casework.models import Filing
from workflow.engine.models import Case
from workflow.errors import BadInput, NotFound
from workflow.insight.tickets import UNIT
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

READ = "case.read"
PAGE = 50
COLUMNS: tuple[Any, ...] = (
    Case.id, Case.state, Case.title, Case.opened_by, Case.opened_at, Case.due_at, Case.open, Filing.kind,
    Filing.dataset, Filing.record_key, Filing.due_on, Filing.submitted_on, Filing.accepted_on, Filing.late_days,
    Filing.lines, Filing.doc_no, UNIT.unit_code, UNIT.name.label("unit_name"),
)  # fmt: skip


@dataclass(frozen=True)
class FilingFilter:
    """What the list is narrowed to; every part may be empty. `unit`: code of a unit, its subordinates included."""

    whose: str = ""
    state: str = ""
    kind: str = ""
    dataset: str = ""
    late: str = ""
    unit: str = ""
    text: str = ""

    def where(self, actor: Actor) -> list[ColumnElement[bool]]:
        """The conditions without the state, the person's scope first."""
        conditions = [Case.process == PROCESS, in_scope(actor, READ, Case.unit_id)]
        if self.whose == "mine":
            conditions.append(Case.opened_by == actor.account)
        if self.kind:
            conditions.append(Filing.kind == self.kind)
        if self.dataset:
            conditions.append(Filing.dataset == self.dataset)
        if self.late == "yes":
            conditions.append(Filing.late_days > 0)
        if self.unit:
            root = select(UNIT.id).where(UNIT.unit_code == self.unit).scalar_subquery()
            below = select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == root)
            conditions.append(Case.unit_id.in_(below))
        return [*conditions, *self._text()]

    def _text(self) -> list[ColumnElement[bool]]:
        if not self.text:
            return []
        words: list[ColumnElement[bool]] = [
            Filing.record_key.startswith(self.text, autoescape=True),
            Filing.doc_no.contains(self.text, autoescape=True),
            UNIT.name.contains(self.text, autoescape=True),
        ]
        if self.text.isascii() and self.text.isdigit() and len(self.text) < 15:
            words.append(Case.id == int(self.text))
        return [or_(*words)]


def filings(
    session: Session, actor: Actor, wanted: FilingFilter, *, after: Sequence[Any] | None = None
) -> tuple[Sequence[Row[Any]], list[Any] | None]:
    """One page of filings, newest first, with the cursor of the next."""
    listed = (
        select(*COLUMNS)
        .join(Filing, Filing.case_id == Case.id)
        .join(TABLES["unit"], UNIT.id == Case.unit_id)
        .where(*wanted.where(actor))
    )
    if wanted.state:
        listed = listed.where(Case.state == wanted.state)
    if after:
        if len(after) != 1 or not isinstance(after[0], int):
            raise BadInput("翻页标记无效，请回到第一页")
        listed = listed.where(Case.id < after[0])
    rows = session.execute(listed.order_by(Case.id.desc()).limit(PAGE + 1)).all()
    return rows[:PAGE], [rows[PAGE - 1].id] if len(rows) > PAGE else None


def counts_by_state(session: Session, actor: Actor, wanted: FilingFilter) -> Mapping[str, int]:
    """State → how many filings the list would show."""
    counted = (
        select(Case.state, func.count())
        .join(Filing, Filing.case_id == Case.id)
        .join(TABLES["unit"], UNIT.id == Case.unit_id)
        .where(*wanted.where(actor))
        .group_by(Case.state)
    )
    return {row[0]: row[1] for row in session.execute(counted)}


def filing_in_scope(session: Session, actor: Actor, case_id: int) -> tuple[Case, Filing, Row[Any]]:
    """A filing of a unit in scope with its case and the unit's code and name. Raises NotFound."""
    wanted = (
        select(Case, Filing, UNIT.unit_code, UNIT.name)
        .join(Filing, Filing.case_id == Case.id)
        .join(TABLES["unit"], UNIT.id == Case.unit_id)
        .where(Case.id == case_id, in_scope(actor, READ, Case.unit_id))
    )
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1], row


def kind_titles() -> list[tuple[str, str]]:
    """The kinds with their titles, as a filter offers them."""
    return list(KINDS.items())
