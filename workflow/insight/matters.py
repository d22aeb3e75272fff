"""Lists of the matters of one process, as a person may see them: filters, counts by state, one page. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope
from workflow.casework.seeing import readable
from workflow.engine.definition import Definition
from workflow.engine.models import Case
from workflow.errors import BadInput, NotAllowed
from workflow.insight.tickets import UNIT
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

READ = "case.read"
PAGE = 50


@dataclass(frozen=True)
class MatterFilter:
    """What the list is narrowed to; every part but the process may be empty. `unit`: code of a unit, its subordinates included."""

    process: str
    state: str = ""
    whose: str = ""
    unit: str = ""
    text: str = ""
    kind: str = ""

    def where(self, actor: Actor) -> list[ColumnElement[bool]]:
        """The conditions without the state, the person's scope first."""
        conditions = [Case.process == self.process, readable(actor)]
        if self.whose == "mine":
            conditions.append(Case.opened_by == actor.account)
        if self.kind:
            conditions.append(Case.data["form"]["kind"].as_string() == self.kind)
        if self.whose == "open":
            conditions.append(Case.open.is_(True))
        if self.unit:
            root = select(UNIT.id).where(UNIT.unit_code == self.unit).scalar_subquery()
            below = select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == root)
            conditions.append(Case.unit_id.in_(below))
        return [*conditions, *self._text()]

    def _text(self) -> list[ColumnElement[bool]]:
        if not self.text:
            return []
        words: list[ColumnElement[bool]] = [
            Case.title.contains(self.text, autoescape=True),
            Case.subject.startswith(self.text, autoescape=True),
        ]
        if self.text.isascii() and self.text.isdigit() and len(self.text) < 15:
            words.append(Case.id == int(self.text))
        return [or_(*words)]


def matters(
    session: Session, actor: Actor, wanted: MatterFilter, *, after: Sequence[Any] | None = None
) -> tuple[Sequence[Row[Any]], list[Any] | None]:
    """One page of cases, newest first, with unit_code and unit_name, and the cursor of the next."""
    listed = (
        select(Case, UNIT.unit_code, UNIT.name.label("unit_name"))
        .outerjoin(TABLES["unit"], UNIT.id == Case.unit_id)
        .where(*wanted.where(actor))
    )
    if wanted.state:
        listed = listed.where(Case.state == wanted.state)
    if after:
        if len(after) != 1 or not isinstance(after[0], int):
            raise BadInput("翻页标记无效，请回到第一页")
        listed = listed.where(Case.id < after[0])
    rows = session.execute(listed.order_by(Case.id.desc()).limit(PAGE + 1)).all()
    return rows[:PAGE], [rows[PAGE - 1][0].id] if len(rows) > PAGE else None


def counts_by_state(session: Session, actor: Actor, wanted: MatterFilter) -> Mapping[str, int]:
    """State → how many cases the list would show."""
    counted = select(Case.state, func.count()).where(*wanted.where(actor)).group_by(Case.state)
    return {row[0]: row[1] for row in session.execute(counted)}


def own_unit_code(session: Session, actor: Actor) -> str:
    """The code of the unit that the person belongs to; empty for people of an office."""
    return session.scalar(select(UNIT.unit_code).where(UNIT.id == actor.unit_id)) or "" if actor.unit_id else ""


def topmost_unit_code(session: Session, actor: Actor) -> str:
    """The code of the first unit within the person's scope that stands under none other: for people of an office."""
    top = select(UNIT.unit_code).where(
        in_scope(actor, READ, UNIT.id), UNIT.parent_id.is_(None), UNIT.removed_on.is_(None)
    )
    return session.scalar(top.order_by(UNIT.unit_code).limit(1)) or ""


def unit_to_open_for(session: Session, actor: Actor, code: str, definition: Definition) -> int | None:
    """The id of the unit that a new case is to concern, by its code and within the person's scope; None for one of the whole city.

    Raises BadInput where there is no such unit, NotAllowed where somebody but the city's office opens a case of the city.
    """
    if definition.about == "city":
        if not any(held.everywhere for held in actor.holding(definition.read or READ)):
            raise NotAllowed(f"“{definition.title}”不由您发起，或须由市级机构编制部门发起")
        return None
    if not code:
        raise BadInput("请填写单位的机构编码", errors=[{"field": "unit"}])
    visible = in_scope(actor, READ, UNIT.id)
    unit_id = session.scalar(select(UNIT.id).where(UNIT.unit_code == code, UNIT.removed_on.is_(None), visible))
    if unit_id is None:
        raise BadInput(f"没有机构 {code[:20]}，或不在您的管理范围内", errors=[{"field": "unit"}])
    return unit_id
