"""Accounts that nobody should have any more: their holder left, their unit was closed, or nobody used them for ninety days (办法16).

Leaving is judged in the very transaction that writes the record; the daily job looks again at everybody. Each one is noted and told.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Select, String, exists, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from workflow.access.accounts import disable
from workflow.access.models import Account, BreakGlass, LoginSession
from workflow.access.telling import tell_security
from workflow.clock import business_date
from workflow.registry.dictionary import dictionary
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

DORMANT = timedelta(days=90)
NEARLY = timedelta(days=60)  # unused for that long: disabled within a month
LEFT = {
    "person": ("estab_status", "出编"),
    "contract": ("status", "离职"),
}  # data set → field and code by which somebody has left
WHY = {
    "removed": "人员记录已移除",
    "left": "人员已出编或离职",
    "moved": "人员已调离本单位",
    "unit_closed": "所在单位已撤销",
    "dormant": "连续 90 天未登录",
}


class Gone(NamedTuple):
    """An account to be disabled, its unit, and why."""

    account: str
    unit_id: int | None
    why: str


def disable_departed(session: Session, now: datetime, *, by: str = "system", datasets: Iterable[str] = TABLES) -> int:
    """Disable the accounts of who has left, as the records of these data sets say; returns how many."""
    found: dict[str, Gone] = {}
    for dataset in datasets:
        for query in _queries(dataset):
            for row in session.execute(query.where(_enabled(now))):
                found.setdefault(row.name, Gone(row.name, row.unit_id, row.why))
    return _disable(session, found.values(), now, by)


def disable_dormant(session: Session, now: datetime, *, by: str = "system") -> int:
    """Disable the accounts that nobody has used for ninety days; returns how many.

    Not those for emergencies, which are there to be unused.
    """
    since = now - DORMANT
    used = exists().where(LoginSession.account == Account.name, LoginSession.seen_at >= since)
    emergency = exists().where(BreakGlass.account == Account.name)
    idle = select(Account.name, Account.unit_id).where(
        _enabled(now), ~used, ~emergency, func.coalesce(Account.enabled_at, Account.created_at) < since
    )
    return _disable(session, [Gone(row.name, row.unit_id, "dormant") for row in session.execute(idle)], now, by)


def departed() -> Select[str, str]:
    """The accounts (name, why) that the records say are nobody's any more, enabled or not: for lists that mark them."""
    found = union_all(*(query for dataset in TABLES for query in _queries(dataset))).subquery()
    return select(found.c.name, found.c.why)


def last_used() -> ScalarSelect[datetime]:
    """When an account was used last, for a list of accounts; null for one that never was."""
    mine = select(func.max(LoginSession.seen_at)).where(LoginSession.account == Account.name)
    return mine.correlate(Account).scalar_subquery()


def _queries(dataset: str) -> list[Select[str, int | None, str]]:
    """The accounts that a data set's records say are nobody's any more, each with the reason."""
    if dataset == "unit":
        unit = TABLES["unit"].c
        closed = or_(unit.removed_on.is_not(None), unit.status.in_(_closed()))
        return [_accounts("unit_closed").join(TABLES["unit"], unit.id == Account.unit_id).where(closed)]
    if dataset not in LEFT:
        return []
    name, label = LEFT[dataset]
    record, described = TABLES[dataset].c, dictionary()[dataset]
    held = {
        "removed": record.removed_on.is_not(None),
        "left": record[name] == dictionary().codes[described.fields[name].codes or ""].by_label[label].code,
        "moved": _elsewhere(record[described.fields[described.unit or ""].column]),
    }
    return [
        _accounts(why).join(TABLES[dataset], record[described.key] == Account.person_code).where(holds)
        for why, holds in held.items()
    ]


def _accounts(why: str) -> Select[str, int | None, str]:
    return select(Account.name, Account.unit_id, literal(why, String).label("why"))


def _elsewhere(unit_id: ColumnElement[int]) -> ColumnElement[bool]:
    """The person's unit is neither the account's nor below it."""
    below = exists().where(UnitClosure.ancestor_id == Account.unit_id, UnitClosure.descendant_id == unit_id)
    return Account.unit_id.is_not(None) & unit_id.is_not(None) & ~below


def _closed() -> list[str]:
    return [code.code for code in dictionary().codes["unit_status"].items if not code.attrs.get("living", 1)]


def _enabled(now: datetime) -> ColumnElement[bool]:
    """Enabled, and somebody's: a demonstration account has no holder."""
    return or_(Account.disabled_on.is_(None), Account.disabled_on > business_date(now)) & ~Account.demo


def _disable(session: Session, found: Iterable[Gone], now: datetime, by: str) -> int:
    done = 0
    for one in found:
        disable(session, one.account, now=now, by=by, why=one.why)
        title, key = f"账号 {one.account} 已停用：{WHY[one.why]}", f"{one.account}:{now:%Y%m%d}"
        says = "会话已即时结束。仍需使用的，由数据安全管理员核实后启用。"
        tell_security(session, "account_disabled", title, says, key, now, unit_id=one.unit_id)
        done += 1
    return done
