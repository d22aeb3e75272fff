"""Security alarms as rows (办法19 日常安全监控): kept once a number, acknowledged by a person, and once. Who finds them tells whom they concern."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from workflow.access.models import SecurityAlarm
from workflow.audit.notes import note, told
from workflow.errors import BadInput, Conflict, NotFound

CAUSES = {
    "chain": "审计链不相符",
    "backup": "备份缺失",
    "reading": "大量查看或导出",
    "export": "异常导出",
    "lockout": "集中锁定账号",
    "networks": "同时从两个网络使用",
    "emergency": "应急账号登录",
    "red": "红灯激增",
    "duty": "月排查、季更新缺失",
}
INCIDENTS = {  # cause → kind of the incident (incident.yaml) where it is called otherwise
    "export": "reading",
    "networks": "intrusion",
    "emergency": "other",
    "duty": "other",
}
LINK = 200  # letters that a notice's link may have


def keep_alarm(
    session: Session, cause: str, key: str, says: str, now: datetime, figures: Mapping[str, Any] | None = None
) -> bool:
    """Keep an alarm and note it; False where one of that number is there already."""
    if session.scalar(select(SecurityAlarm.id).where(SecurityAlarm.key == key)) is not None:
        return False
    row = {"key": key[:160], "cause": cause, "says": says[:1000], "at": now, "remark": ""}
    session.execute(insert(SecurityAlarm), [row])
    note(session, "alarm.raise", at=now, actor="clock", kind="alarm", key=key, summary=figures)
    return True


def acknowledge(session: Session, alarm_id: int, *, by: str, now: datetime, remark: str) -> SecurityAlarm:
    """Somebody has seen to an alarm and says what it was. Raises NotFound, BadInput without a word on it, Conflict for the second."""
    if session.get(SecurityAlarm, alarm_id) is None:
        raise NotFound
    remark = remark.strip()[:200]
    if not remark:
        raise BadInput("请写明核实情况")
    waiting = (SecurityAlarm.id == alarm_id, SecurityAlarm.acknowledged_at.is_(None))
    taken = update(SecurityAlarm).where(*waiting).values(acknowledged_by=by, acknowledged_at=now, remark=remark)
    first = session.execute(taken.returning(SecurityAlarm.id)).first()
    row = session.get_one(SecurityAlarm, alarm_id, populate_existing=True)
    if first is None:
        raise Conflict(f"{row.acknowledged_by} 已确认这一告警")
    note(session, "alarm.acknowledge", at=now, actor=by, kind="alarm", key=row.key, summary={"remark": told(remark)})
    return row


def incident_link(cause: str, key: str) -> str:
    """Where an incident is reported from an alarm, its number and kind filled in."""
    link = f"/matters/incident/new?kind={INCIDENTS.get(cause, cause)}&source=alarm&alarm={key}"
    return link if len(link) <= LINK else "/matters/incident/new"
