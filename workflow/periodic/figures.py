"""The figures of many units as of a day: quotas, contract staff, leader posts. Six statements whatever their number; reads only.

Approved numbers follow from the ledger, occupied ones from the people; whoever left after the day still counts on it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from workflow.engine.sets import among
from workflow.insight.units import code, occupying
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

Figures = dict[
    str, Any
]  # {"quota": {code: {approved, occupied, vacant, over}}, "contract": {…}, "posts": {…}, "people": n}
KINDS = {"quota": "quota_type", "contract": "contract_category"}


def figures_of(session: Session, unit_ids: Collection[int], day: date) -> dict[int, Figures]:
    """Unit id → its figures at the end of a day; each of the units has an entry."""
    found: dict[int, Figures] = {
        unit_id: {"quota": {}, "contract": {}, "posts": {"approved": 0, "held": 0}, "people": 0} for unit_id in unit_ids
    }
    for kind, name, statement in _statements(session, unit_ids, day):
        for unit_id, what, number in session.execute(statement):
            _note(found[unit_id], kind, name, what, int(number or 0))
    for figures in found.values():
        for kind in KINDS:
            figures[kind] = {what: _with_balance(counts) for what, counts in sorted(figures[kind].items()) if counts}
    return found


def _note(figures: Figures, kind: str, name: str, what: str | None, number: int) -> None:
    if kind == "posts":
        figures["posts"][name] += number
    elif number:
        figures[kind].setdefault(what or "", {})[name] = number
    if (kind, name) == ("quota", "occupied"):
        figures["people"] += number


def _with_balance(counts: dict[str, int]) -> dict[str, int]:
    approved, occupied = counts.get("approved", 0), counts.get("occupied", 0)
    free = approved - occupied
    return {"approved": approved, "occupied": occupied, "vacant": max(0, free), "over": max(0, -free)}


def label_of(kind: str, what: str) -> str:
    """The name of a quota type or a category of contract staff."""
    return dictionary().codes[KINDS[kind]].label(what)


def in_post_on(person: Any, day: date) -> ColumnElement[bool]:
    """Whoever occupied a quota at the end of a day: in post and entered by then, or left after it."""
    entered = or_(person.entry_date.is_(None), person.entry_date <= day)
    left_later = and_(person.estab_status == code("estab_status", "出编"), person.exit_date > day)
    present = or_(person.removed_on.is_(None), person.removed_on > day)
    return and_(
        present, entered, person.quota_type.in_(occupying()),
        or_(person.estab_status == code("estab_status", "在编"), left_later),
    )  # fmt: skip


def ledger_on(row: Any, day: date) -> ColumnElement[bool]:
    """The ledger rows that move quotas and took effect by a day."""
    present = or_(row.removed_on.is_(None), row.removed_on > day)
    kinds = row.ledger_type.in_([code("ledger_type", "编制"), code("ledger_type", "综合")])
    begun = or_(func.coalesce(row.effective_date, row.doc_date).is_(None), func.coalesce(row.effective_date, row.doc_date) <= day)  # fmt: skip
    return and_(
        present, kinds, begun, row.quota_type.is_not(None), row.status == code("valid_status", "有效")
    )  # fmt: skip


def moved(row: Any) -> Any:
    """The sum of what ledger rows add and take."""
    return func.sum(func.coalesce(row.delta_plus, 0) - func.coalesce(row.delta_minus, 0))


def _statements(session: Session, unit_ids: Collection[int], day: date) -> list[tuple[str, str, Any]]:
    ledger, person = TABLES["ledger"].c, TABLES["person"].c
    control, staff = TABLES["contract_quota"].c, TABLES["contract"].c
    posts, held = TABLES["leader_quota"].c, TABLES["position"].c

    def grouped(table: Any, what: Any, number: Any, *conditions: Any) -> Any:
        mine = among(session, table.unit_id, unit_ids)
        return select(table.unit_id, what, number).where(mine, *conditions).group_by(table.unit_id, what)

    def there(table: Any) -> Any:
        return or_(table.removed_on.is_(None), table.removed_on > day)

    valid = code("valid_status", "有效")
    bought = or_(staff.hire_mode.is_(None), staff.hire_mode != code("hire_mode", "购买服务"))
    working = and_(there(staff), staff.status == code("contract_status", "在岗"), bought)
    begun = and_(there(control), control.status == valid, or_(control.valid_from.is_(None), control.valid_from <= day))
    counts = and_(held.is_leader, func.coalesce(held.counts_post, True), ~func.coalesce(held.is_above_level, False))
    present = and_(there(held), held.status == code("position_status", "现任"), counts)
    return [
        ("quota", "approved", grouped(ledger, ledger.quota_type, moved(ledger), ledger_on(ledger, day))),
        ("quota", "occupied", grouped(person, person.quota_type, func.count(), in_post_on(person, day))),
        ("contract", "approved", grouped(control, control.category, func.sum(control.n_control), begun)),
        ("contract", "occupied", grouped(staff, staff.category, func.count(), working)),
        ("posts", "approved", grouped(posts, posts.post_level, func.sum(posts.n_approved), there(posts), posts.status == valid)),
        ("posts", "held", grouped(held, held.post_level, func.count(), present)),
    ]  # fmt: skip
