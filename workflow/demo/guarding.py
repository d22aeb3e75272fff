"""What those who guard the platform did lately: a month's check awaiting its second person, an incident under way, a grant awaiting approval (办法15, 办法16, 办法19)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from workflow.access.alarms import acknowledge
from workflow.access.models import SecurityAlarm
from workflow.casework.granting import propose
from workflow.demo.doing import NOTE, UNIT, Doing
from workflow.duty.alarms import Alarm, raise_new
from workflow.duty.checking import MONTHLY, open_due_checks
from workflow.duty.facts import READERS
from workflow.engine.registry import book

OFFICER, SECOND, INCIDENT = "security", "security2", "incident"


def check_last_month(doing: Doing) -> None:
    """The check of the month before is judged item by item and submitted: the auditor is to confirm it."""
    open_due_checks(doing.session, doing.today.replace(day=1), doing.now)
    items = [field.name for field in book().process(MONTHLY).form if field.name in READERS]
    filled = dict.fromkeys(items, "fine") | {f"{name}_note": f"与平台数据核对一致{NOTE}" for name in items}
    filled |= {
        "backup_drill": "odd",
        "backup_drill_note": f"演示环境尚未连续备份{NOTE}",
        "backup_drill_measure": f"系统管理员本月起每日备份并按周验证{NOTE}",
    }
    for case in doing.cases(MONTHLY, "checking")[:1]:
        doing.step(MONTHLY, "edit", case.id, OFFICER, inputs=filled)
        doing.step(MONTHLY, "submit", case.id, OFFICER)


def report_an_incident(doing: Doing) -> None:
    """An alarm about exports, acknowledged and reported as an incident."""
    clerk = f"clerk@{_some_unit(doing)}"
    says = f"账号 {clerk} 今日分 5 次导出个人数据共 180 条，每次都不超过 50 条，可能在规避请示{NOTE}。请向本人核实用途和去向。"
    alarm = Alarm("export", f"{clerk}:parts", doing.today.isoformat(), says, {"parts": 180})
    if not raise_new(doing.session, [alarm], doing.now):
        return
    kept = doing.session.scalars(select(SecurityAlarm.id).where(SecurityAlarm.key == alarm.key)).one()
    acknowledge(
        doing.session,
        kept,
        by=OFFICER,
        now=doing.now + timedelta(minutes=20),
        remark=f"已联系本人，转安全事件处置{NOTE}",
    )
    doing.open(
        INCIDENT, None, OFFICER, kind="reading", level="general", source="alarm", alarm=alarm.key,
        found_on=doing.today.isoformat(), what=f"{says}本人称用于年度汇总，未履行请示。", reach=f"账号 {clerk}，实有人员数据集",
    )  # fmt: skip


def contain_the_incident(doing: Doing) -> None:
    """Its first step: what was done at once; the cause is still to be removed."""
    for case in doing.cases(INCIDENT, "reported")[:1]:
        how = {"contained_how": f"收回会话，封存已导出的文件，停止该账号导出{NOTE}"}
        doing.step(INCIDENT, "contain", case.id, SECOND, inputs=how)


def ask_for_a_grant(doing: Doing) -> None:
    """A second clerk for a unit: proposed, to be approved by the other officer."""
    code = _some_unit(doing)
    texts = {
        "kind": "grant",
        "account": f"head@{code}",
        "role": "unit_clerk",
        "at_unit": code,
        "why": f"经办人休假期间兼办{NOTE}",
    }
    propose(doing.session, doing.actor(OFFICER), texts, doing.now)


def _some_unit(doing: Doing) -> str:
    living = select(UNIT.unit_code).where(UNIT.removed_on.is_(None)).order_by(UNIT.unit_code)
    return str(doing.session.scalars(living.limit(1)).one())
