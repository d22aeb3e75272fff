"""The figures of the home pages, by role. Reads only; each page at most ten statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from workflow.access.models import SecurityAlarm
from workflow.access.scopes import Actor, in_scope, may
from workflow.casework.seeing import readable
from workflow.engine.inbox import in_reach
from workflow.engine.models import Case
from workflow.insight.lamps import Tree, View, view
from workflow.insight.tickets import READ, UNIT, TicketFilter, count, tickets
from workflow.insight.wording import region_title
from workflow.operations.models import DailyJob, Heartbeat
from workflow.operations.notices import notices_for
from workflow.quality.lights import lamp_of
from workflow.quality.models import CheckRun, RedRound, Ticket
from workflow.registry.tables import TABLES

RECTIFICATION = "rectification"
SOON = timedelta(days=1)
WINDOW = timedelta(days=29)  # the last thirty days, today included


def lights_in_scope(seen: View) -> dict[str, int]:
    """Open tickets in scope by light, and the units that have any."""
    total = seen.tree.sum(node.id for node in seen.units())
    units = sum(1 for node in seen.units() if seen.tree.own_count(node.id).all)
    return {"red": total.red, "yellow": total.yellow, "units": units}


def latest_runs(session: Session) -> dict[str, CheckRun | None]:
    """The last finished check of the day, and the last one that judged every record anew."""
    done = select(func.max(CheckRun.id)).where(CheckRun.finished_at.is_not(None), CheckRun.kind != "scoped")
    wanted = (done.scalar_subquery(), done.where(CheckRun.kind == "full").scalar_subquery())
    runs = session.scalars(select(CheckRun).where(CheckRun.id.in_(wanted)).order_by(CheckRun.id)).all()
    return {
        "run": runs[-1] if runs else None,
        "full": next((run for run in runs if run.kind == "full"), None),
    }


def last_runs(session: Session, limit: int = 12) -> Sequence[CheckRun]:
    """The latest checks, newest first."""
    return session.scalars(select(CheckRun).order_by(CheckRun.id.desc()).limit(limit)).all()


def streak(session: Session, unit_id: int) -> int:
    """Consecutive red rounds of a unit up to now (办法21)."""
    last = select(RedRound.streak).where(RedRound.unit_id == unit_id).order_by(RedRound.id.desc()).limit(1)
    return session.scalar(last) or 0


def fixed_lately(session: Session, actor: Actor, since: date) -> int:
    """Tickets in scope that turned green since that day."""
    statement = select(func.count()).where(Ticket.resolved_on >= since, in_scope(actor, READ, Ticket.unit_id))
    return session.scalar(statement.select_from(Ticket)) or 0


def unit_home(session: Session, actor: Actor, today: date, now: datetime) -> dict[str, Any]:
    """A unit clerk's or head's first page: own lamp with subordinates, what is red or due, the streak."""
    seen = view(session, actor, READ)
    own = seen.tree.own_count(actor.unit_id or 0)
    urgent, _ = tickets(session, actor, TicketFilter(), limit=12)
    soon = count(session, actor, TicketFilter(light="yellow", due_to=today + SOON))
    return {
        "unit": seen.tree.nodes.get(actor.unit_id or 0),
        "lights": lights_in_scope(seen),
        "own": own,
        "lamp": own.lamp,
        "urgent": urgent,
        "soon": soon,
        "soon_until": today + SOON,
        "fixed": fixed_lately(session, actor, today - WINDOW),
        "since": today - WINDOW,
        "waiting": waiting(session, actor),
        **told(session, actor, now),
        "streak": streak(session, actor.unit_id or 0),
        **latest_runs(session),
    }


def office_home(session: Session, actor: Actor, today: date, now: datetime) -> dict[str, Any]:
    """An office's first page: lamps of the counties in scope, the units with most red, open work that waits for it."""
    seen = view(session, actor, READ)
    regions = regions_in_scope(seen)
    red, yellow = sum(r["red"] for r in regions), sum(r["yellow"] for r in regions)
    return {
        "regions": regions,
        "lights": {"red": red, "yellow": yellow, "units": sum(r["units"] for r in regions)},
        "lamp": lamp_of(red, yellow),
        "worst": worst_units(seen),
        "waiting": waiting(session, actor),
        **told(session, actor, now),
        "fixed": fixed_lately(session, actor, today - WINDOW),
        "since": today - WINDOW,
        **latest_runs(session),
    }


def told(session: Session, actor: Actor, now: datetime) -> dict[str, Any]:
    """The latest notices that the person has not read."""
    unread = [notice for notice, was_read in notices_for(session, actor, now, limit=30) if not was_read]
    return {"notices": unread[:5], "unread": len(unread)}


def guarding(session: Session, actor: Actor) -> dict[str, int]:
    """What waits for those who guard the platform: alarms not acknowledged, changes of grants to be approved, incidents under way."""
    found: dict[str, int] = {}
    if may(actor, "duty.read"):
        waiting = select(func.count()).select_from(SecurityAlarm).where(SecurityAlarm.acknowledged_at.is_(None))
        found["alarms"] = session.scalar(waiting) or 0
        found["incidents"] = _waiting(session, actor, "incident")
    if may(actor, "account.manage"):
        found["changes"] = _waiting(session, actor, "grant_change")
    return found


def _waiting(session: Session, actor: Actor, process: str) -> int:
    mine = select(func.count()).select_from(Case).where(Case.process == process, Case.open, readable(actor))
    return session.scalar(mine) or 0


def regions_in_scope(seen: View) -> list[dict[str, Any]]:
    """Each county in scope: units in all, units with problems, open red and yellow tickets, lamp."""
    of_region: dict[str, list[int]] = {}
    for node in seen.units():
        of_region.setdefault(node.district, []).append(node.id)
    return [_region(code, region_title(code), seen.tree, ids) for code, ids in sorted(of_region.items())]


def _region(code: str, name: str, tree: Tree, unit_ids: list[int]) -> dict[str, Any]:
    total = tree.sum(unit_ids)
    return {
        "code": code,
        "name": name,
        "all": len(unit_ids),
        "units": sum(1 for unit_id in unit_ids if tree.own_count(unit_id).all),
        "red": total.red,
        "yellow": total.yellow,
        "lamp": total.lamp,
    }


def worst_units(seen: View, limit: int = 10) -> list[dict[str, Any]]:
    """The units in scope with most red tickets, then most yellow ones."""
    counted = ((node, seen.tree.own_count(node.id)) for node in seen.units())
    wrong = sorted(
        ((node, count) for node, count in counted if count.all),
        key=lambda pair: (-pair[1].red, -pair[1].yellow, pair[0].code),
    )
    return [{"unit_code": n.code, "name": n.name, "red": c.red, "yellow": c.yellow} for n, c in wrong[:limit]]


def waiting(session: Session, actor: Actor, limit: int = 8) -> Sequence[Row[Any]]:
    """Open cases that wait for one of the person's roles, earliest first; tickets are not among them."""
    statement = (
        select(Case.id, Case.process, Case.title, Case.state, Case.opened_at, Case.due_at, UNIT.name.label("unit_name"))
        .outerjoin(TABLES["unit"], UNIT.id == Case.unit_id)
        .where(Case.open, Case.process != RECTIFICATION, in_reach(actor.inboxes()))
    )
    return session.execute(statement.order_by(Case.opened_at, Case.id).limit(limit)).all()


def platform_state(session: Session) -> dict[str, Any]:
    """Signs of life and failed daily jobs: what an administrator looks at first."""
    return {
        "heartbeats": session.scalars(select(Heartbeat).order_by(Heartbeat.name)).all(),
        "jobs": session.scalars(
            select(DailyJob).order_by(DailyJob.business_date.desc(), DailyJob.due_at.desc()).limit(10)
        ).all(),
    }
