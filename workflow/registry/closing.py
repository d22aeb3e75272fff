"""Closing an inner organisation (办法4(一)1): nobody may be left inside, whichever way it is closed. Reads only.

The one place of this rule: a filing is judged by it before it is sent, plan.py holds every write to it (form, import, batch).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import literal, or_, select, union_all
from sqlalchemy.orm import Session

from workflow.engine.sets import among, grouped
from workflow.registry.dictionary import code_of
from workflow.registry.tables import TABLES

DATASET, FIELD = "inner_org", "status"
NAMED = 10  # of those inside, this many are named
Person = tuple[str, str]  # data set, key


def closed_code() -> str:
    """The code of an inner organisation that is closed."""
    return code_of(DATASET, FIELD, "撤销")


def people_inside(session: Session, inner_org_ids: Collection[int]) -> dict[int, list[Person]]:
    """Inner organisation → who belongs to it: in post or hired, not left and not dismissed. One statement; the empty ones are left out."""
    if not inner_org_ids:
        return {}
    person, contract = TABLES["person"].c, TABLES["contract"].c
    people = select(person.inner_org_id, literal("person"), person.person_code).where(
        among(session, person.inner_org_id, inner_org_ids), person.removed_on.is_(None),
        or_(person.estab_status.is_(None), person.estab_status != code_of("person", "estab_status", "出编")),
    )  # fmt: skip
    hired = select(contract.inner_org_id, literal("contract"), contract.contract_code).where(
        among(session, contract.inner_org_id, inner_org_ids), contract.removed_on.is_(None),
        contract.status == code_of("contract", "status", "在岗"),
    )  # fmt: skip
    return grouped((row[0], (row[1], row[2])) for row in session.execute(union_all(people, hired)))


def still_inside(count: int, keys: Sequence[str]) -> str:
    """How many are left inside, the first of them by key, and what to do first."""
    who = "、".join(keys[:NAMED]) + ("等" if count > NAMED else "")
    return f"还有 {count} 人（{who}），先调整所在处室再撤销"
