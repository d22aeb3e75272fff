"""Alarms for the security officers (办法19 日常安全监控): a broken audit chain, missing backups, mass reading, lock-out bursts, red surges.

Each detector reads rows and says what it found; one alarm a cause, subject and period, kept as a row and an audit entry and told at once,
at night too. What exports are unusual stands in workflow.duty.exports.
What stands in files (backups, the signer's key) is handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.access.accounts import LOCKED_FOR
from workflow.access.alarms import CAUSES, incident_link, keep_alarm
from workflow.access.models import Account, SensitiveReading
from workflow.audit.chain import head
from workflow.audit.models import ROW
from workflow.audit.verify import Verification, verify
from workflow.calendar.calendar import WorkCalendar, shipped_calendar
from workflow.clock import SHANGHAI, business_date
from workflow.operations.models import DailyJob
from workflow.operations.notices import post
from workflow.policy import Policy, shipped_policies
from workflow.quality.models import ENTRY

TOLD = {"backup": ("security", "sysadmin"), "duty": ("security", "auditor")}  # further causes: the security officers
ACTION = "alarm.raise"
STRETCH = 2000  # entries of the chain walked at each look
HOUR = timedelta(hours=1)
FIRST_BACKUP = timedelta(hours=25)  # after the first entry of the chain a daily backup must have been made
BURST = timedelta(minutes=10)  # within which locked accounts count as one burst
USUAL = 28  # days before today whose red lights are the usual


@dataclass(frozen=True)
class Alarm:
    """What is wrong: cause, whom or what it concerns, the period in which it is told once, the sentence, the figures."""

    cause: str
    subject: str
    period: str
    says: str
    figures: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The number of the alarm, as notice, audit entry and incident name it."""
        return ":".join(part for part in (self.cause, self.subject, self.period) if part)


class Seen(NamedTuple):
    """The end of the chain at the last look: an entry that may neither vanish nor change."""

    seq: int
    hash: str


def chain_alarms(session: Session, public_key: str, seen: Seen | None, now: datetime) -> tuple[list[Alarm], Seen]:
    """The last stretch of the chain against itself, its head, and the end that the last look saw."""
    last = head(session)
    begin = last.seq - STRETCH
    there = begin > 0 and session.scalar(select(ROW.c.seq).where(ROW.c.seq == begin)) is not None
    found = verify(session, (), public_key, after=begin if there else None)
    if seen and seen.seq and session.scalar(select(ROW.c.hash).where(ROW.c.seq == seen.seq)) != seen.hash:
        found.add(seen.seq, "truncated" if last.seq < seen.seq else "content")
    return broken_alarms(found, now), Seen(last.seq, last.hash)


def broken_alarms(found: Verification, now: datetime) -> list[Alarm]:
    """What a verification found wrong, whichever walk it was: of the newest entries, of all of them against the anchors."""
    if found.ok:
        return []
    says = f"{found.problems[0].says}，共 {found.found} 处。请停止可疑账号、保全现场，并由审计员全量核对。"
    figures = {"problems": found.found, "seq": found.problems[0].seq}
    return [Alarm("chain", "", business_date(now).isoformat(), says, figures)]


def holder_alarms(failed: Sequence[str], lost: Sequence[str], now: datetime) -> list[Alarm]:
    """Holders of anchors that cannot be written (`failed`), and those whose anchors are gone while another's are there (`lost`)."""
    told = [f"{'、'.join(failed)} 写不进去" if failed else "", f"{'、'.join(lost)} 中原有的锚点不见了" if lost else ""]
    if not any(told):
        return []
    says = f"审计链锚点的保存处有异常：{'；'.join(one for one in told if one)}。请查明原因；锚点少于两处，审计链被改写后难以发现。"
    return [Alarm("chain", "holder", business_date(now).isoformat(), says, {"holders": len({*failed, *lost})})]


def backup_alarms(
    session: Session, missing: Sequence[str], made: bool, now: datetime, *, production: bool = False
) -> list[Alarm]:
    """What is missing of the backups, once any was ever made; in production also where none was by the end of its first day.

    `made`: whether one is there now.
    """
    due = made or _ever_made(session) or (production and _runs_since(session, now - FIRST_BACKUP))
    if not missing or not due:
        return []
    return [Alarm("backup", "", business_date(now).isoformat(), "；".join(missing), {"missing": len(missing)})]


def _ever_made(session: Session) -> bool:
    done = select(DailyJob.outcome).where(DailyJob.job == "backup", DailyJob.state == "done")
    return any(
        "backup" in outcome for outcome in session.scalars(done.order_by(DailyJob.business_date.desc()).limit(30))
    )


def _runs_since(session: Session, moment: datetime) -> bool:
    begun = session.scalar(select(func.min(ROW.c.at)))
    return begun is not None and begun < moment


def reading_alarms(session: Session, policy: Policy, now: datetime) -> list[Alarm]:
    """Accounts that within the last hour showed more ID numbers, or exported more often, than the policy has it (办法16, 办法17)."""
    read = select(SensitiveReading.account, func.count()).where(SensitiveReading.at > now - HOUR)
    taken = select(ROW.c.actor, func.count()).where(
        ROW.c.action == "export.run", ROW.c.result == "done", ROW.c.at > now - HOUR
    )
    counted = (
        ("readings", "查看完整身份证号", read.group_by(SensitiveReading.account)),
        ("exports", "导出数据", taken.group_by(ROW.c.actor)),
    )
    hour, told = _hour(now), list[Alarm]()
    for name, what, statement in counted:
        most = policy.count(f"alarm.{name}")
        for account, n in session.execute(statement).all():
            if n > most:
                says = f"账号 {account} 一小时内{what} {n} 次，超过 {most} 次。请向本人核实；不是本人或者没有正当理由的，收回会话、停用账号。"
                told.append(Alarm("reading", f"{account}:{name}", hour, says, {name: n}))
    return told


def lockout_alarms(session: Session, policy: Policy, now: datetime) -> list[Alarm]:
    """More accounts locked by wrong passwords within ten minutes than the policy has it."""
    locked = select(func.count()).where(Account.locked_until > now + LOCKED_FOR - BURST, Account.locked_until <= now + LOCKED_FOR)  # fmt: skip
    n, most = session.scalar(locked) or 0, policy.count("alarm.lockouts")
    if n <= most:
        return []
    says = f"十分钟内有 {n} 个账号因连续登录失败被锁定，超过 {most} 个，可能有人在试探密码。请核对来源地址。"
    return [Alarm("lockout", "", _hour(now), says, {"accounts": n})]


def red_alarms(session: Session, policy: Policy, calendar: WorkCalendar, now: datetime) -> list[Alarm]:
    """Red lights of today against those of a usual working day: many, and many times the usual."""
    today = business_date(now)
    days = [today - timedelta(n) for n in range(1, USUAL + 1)]
    lit = select(ENTRY.c.entered_on, func.count()).where(ENTRY.c.entered_on >= days[-1], ENTRY.c.entered_on <= today)
    by_day = Counter({row[0]: row[1] for row in session.execute(lit.group_by(ENTRY.c.entered_on))})
    working = sum(calendar.is_working(day).working for day in days) or 1
    usual, n = sum(by_day[day] for day in days) / working, by_day[today]
    least, times = policy.count("alarm.reds"), policy.count("alarm.red_times")
    if n <= least or n <= times * usual:
        return []
    says = (
        f"今日新亮红灯 {n} 个，此前 {USUAL} 天平均每个工作日 {usual:.1f} 个。请核对是否有批量改动、误导入或者规则变更。"
    )
    return [Alarm("red", "", today.isoformat(), says, {"red": n, "usual": round(usual)})]


def _hour(now: datetime) -> str:
    return f"{now.astimezone(SHANGHAI):%Y-%m-%dT%H}"


def raise_new(session: Session, found: Iterable[Alarm], now: datetime) -> list[str]:
    """Note and tell the alarms that were not raised before; returns their numbers.

    Each is one audit entry and one notice to whoever guards the platform, shown at once, from which an incident can be opened.
    """
    alarms = {alarm.key: alarm for alarm in found}
    alarms = {
        key: alarm
        for key, alarm in alarms.items()
        if keep_alarm(session, alarm.cause, key, alarm.says, now, alarm.figures)
    }
    items = [item for alarm in alarms.values() for item in _told(alarm)]
    post(session, items, now, shipped_policies(), shipped_calendar())
    return list(alarms)


def _told(alarm: Alarm) -> list[dict[str, object]]:
    one = {
        "kind": f"alarm.{alarm.cause}",
        "title": f"安全告警：{CAUSES[alarm.cause]}",
        "says": f"{alarm.says}打开本通知可据此报告安全事件（告警编号 {alarm.key}）。",
        "link": incident_link(alarm.cause, alarm.key),
        "gather": alarm.key[:80],
        "urgent": True,
    }
    return [one | {"role": role} for role in TOLD.get(alarm.cause, ("security",))]
