"""Quota balances of many units, derived from the ledger and the people: approved, planned, occupied, vacant, over. Nothing here is typed in.

核定数 = Σ(增编 − 减编) of the valid ledger rows (办法4(一)2); 占编 = people 在编 on a quota that counts; 已核准未用 = what is left of
the notices that are valid, and plans that only the ledger knows (办法4(三)1): a ledger row that books a notice is the notice's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from workflow.db import YmdDate
from workflow.registry.dictionary import dictionary
from workflow.registry.models import NOTICE
from workflow.registry.tables import TABLES


@dataclass
class Balance:
    """One quota type of one unit, in heads."""

    approved: int = 0
    plan: int = 0
    occupied: int = 0

    @property
    def vacant(self) -> int:
        """What is left after people and plans; negative where there are too many."""
        return self.approved - self.occupied - self.plan

    @property
    def over(self) -> int:
        """People beyond what was approved (超编)."""
        return max(0, self.occupied - self.approved)


def quota_balances(session: Session, unit_ids: Collection[int] | Any, today: date) -> dict[int, dict[str, Balance]]:
    """Unit id → quota type code → balance, for units given as ids or as a sub-select. One statement whatever their number."""
    if isinstance(unit_ids, Collection):
        rows = session.execute(_of_ids(), {"units": list(unit_ids), "on": today})
    else:
        rows = session.execute(_parts(unit_ids, today))
    found: dict[int, dict[str, Balance]] = defaultdict(lambda: defaultdict(Balance))
    for part, unit, code, number in rows:
        if number or part != "plan":
            setattr(found[unit][code], part, int(number))
    return {unit: dict(types) for unit, types in found.items()}


@cache
def _of_ids() -> CompoundSelect[Any]:
    """The statement for units given as ids (`units`) on a day (`on`), built once: an approval asks for it at each step."""
    return _parts(bindparam("units", expanding=True), bindparam("on", type_=YmdDate))


def _parts(unit_ids: Any, today: date | BindParameter[date]) -> CompoundSelect[Any]:
    ledger, person = TABLES["ledger"].c, TABLES["person"].c
    valid = and_(
        ledger.removed_on.is_(None), ledger.unit_id.in_(unit_ids), ledger.quota_type.is_not(None),
        ledger.status == _code("valid_status", "有效"),
    )  # fmt: skip
    counted = ledger.ledger_type.in_([_code("ledger_type", "编制"), _code("ledger_type", "综合")])
    running = or_(ledger.plan_valid_until.is_(None), ledger.plan_valid_until >= today)
    moved = func.coalesce(ledger.delta_plus, 0) - func.coalesce(ledger.delta_minus, 0)
    occupying = [item.code for item in dictionary().codes["quota_type"].items if item.attrs.get("occupies") == 1]
    in_post = and_(
        person.removed_on.is_(None), person.unit_id.in_(unit_ids), person.quota_type.in_(occupying),
        person.estab_status == _code("estab_status", "在编"),
    )  # fmt: skip
    return union_all(
        _sums("approved", ledger.unit_id, ledger.quota_type, func.sum(moved), and_(valid, counted)),
        _set_aside(valid & running, unit_ids, today),
        _sums("occupied", person.unit_id, person.quota_type, func.count(), in_post),
    )


def _set_aside(planned: ColumnElement[bool], unit_ids: Any, today: date | BindParameter[date]) -> Any:
    """Heads approved and not yet used: by notices, and by ledger rows that book none."""
    ledger = TABLES["ledger"].c
    booked = exists().where(NOTICE.c.number == ledger.doc_no, NOTICE.c.unit_id == ledger.unit_id)
    plans = select(
        ledger.unit_id.label("unit"), ledger.quota_type.label("code"), ledger.plan_approved_quota.label("heads")
    ).where(planned, ledger.plan_approved_quota > 0, ~booked)
    granted = select(NOTICE.c.unit_id, NOTICE.c.quota_type, NOTICE.c.n - NOTICE.c.used).where(
        NOTICE.c.unit_id.in_(unit_ids), NOTICE.c.quota_type.is_not(None), NOTICE.c.closed_on.is_(None),
        NOTICE.c.valid_until >= today,
    )  # fmt: skip
    both = union_all(plans, granted).subquery()
    return select(literal("plan"), both.c.unit, both.c.code, func.sum(both.c.heads)).group_by(both.c.unit, both.c.code)


def _sums(part: str, unit: Any, code: Any, number: Any, condition: ColumnElement[bool]) -> Any:
    return select(literal(part), unit, code, number).where(condition).group_by(unit, code)


def _code(codes: str, label: str) -> str:
    return dictionary().codes[codes].by_label[label].code
