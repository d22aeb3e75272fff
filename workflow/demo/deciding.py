"""Proposals to suspend (办法21) as their leaders decide them: most confirmed, some waived, the latest still open. Through the process."""

from __future__ import annotations

from datetime import datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.scopes import CITY, actor_named
from workflow.clock import SHANGHAI, business_date
from workflow.engine.models import Case
from workflow.engine.steps import require_moved, take_step
from workflow.registry.tables import TABLES

PROCESS = "suspension"
WAIVED = "单位正在集中整改，视情暂不暂停，下一整改周期未改的再议。（演示数据）"
EVERY_THIRD = 3  # is waived


def decide_proposals(session: Session, now: datetime) -> int:
    """What was proposed before today is decided by the leader of the unit's district. Returns how many were decided."""
    midnight = datetime.combine(business_date(now), time(0), SHANGHAI)
    unit = TABLES["unit"].c
    waiting = (
        select(Case.id, unit.district_code)
        .join(TABLES["unit"], unit.id == Case.unit_id)
        .where(Case.process == PROCESS, Case.state == "proposed", Case.opened_at < midnight)
        .order_by(Case.id)
    )
    proposals = session.execute(waiting).all()
    for number, (case_id, district) in enumerate(proposals):
        leader = actor_named(session, "leader" if district == CITY else f"leader@{district}", now)
        do, reason = ("waive", WAIVED) if number % EVERY_THIRD == EVERY_THIRD - 1 else ("confirm", None)
        require_moved(take_step(session, PROCESS, do, [case_id], now=now, actor=leader, reason=reason))
    return len(proposals)
