"""Quota as counters (办法6, 国务院令第486号第6条): one row per unit and quota type, over which whatever takes or gives heads is put in order.

Approvals reserve under the cap or are refused; facts (entries, transfers, imports, cuts of the ledger) are recounted and never lost.
A counter is written under its row's lock from what is committed, so that no two writers overlook each other. Never commits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from workflow.engine.outbox import insert_new
from workflow.engine.sets import among
from workflow.errors import Refused
from workflow.registry.balances import Balance, quota_balances
from workflow.registry.dictionary import dictionary
from workflow.registry.models import COUNTER, NOTICE, QuotaCounter
from workflow.registry.plan import Plan
from workflow.registry.tables import TABLES

COUNTED = {  # data set → fields that move a counter
    "person": frozenset({"unit", "quota_type", "estab_status"}),
    "ledger": frozenset({
        "unit", "quota_type", "ledger_type", "status", "delta_plus", "delta_minus",
        "plan_approved_quota", "plan_valid_until", "doc_no",
    }),
}  # fmt: skip


def touched_units(plan: Plan) -> set[int]:
    """The units whose quota a plan of record writes moves, as it was and as it will be."""
    fields = COUNTED.get(plan.dataset.name)
    if fields is None:
        return set()
    units = {new.row.get("unit") for new in plan.creates}
    for change in plan.changes:
        if change.revived or fields & change.changed.keys():
            units |= {change.stored["unit_id"], change.changed.get("unit", (None, None))[1]}
    return {unit for unit in units if isinstance(unit, int)}


def recount(session: Session, unit_ids: Collection[int], today: date, types: Iterable[str] = ()) -> None:
    """Counts every quota type of the units anew (`types`: also these), each counter locked before it is read for.

    1. Makes the missing counters. 2. Locks them in order. 3. Reads the ledger, the notices and the people. 4. Writes what differs.
    """
    if not unit_ids:
        return
    units = among(session, TABLES["unit"].c.id, unit_ids)
    named = select(TABLES["unit"].c.id).where(units)
    found = quota_balances(session, named, today)
    _make(
        session,
        {(unit, code) for unit, codes in found.items() for code in codes} | {(u, t) for u in unit_ids for t in types},
    )
    stored = _locked(session, unit_ids)
    if session.get_bind().dialect.name == "postgresql":
        found = quota_balances(session, named, today)  # what others committed while these rows were waited for
    rows = []
    for key, before in stored.items():
        values = _values(found.get(key[0], {}).get(key[1], Balance()))
        if values != before:
            rows.append({"unit": key[0], "type": key[1], **{f"new_{name}": value for name, value in values.items()}})
    if rows:
        mine = (COUNTER.c.unit_id == bindparam("unit")) & (COUNTER.c.quota_type == bindparam("type"))
        changes: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("cap", "used", "reserved", "over")}
        session.connection().execute(update(COUNTER).where(mine).values(changes), rows)


def _values(balance: Balance) -> dict[str, int]:
    cap, used, reserved = max(balance.approved, 0), balance.occupied, max(balance.plan, 0)
    return {"cap": cap, "used": used, "reserved": reserved, "over": max(0, used + reserved - cap)}


def _make(session: Session, keys: Collection[tuple[int, str]]) -> None:
    there = select(COUNTER.c.unit_id, COUNTER.c.quota_type).where(
        among(session, COUNTER.c.unit_id, {unit for unit, _ in keys})
    )
    missing = set(keys) - {(row[0], row[1]) for row in session.execute(there)}
    zero = {"cap": 0, "used": 0, "reserved": 0, "over": 0}
    rows = [{"unit_id": unit, "quota_type": code, **zero} for unit, code in sorted(missing)]
    if rows:
        session.execute(insert_new(session, QuotaCounter, ["unit_id", "quota_type"]), rows)


def _locked(session: Session, unit_ids: Collection[int]) -> dict[tuple[int, str], dict[str, int]]:
    names = ("cap", "used", "reserved", "over")
    query = select(COUNTER).where(among(session, COUNTER.c.unit_id, unit_ids))
    query = query.order_by(COUNTER.c.unit_id, COUNTER.c.quota_type)
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update()
    return {
        (row.unit_id, row.quota_type): {name: getattr(row, name) for name in names} for row in session.execute(query)
    }


def reserve(session: Session, unit_id: int, quota_type: str, n: int, today: date) -> None:
    """Sets heads aside for a notice, if they are free at this very moment. Raises Refused with the balance; the notice is written after."""
    recount(session, [unit_id], today, [quota_type])
    mine = (COUNTER.c.unit_id == unit_id) & (COUNTER.c.quota_type == quota_type)
    fits = COUNTER.c.used + COUNTER.c.reserved + n <= COUNTER.c.cap
    taken = session.execute(update(COUNTER).where(mine, fits).values(reserved=COUNTER.c.reserved + n))
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        row = session.execute(select(COUNTER).where(mine)).one()
        raise Refused(shortage(Balance(row.cap, row.reserved, row.used), quota_type, n))


def prove_free(session: Session, unit_id: int, quota_type: str, today: date, n: int = 1) -> None:
    """That heads are free, under the lock of their counter until the transaction ends: for a fact that is written next.

    Raises Refused with the balance.
    """
    recount(session, [unit_id], today, [quota_type])
    mine = (COUNTER.c.unit_id == unit_id) & (COUNTER.c.quota_type == quota_type)
    row = session.execute(select(COUNTER).where(mine)).one()
    if row.used + row.reserved + n > row.cap:
        raise Refused(shortage(Balance(row.cap, row.reserved, row.used), quota_type, n))


def shortage(balance: Balance, quota_type: str, n: int) -> str:
    """How the heads asked for compare with what is free, in words."""
    return shortage_of(balance, dictionary().codes["quota_type"].label(quota_type), n)


def shortage_of(balance: Balance, kind: str, n: int) -> str:
    """The same for a quota type by its label. Pure."""
    told = f"{kind}核定 {balance.approved} 名、在编 {balance.occupied} 名、已核准未用 {balance.plan} 名"
    free = max(balance.vacant, 0)
    return f"{told}，空编 {free} 名，" + (f"不足 {n} 名" if n > free else f"可用 {n} 名")


def use_notice(session: Session, number: str, unit_id: int, quota_type: str, today: date, n: int = 1) -> int:
    """Enters heads on a notice and returns its case. Raises Refused where it does not cover them at this very moment.

    The counter is recounted by the write of the record that follows in the same transaction.
    """
    mine = (NOTICE.c.number == number) & (NOTICE.c.unit_id == unit_id) & (NOTICE.c.quota_type == quota_type)
    open_ = NOTICE.c.closed_on.is_(None) & (NOTICE.c.valid_until >= today) & (NOTICE.c.used + n <= NOTICE.c.n)
    used = update(NOTICE).where(mine, open_).values(used=NOTICE.c.used + n).returning(NOTICE.c.case_id)
    case_id = session.execute(used).scalar()
    if case_id is None:
        raise Refused(f"核准通知单 {number} 已失效、已用完，或不属于本单位的该类编制，不能据以入编")
    return int(case_id)


def close_notices(session: Session, case_ids: Collection[int], today: date) -> None:
    """From today on the notices of these cases cover nothing; what they had set aside is free again."""
    mine = among(session, NOTICE.c.case_id, case_ids) & NOTICE.c.closed_on.is_(None)
    closing = update(NOTICE).where(mine).values(closed_on=today).returning(NOTICE.c.unit_id)
    recount(session, set(session.scalars(closing)), today)
