"""Which exports are unusual (办法17, 办法19): for that person against the own past, at odd hours, in parts below the number that needs a request. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.audit.models import ROW
from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.moments import local_midnight_utc
from workflow.casework.report_operations import PERSONAL
from workflow.clock import SHANGHAI, business_date
from workflow.duty.alarms import Alarm
from workflow.engine.sets import grouped
from workflow.policy import Policy

USUAL = 28  # days before today whose exports are the person's usual
ACT = "请向本人核实用途和去向；没有正当理由的，收回会话、停用账号。"


class Export(NamedTuple):
    """One export as the audit chain has it: by whom, when, of which data set, how many records."""

    account: str
    at: datetime
    dataset: str
    rows: int


def export_alarms(session: Session, policy: Policy, calendar: WorkCalendar, now: datetime) -> list[Alarm]:
    """The accounts whose exports of today are unusual, each cause once a day."""
    today = business_date(now)
    by_account = grouped((each.account, each) for each in _exports(session, local_midnight_utc(today), now))
    found: list[Alarm] = []
    for account, taken in by_account.items():
        said = {
            "volume": _volume(session, policy, account, taken, now),
            "hours": _hours(policy, calendar, taken),
            "parts": _parts(policy, taken),
        }
        found += [
            Alarm("export", f"{account}:{name}", today.isoformat(), f"账号 {account} {says}。{ACT}", {name: n})
            for name, (n, says) in said.items()
            if n
        ]
    return found


def _exports(session: Session, since: datetime, until: datetime, account: str = "") -> list[Export]:
    done = select(ROW.c.actor, ROW.c.at, ROW.c.object_kind, ROW.c.summary).where(
        ROW.c.action == "export.run", ROW.c.result == "done", ROW.c.at >= since, ROW.c.at <= until
    )
    if account:
        done = done.where(ROW.c.actor == account)
    return [Export(*row[:3], _rows(row.summary)) for row in session.execute(done.order_by(ROW.c.seq))]


def _rows(summary: str) -> int:
    rows = orjson.loads(summary).get("rows")
    return rows if isinstance(rows, int) else 0


def _volume(
    session: Session, policy: Policy, account: str, taken: Iterable[Export], now: datetime
) -> tuple[int, str]:  # fmt: skip
    """Records of today, where they are many and many times what the person takes on a day on which there are exports at all."""
    n, least, times = (
        sum(each.rows for each in taken),
        policy.count("alarm.export_rows"),
        policy.count("alarm.export_times"),
    )
    if n <= least:
        return 0, ""
    midnight = local_midnight_utc(business_date(now))
    past = _exports(session, midnight - timedelta(USUAL), midnight - timedelta(microseconds=1), account)
    days = {business_date(each.at) for each in past}
    usual = sum(each.rows for each in past) / len(days) if days else 0
    if n <= times * usual:
        return 0, ""
    return n, f"今日导出 {n} 条，此前 {USUAL} 天{f'每个导出日平均 {usual:.0f} 条' if days else '没有导出'}"


def _hours(policy: Policy, calendar: WorkCalendar, taken: Iterable[Export]) -> tuple[int, str]:
    """Records taken in the quiet hours or on a day off."""
    odd = [each for each in taken if each.rows and _off_hours(policy, calendar, each.at)]
    n = sum(each.rows for each in odd)
    if n <= policy.count("alarm.export_night"):
        return 0, ""
    return n, f"在夜间或者非工作日导出 {n} 条（最近一次 {odd[-1].at.astimezone(SHANGHAI):%H:%M}）"


def _off_hours(policy: Policy, calendar: WorkCalendar, at: datetime) -> bool:
    local = at.astimezone(SHANGHAI)
    return policy.is_quiet(local.time()) or not calendar.is_working(local.date()).working


def _parts(policy: Policy, taken: Iterable[Export]) -> tuple[int, str]:
    """Records of people taken in several parts, none of which needs a request while all of them together would."""
    most = policy.count("report.export_people")
    small = [each for each in taken if each.dataset in PERSONAL and 0 < each.rows <= most]
    n = sum(each.rows for each in small)
    if len(small) <= policy.count("alarm.export_parts") or n <= most:
        return 0, ""
    return n, f"今日分 {len(small)} 次导出个人数据共 {n} 条，每次都不超过 {most} 条，可能在规避请示"
