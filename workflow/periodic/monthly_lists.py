"""Lists and figures of the monthly reports, as a person may see them. Reads only; each function one or two statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session, aliased

from workflow.access.scopes import Actor, in_scope
from workflow.engine.models import CASE, Case
from workflow.errors import BadInput, NotFound
from workflow.insight.lamps import view
from workflow.periodic.models import ITEM, REPORT, MonthlyReport, MonthSnapshot
from workflow.registry.tables import TABLES

READ = "monthly.read"
PAGE = 50
UNIT = TABLES["unit"].c
MATTERS = {"late": "逾期未确认", "correcting": "有未办结整改", "overdue": "有逾期整改"}


@dataclass(frozen=True)
class MonthFilter:
    """What the months are narrowed to: month, state of the case, district, part of a unit's code or name, what is amiss."""

    month: str
    state: str = ""
    district: str = ""
    text: str = ""
    matter: str = ""

    def where(self, actor: Actor) -> list[ColumnElement[bool]]:
        """The conditions without the state, the person's scope first."""
        conditions = [in_scope(actor, READ, REPORT.c.unit_id), REPORT.c.month == self.month]
        if self.district:
            conditions.append(UNIT.district_code == self.district)
        if self.text:
            code, name = UNIT.unit_code.startswith(self.text, autoescape=True), UNIT.name.contains(self.text, autoescape=True)  # fmt: skip
            conditions.append(code | name)
        if self.matter == "late":
            conditions.append(REPORT.c.late_on.is_not(None))
        if self.matter in ("correcting", "overdue"):
            conditions.append(_corrections(self.matter == "overdue").exists())
        return conditions


def _corrections(overdue: bool) -> Select[Any]:
    correction = aliased(Case)
    state = correction.state == "overdue" if overdue else correction.open.is_(True)
    return (
        select(ITEM.c.id)
        .join(correction, correction.id == ITEM.c.correction_id)
        .where(ITEM.c.case_id == REPORT.c.case_id, state)
    )


def months_known(session: Session, actor: Actor) -> list[str]:
    """The months of which there are reports in scope, newest first, a year of them."""
    known = select(REPORT.c.month).where(in_scope(actor, READ, REPORT.c.unit_id)).distinct()
    return list(session.scalars(known.order_by(REPORT.c.month.desc()).limit(12)))


def month_rows(
    session: Session, actor: Actor, wanted: MonthFilter, *, after: Sequence[Any] | None = None, limit: int = PAGE
) -> tuple[Sequence[Any], list[Any] | None]:
    """One page of units in order of code: their reports with state, answered items, open corrections; and the next cursor."""
    listed = (
        select(
            *REPORT.c, CASE.c.state, CASE.c.version, CASE.c.due_at, UNIT.unit_code, UNIT.name.label("unit_name"),
            UNIT.district_code,
        )
        .join(CASE, CASE.c.id == REPORT.c.case_id)
        .join(TABLES["unit"], UNIT.id == REPORT.c.unit_id)
        .where(*wanted.where(actor))
    )  # fmt: skip
    if wanted.state:
        listed = listed.where(CASE.c.state == wanted.state)
    if after:
        if len(after) != 1 or not isinstance(after[0], str):
            raise BadInput("翻页标记无效，请回到第一页")
        listed = listed.where(UNIT.unit_code > after[0])
    page = listed.order_by(UNIT.unit_code).limit(limit + 1).cte("page")
    figures = _figures(select(page.c.case_id)).subquery()
    counts = [func.coalesce(figures.c[name], 0).label(name) for name in ("items", "answered", "corrections", "overdue")]
    told = select(*page.c, *counts).outerjoin(figures, figures.c.case_id == page.c.case_id)
    rows = session.execute(told.order_by(page.c.unit_code)).all()
    return rows[:limit], [rows[limit - 1].unit_code] if len(rows) > limit else None


def _figures(case_ids: Select[Any]) -> Select[Any]:
    """Per report its items, those answered, their open corrections and the overdue ones: each item is read once."""
    correction = aliased(Case)
    return (
        select(
            ITEM.c.case_id,
            func.count().label("items"),
            func.count(ITEM.c.answer).label("answered"),
            func.count().filter(correction.open.is_(True)).label("corrections"),
            func.count().filter(correction.state == "overdue").label("overdue"),
        )
        .outerjoin(correction, correction.id == ITEM.c.correction_id)
        .where(ITEM.c.case_id.in_(case_ids))
        .group_by(ITEM.c.case_id)
    )


def month_counts(session: Session, actor: Actor, wanted: MonthFilter) -> Mapping[str, int]:
    """State → how many units the list would show."""
    counted = select(CASE.c.state, func.count()).join(REPORT, REPORT.c.case_id == CASE.c.id)
    counted = counted.join(TABLES["unit"], UNIT.id == REPORT.c.unit_id).where(*wanted.where(actor))
    return {row[0]: row[1] for row in session.execute(counted.group_by(CASE.c.state))}


def late_counts(session: Session, actor: Actor, month: str, today: date) -> dict[str, int]:
    """How many reports of a month were late, and how many are past their term unconfirmed today."""
    mine = (in_scope(actor, READ, REPORT.c.unit_id), REPORT.c.month == month)
    missing = func.sum(_one_if(REPORT.c.confirmed_on.is_(None) & (REPORT.c.confirm_by < today)))
    late = func.sum(_one_if(REPORT.c.late_on.is_not(None)))
    row = session.execute(select(late, missing).where(*mine)).one()
    return {"late": int(row[0] or 0), "missing": int(row[1] or 0)}


def _one_if(condition: ColumnElement[bool]) -> Any:
    return case((condition, 1), else_=0)


def report_in_scope(session: Session, actor: Actor, case_id: int) -> MonthlyReport:
    """A report of a unit in scope. Raises NotFound."""
    mine = select(MonthlyReport).where(MonthlyReport.case_id == case_id, in_scope(actor, READ, MonthlyReport.unit_id))
    found = session.scalars(mine).one_or_none()
    if found is None:
        raise NotFound
    return found


def report_items(session: Session, case_id: int) -> Sequence[Any]:
    """The items of a report in their order, with state and term of the correction asked for."""
    listed = select(*ITEM.c, CASE.c.state.label("correction_state"), CASE.c.data.label("correction"))
    listed = listed.outerjoin(CASE, CASE.c.id == ITEM.c.correction_id)
    return session.execute(listed.where(ITEM.c.case_id == case_id).order_by(ITEM.c.id)).all()


def snapshot_of(session: Session, case_id: int) -> MonthSnapshot | None:
    """The locked snapshot of a report."""
    return session.get(MonthSnapshot, case_id)


def other_months(session: Session, actor: Actor, unit_id: int) -> Sequence[Any]:
    """The latest reports of a unit, newest first: case_id, month, state, late_on."""
    listed = select(REPORT.c.case_id, REPORT.c.month, REPORT.c.late_on, CASE.c.state)
    listed = listed.join(CASE, CASE.c.id == REPORT.c.case_id)
    mine = listed.where(REPORT.c.unit_id == unit_id, in_scope(actor, READ, REPORT.c.unit_id))
    return session.execute(mine.order_by(REPORT.c.month.desc()).limit(12)).all()


def districts_of(session: Session, actor: Actor) -> list[str]:
    """The districts of the units in scope, in order of code."""
    return sorted({node.district for node in view(session, actor, READ).units() if node.district})
