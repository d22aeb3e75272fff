"""Facts about exports and readings, versions, backups and incidents for the check-lists (办法15, 办法18, 办法19). Reads only."""

from __future__ import annotations

import platform
import ssl
from collections import Counter
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version

import orjson
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from workflow.access.models import SecurityAlarm, SensitiveReading
from workflow.audit.models import ROW
from workflow.calendar.calendar import shipped_calendar
from workflow.clock import SHANGHAI
from workflow.duty.facts import Fact, Period, item, told_most
from workflow.engine.models import CASE
from workflow.operations.models import DailyJob
from workflow.policy import shipped_policies

PACKAGES = ("flask", "werkzeug", "jinja2", "sqlalchemy", "cryptography", "argon2-cffi", "redis", "rq", "openpyxl")
BACKUP, VERIFY = "backup", "backup_verify"  # daily jobs
MANY = 20  # ID numbers that one account looked up in a period and that deserve a look


@item("unusual_exports", "异常导出和查看")
def unusual_exports(session: Session, period: Period) -> list[Fact]:
    """Exports as the audit chain has them: by whom, how large, at what hours; and who looked up ID numbers."""
    exported = select(ROW.c.at, ROW.c.actor, ROW.c.summary).where(
        ROW.c.action == "export.run", ROW.c.result == "done", period.holds(ROW.c.at)
    )
    policy, calendar = shipped_policies().city, shipped_calendar()
    most, large, late, by_account = policy.count("report.export_people"), 0, 0, Counter[str]()
    for at, actor, summary in session.execute(exported):
        by_account[actor] += 1
        rows, local = orjson.loads(summary).get("rows", 0), at.astimezone(SHANGHAI)
        large += isinstance(rows, int) and rows > most
        late += policy.is_quiet(local.time()) or not calendar.is_working(local.date()).working
    read = select(SensitiveReading.account, func.count()).where(period.holds(SensitiveReading.at))
    readers = {row[0]: row[1] for row in session.execute(read.group_by(SensitiveReading.account))}
    often = {name: n for name, n in readers.items() if n >= MANY}
    raised, seen_to = session.execute(
        select(func.count(), func.count(SecurityAlarm.acknowledged_at)).where(period.holds(SecurityAlarm.at))
    ).one()
    return [
        Fact(f"导出 {by_account.total()} 次{'：' + told_most(by_account) if by_account else ''}"),
        Fact(f"一次超过 {most} 条的 {large} 次", large > 0),
        Fact(f"夜间或非工作日导出 {late} 次", late > 0),
        Fact(
            f"查看完整身份证号 {sum(readers.values())} 次{'，其中 ' + told_most(often) if often else ''}", bool(often)
        ),
        Fact(f"安全告警 {raised} 次，尚未确认 {raised - seen_to} 次", raised > seen_to),
    ]


@item("patch_level", "补丁版本")
def patch_level(session: Session, period: Period) -> list[Fact]:
    """What is installed, to be compared with what the makers have published since."""
    asked = "show server_version" if session.get_bind().dialect.name == "postgresql" else "select sqlite_version()"
    name = "PostgreSQL" if asked.startswith("show") else "SQLite"
    database = f"{name} {session.scalar(text(asked))}"
    own = f"三灯 {_version('sandeng')}、Python {platform.python_version()}、{ssl.OPENSSL_VERSION}、{database}"
    return [
        Fact(own),
        Fact(f"主要组件：{'、'.join(f'{package} {_version(package)}' for package in PACKAGES)}"),
        Fact("请与各组件的安全公告核对，有未安装的安全补丁即为异常"),
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "未安装"


@item("backup_drill", "备份演练")
def backup_drill(session: Session, period: Period) -> list[Fact]:
    """The daily backups and the restores that proved them, as their daily jobs tell."""
    listed = select(DailyJob).where(DailyJob.job.in_((BACKUP, VERIFY)), period.holds_day(DailyJob.business_date))
    jobs = session.scalars(listed.order_by(DailyJob.business_date)).all()
    days = ((period.last - period.first) + timedelta(1)).days
    facts = []
    for job, title in ((BACKUP, "备份"), (VERIFY, "恢复验证")):
        mine = [one for one in jobs if one.job == job]
        done = [one for one in mine if one.state == "done" and "skipped" not in one.outcome]
        failed = sum(one.state == "failed" for one in mine)
        last = f"，最近一次成功 {done[-1].business_date}" if done else ""
        says = f"{title}：{days} 天中完成 {len(done)} 天、失败 {failed} 天、未做 {days - len(done) - failed} 天{last}"
        facts.append(Fact(says, len(done) < days))
    return facts


@item("plan", "应急预案")
def plan(session: Session, period: Period) -> list[Fact]:
    """What happened in the period that the emergency plan should have learnt from."""
    opened = select(func.count()).where(CASE.c.process == "incident", period.holds(CASE.c.opened_at))
    still = select(func.count()).where(CASE.c.process == "incident", CASE.c.open)
    return [Fact(f"期间报告安全事件 {session.scalar(opened) or 0} 起，尚未办结 {(waiting := session.scalar(still) or 0)} 起", waiting > 0)]  # fmt: skip
