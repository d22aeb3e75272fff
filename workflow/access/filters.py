"""Filters and columns that a person keeps, per list; a filter may be shared with colleagues of the same role and place. No commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from workflow.access.models import ListColumns, SavedFilter
from workflow.access.scopes import Actor, Held
from workflow.errors import BadInput, NotFound

MOST = 20  # per person and list


def saved_filters(session: Session, account: str, page: str) -> list[SavedFilter]:
    """A person's filters of one list, by name."""
    own = select(SavedFilter).where(SavedFilter.account == account, SavedFilter.page == page)
    return list(session.scalars(own.order_by(SavedFilter.name)))


def filters_for(session: Session, actor: Actor, page: str) -> list[SavedFilter]:
    """A person's own filters of one list and those that colleagues share with one of the person's roles, by name."""
    shared = [_shared_with(held) for held in actor.held]
    found = select(SavedFilter).where(SavedFilter.page == page, or_(SavedFilter.account == actor.account, *shared))
    return list(session.scalars(found.order_by(SavedFilter.name, SavedFilter.id)))


def _shared_with(held: Held) -> ColumnElement[bool]:
    place = SavedFilter.shared_unit_id.is_not_distinct_from(held.unit_id)
    county = SavedFilter.shared_district.is_not_distinct_from(held.district)
    return and_(SavedFilter.shared_role == held.role, place, county)


def save_filter(
    session: Session,
    account: str,
    page: str,
    name: str,
    filters: dict[str, str],
    *,
    now: datetime,
    shared: Held | None = None,
) -> SavedFilter:
    """Keep a filter; the same name again replaces what it holds and with whom it is shared. Raises BadInput for an empty name or too many."""
    name = name.strip()[:40]
    if not name:
        raise BadInput("请给筛选条件起个名称")
    mine = (SavedFilter.account == account, SavedFilter.page == page)
    row = session.scalars(select(SavedFilter).where(*mine, SavedFilter.name == name)).one_or_none()
    if row is None:
        if (session.scalar(select(func.count()).select_from(SavedFilter).where(*mine)) or 0) >= MOST:
            raise BadInput(f"每个列表最多保存 {MOST} 个筛选条件，请先删除不用的")
        row = SavedFilter(account=account, page=page, name=name, created_at=now, filters=filters)
        session.add(row)
    row.filters = filters
    row.shared_role = shared.role if shared else None
    row.shared_unit_id, row.shared_district = (shared.unit_id, shared.district) if shared else (None, None)
    session.flush()
    return row


def forget_filter(session: Session, account: str, filter_id: int) -> None:
    """Remove one of one's own filters. Raises NotFound."""
    gone = delete(SavedFilter).where(SavedFilter.id == filter_id, SavedFilter.account == account)
    if not session.execute(gone.returning(SavedFilter.id)).all():
        raise NotFound


def kept_columns(session: Session, account: str, page: str) -> list[str] | None:
    """The columns that a person chose for a list; None where nothing was chosen."""
    row = session.get(ListColumns, (account, page))
    return list(row.columns) if row else None


def keep_columns(session: Session, account: str, page: str, columns: Sequence[str]) -> None:
    """Remember the columns of a list, in order."""
    row = session.get(ListColumns, (account, page))
    if row is None:
        session.add(ListColumns(account=account, page=page, columns=list(columns)))
    else:
        row.columns = list(columns)
    session.flush()
