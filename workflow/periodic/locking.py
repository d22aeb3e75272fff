"""The lock on a unit's month (办法10(三), 办法17): a snapshot under a SHA-256, and the question whether a month is locked.

After the lock a change as of that month is 重要数据: it needs a report_request first (readings 5.5).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import insert, literal, select, union_all
from sqlalchemy.orm import Session

from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among, grouped
from workflow.engine.verdicts import Verdict
from workflow.periodic.consistency import discrepancies
from workflow.periodic.figures import Figures, figures_of
from workflow.periodic.models import ITEM, REPORT, SNAPSHOT, MonthSnapshot
from workflow.periodic.months import last_day, month_of
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

BASIS = "办法10(三)"
Versions = dict[str, dict[str, int]]  # data set → key → version


@dataclass(frozen=True)
class Verified:
    """A snapshot against its own digest and against the records of today: (data set, key, version then, version now)."""

    intact: bool
    changed: list[tuple[str, str, int | None, int | None]]


def month_locked(session: Session, unit_id: int, month: str) -> MonthSnapshot | None:
    """The snapshot of a unit's month (YYYY-MM) where it is locked; None where it is not."""
    found = select(MonthSnapshot).where(MonthSnapshot.unit_id == unit_id, MonthSnapshot.month == month)
    return session.scalars(found).one_or_none()


def locked_verdict(session: Session, unit_id: int, effective_on: date) -> Verdict:
    """Whether a change of a unit's record as of a day may be made without 请示 (办法17): not in a locked month."""
    month = month_of(effective_on)
    snapshot = month_locked(session, unit_id, month)
    says = f"{month} 月报尚未锁定" if snapshot is None else f"{month} 月报已锁定，更正该月数据属重要数据调整，须先请示"
    facts = [] if snapshot is None else [{"record": month, "field": "sha256", "value": snapshot.sha256}]
    since = None if snapshot is None else snapshot.locked_at.date()
    link = "" if snapshot is None else f"/monthly/{snapshot.case_id}"
    return Verdict("month_is_not_locked", snapshot is None, says, facts, "办法17", since, "leader", link=link)


def locked_months(session: Session, unit_id: int) -> list[str]:
    """The locked months of a unit, newest first."""
    mine = select(SNAPSHOT.c.month).where(SNAPSHOT.c.unit_id == unit_id)
    return list(session.scalars(mine.order_by(SNAPSHOT.c.month.desc())))


def figures_locked(session: Session, unit_ids: Collection[int], month: str) -> dict[int, Figures]:
    """Unit id → the figures of its locked month, for those that have one."""
    mine = select(SNAPSHOT.c.unit_id, SNAPSHOT.c.content).where(
        SNAPSHOT.c.month == month, among(session, SNAPSHOT.c.unit_id, unit_ids)
    )
    return {row.unit_id: json.loads(row.content)["figures"] for row in session.execute(mine)}


def canonical(content: Mapping[str, Any]) -> str:
    """One text for one content: keys sorted, no spaces, UTF-8 as it is."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def digest(text: str) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def verify(session: Session, snapshot: MonthSnapshot) -> Verified:
    """Hashes the content again and compares the versions that it names with those of today."""
    then: Versions = json.loads(snapshot.content)["records"]
    now = versions_of(session, [snapshot.unit_id])[snapshot.unit_id]
    changed = [
        (name, key, then.get(name, {}).get(key), now.get(name, {}).get(key))
        for name in dictionary().datasets
        for key in sorted({*then.get(name, {}), *now.get(name, {})})
        if then.get(name, {}).get(key) != now.get(name, {}).get(key)
    ]  # fmt: skip
    return Verified(digest(snapshot.content) == snapshot.sha256, changed)


def versions_of(session: Session, unit_ids: Collection[int]) -> dict[int, Versions]:
    """Unit id → data set → key → version of every present record. One statement."""
    parts = []
    for name, described in dictionary().datasets.items():
        table = TABLES[name].c
        own = table[described.fields[described.unit].column] if described.unit else table.id
        present = select(literal(name), own, table[described.key], table.version)
        parts.append(present.where(among(session, own, unit_ids), table.removed_on.is_(None)))
    found: dict[int, Versions] = {unit_id: {} for unit_id in unit_ids}
    for name, unit_id, key, version in session.execute(union_all(*parts)):
        found[unit_id].setdefault(name, {})[key] = version
    return found


@guard("month_is_over")
def month_is_over(context: StepContext) -> dict[int, list[Verdict]]:
    """A month is locked after its last day."""
    today = context.today
    return {case.id: judged("month_is_over", {"month": case.data["month"], "today": today}) for case in context.cases}


@judge_of("month_is_over")
def _over(facts: Facts) -> Verdict:
    last = last_day(facts["month"])
    over = date.fromisoformat(facts["today"]) > last
    says = f"{facts['month']} 已结束" if over else f"{facts['month']} 尚未结束，{last} 之后方可锁定"
    earliest = None if over else date.fromordinal(last.toordinal() + 1)
    return Verdict("month_is_over", over, says, basis=BASIS, earliest=earliest)


@guard("city_and_county_agree")
def city_and_county_agree(context: StepContext) -> dict[int, list[Verdict]]:
    """市县数据贯通校验: nothing of the unit disagrees with the ledger or with another unit."""
    found: dict[tuple[str, int | None], list[Any]] = {}
    for month, cases in grouped((case.data["month"], case.unit_id) for case in context.cases).items():
        units = {unit_id for unit_id in cases if unit_id is not None}
        found |= grouped(((month, d.unit_id), d) for d in discrepancies(context.session, month, units=units))
    verdicts = {}
    for case in context.cases:
        ours = found.get((case.data["month"], case.unit_id), [])
        listed = [{"record": one.key, "kind": one.kind, "says": one.says} for one in ours[:20]]
        verdicts[case.id] = judged("city_and_county_agree", {"month": case.data["month"], "discrepancies": listed})
    return verdicts


@judge_of("city_and_county_agree")
def _agree(facts: Facts) -> list[Verdict]:
    name, link = "city_and_county_agree", f"/monthly/consistency?month={facts['month']}"
    return [
        Verdict(name, False, one["says"], [{"record": one["record"], "field": one["kind"]}], BASIS, clears_by="reviewer", link=link)
        for one in facts["discrepancies"]
    ] or [Verdict(name, True, "市县贯通校验一致", basis=BASIS, link=link)]  # fmt: skip


@effect("lock_month")
def lock_month(context: StepContext) -> None:
    """Writes the snapshots: figures as of the month's last day, the items with their answers, the versions of the records."""
    session = context.session
    for month, cases in grouped((case.data["month"], case) for case in context.cases).items():
        units = [case.unit_id for case in cases if case.unit_id is not None]
        figures, records = figures_of(session, units, last_day(month)), versions_of(session, units)
        told = select(*ITEM.c).where(among(session, ITEM.c.case_id, [c.id for c in cases])).order_by(ITEM.c.id)
        items = grouped((row.case_id, row) for row in session.execute(told))
        reports = select(REPORT).where(among(session, REPORT.c.case_id, [case.id for case in cases]))
        rows = [
            _snapshot(context, report, figures[report.unit_id], records[report.unit_id], items.get(report.case_id, []))
            for report in session.execute(reports)
        ]  # fmt: skip
        session.execute(insert(SNAPSHOT), rows)
        for row in rows:
            case = next(c for c in cases if c.id == row["case_id"])
            context.keep(case, sha256=row["sha256"])


def _snapshot(context: StepContext, report: Any, figures: Figures, records: Versions, items: list[Any]) -> dict[str, Any]:  # fmt: skip
    case = next(c for c in context.cases if c.id == report.case_id)
    text = canonical(
        {
            "unit": case.subject.partition(":")[0],
            "month": report.month,
            "as_of": last_day(report.month),
            "figures": figures,
            "items": [[i.kind, i.key, i.says, i.answer, i.text, i.answered_by] for i in items],
            "records": records,
            "confirmed": [report.confirmer, report.confirmed_on],
            "late_on": report.late_on,
            "explained": context.request.reason,
        }
    )
    return {
        "case_id": report.case_id, "unit_id": report.unit_id, "month": report.month, "content": text,
        "sha256": digest(text), "locked_at": context.now, "locked_by": context.account,
    }  # fmt: skip


def any_locked(session: Session, unit_ids: Collection[int], months: Collection[str]) -> set[tuple[int, str]]:
    """Those (unit id, month) pairs that are locked: for batches of changes. One statement."""
    wanted = select(SNAPSHOT.c.unit_id, SNAPSHOT.c.month).where(
        among(session, SNAPSHOT.c.unit_id, unit_ids), SNAPSHOT.c.month.in_(sorted(months))
    )
    return {(row.unit_id, row.month) for row in session.execute(wanted)}
