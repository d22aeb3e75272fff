"""Notices in the platform: gathered per audience, kind and day, shown in the waking hours of a working day (办法20). No notice names a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.calendar.calendar import WorkCalendar
from workflow.clock import SHANGHAI, business_date
from workflow.db import UtcDateTime
from workflow.operations.models import Notice, NoticeRead
from workflow.policy import Policies, Policy
from workflow.registry.tables import TABLES

TOPIC = "notice"
OFFICE = "330200"  # whose policy holds where a notice is for an office or a person, not for a unit


def wake_at(now: datetime, policy: Policy, calendar: WorkCalendar) -> datetime:
    """The first moment from `now` on that is outside the quiet hours and on a working day (UTC)."""
    local = now.astimezone(SHANGHAI)
    begins, ends = policy.time("quiet.until"), policy.time("quiet.from")
    if calendar.is_working(local.date()).working and begins <= local.time() < ends:
        return now
    day = local.date()
    if not (calendar.is_working(day).working and local.time() < begins):
        day = calendar.next_working_day(day)
    return datetime.combine(day, begins, SHANGHAI).astimezone(now.tzinfo)


def post(
    session: Session, items: Iterable[dict[str, Any]], now: datetime, policies: Policies, calendar: WorkCalendar
) -> int:
    """Write notices: payloads with kind, title, and account, or role with unit_id or district; says, link, case_id, gather where known.

    What is `urgent` (办法19) is shown at once, in quiet hours and on days off too.
    The same audience, kind and day is one notice that counts; returns the number of payloads.
    """
    payloads = list(items)
    districts = _districts(session, {item["unit_id"] for item in payloads if item.get("unit_id")})
    gathered: dict[str, dict[str, Any]] = {}
    for item in payloads:
        policy = policies.of(item.get("district") or districts.get(item.get("unit_id") or 0, OFFICE))
        row = _row(item, now, now if item.get("urgent") else wake_at(now, policy, calendar))
        if row["key"] in gathered:
            _gather(gathered[row["key"]], row)
        else:
            gathered[row["key"]] = row
    _upsert(session, list(gathered.values()))
    return len(payloads)


def notices_for(session: Session, actor: Actor, now: datetime, *, limit: int = 50) -> list[tuple[Notice, bool]]:
    """The notices of a person, newest first, each with whether it was read."""
    query = select(Notice, _read_by(actor)).where(_meant_for(actor), Notice.show_at <= now)
    rows = session.execute(query.order_by(Notice.show_at.desc(), Notice.id.desc()).limit(limit)).all()
    return [(notice, bool(was_read)) for notice, was_read in rows]


def unread_count(session: Session, actor: Actor, now: datetime) -> int:
    """How many notices a person has not read."""
    return session.scalar(_unread(actor, now).with_only_columns(func.count())) or 0


def mark_read(session: Session, actor: Actor, now: datetime, notice_ids: Sequence[int] | None = None) -> int:
    """Note that a person has read these notices (default: all); returns how many were unread."""
    query = _unread(actor, now)
    if notice_ids is not None:
        query = query.where(Notice.id.in_(notice_ids))
    ids = session.scalars(query).all()
    if ids:
        counts = select(Notice.id, literal(actor.account), literal(now, UtcDateTime()), Notice.count).where(
            Notice.id.in_(ids)
        )
        fresh = _insert(session, NoticeRead).from_select(["notice_id", "account", "at", "count"], counts)
        seen = {"count": fresh.excluded.count, "at": fresh.excluded.at}
        session.execute(fresh.on_conflict_do_update(index_elements=["notice_id", "account"], set_=seen))
    return len(ids)


def _unread(actor: Actor, now: datetime) -> Select[int]:
    return select(Notice.id).where(_meant_for(actor), Notice.show_at <= now, ~_read_by(actor))


def _read_by(actor: Actor) -> ColumnElement[bool]:
    """Read, and nothing was added to it since."""
    mine = NoticeRead.account == actor.account
    return exists().where(NoticeRead.notice_id == Notice.id, mine, NoticeRead.count == Notice.count)


def _meant_for(actor: Actor) -> ColumnElement[bool]:
    """Addressed to the account, or to a role that it holds over exactly that unit or district."""
    parts: list[ColumnElement[bool]] = [Notice.account == actor.account]
    for held in actor.held:
        place = {
            "unit": Notice.unit_id == held.unit_id,
            "district": and_(Notice.unit_id.is_(None), Notice.district == held.district),
            "platform": and_(Notice.unit_id.is_(None), Notice.district.is_(None)),
        }.get(held.scope, false())
        parts.append(and_(Notice.role == held.role, place))
    return or_(*parts)


def _districts(session: Session, unit_ids: set[int]) -> dict[int, str]:
    unit = TABLES["unit"].c
    if not unit_ids:
        return {}
    return {
        row.id: row.district_code
        for row in session.execute(select(unit.id, unit.district_code).where(unit.id.in_(unit_ids)))
    }


def _row(item: dict[str, Any], now: datetime, show_at: datetime) -> dict[str, Any]:
    audience = ":".join(str(item.get(name) or "") for name in ("account", "role", "unit_id", "district"))
    return {
        "key": f"{audience}:{item['kind']}:{business_date(show_at):%Y%m%d}{':' + item['gather'] if item.get('gather') else ''}",
        **{name: item.get(name) for name in ("account", "role", "unit_id", "district", "case_id")},
        **{name: item.get(name) or "" for name in ("says", "link")},
        "kind": item["kind"],
        "title": item["title"],
        "count": item.get("count", 1),
        "created_at": now,
        "show_at": show_at,
    }


def _gather(kept: dict[str, Any], more: dict[str, Any]) -> None:
    kept["count"] += more["count"]
    kept["case_id"] = kept["case_id"] if kept["case_id"] == more["case_id"] else None


def _upsert(session: Session, rows: list[dict[str, Any]]) -> None:
    """Insert, or add to the count of the day's notice that is there already and show it as new."""
    if not rows:
        return
    fresh = _insert(session, Notice)
    table = Notice.__table__.c
    added = {"count": table.count + fresh.excluded.count, "case_id": None, "says": fresh.excluded.says}
    session.execute(fresh.on_conflict_do_update(index_elements=["key"], set_=added), rows)


def _insert(session: Session, model: Any) -> postgresql.Insert | sqlite.Insert:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(model.__table__)
