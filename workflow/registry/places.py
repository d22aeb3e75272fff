"""Where units lie and what they are called: asked at each step of a case, so the statements are built once. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.engine.sets import Shape, bound
from workflow.prepared import Prepared
from workflow.registry.tables import TABLES

UNIT = TABLES["unit"].c


def districts_of(session: Session, unit_ids: Collection[int]) -> dict[int, str]:
    """Unit id → the code of the district in which it lies (GB/T 2260); units that are not known are left out."""
    return dict(_read(session, unit_ids, "district_code"))


def names_of(session: Session, unit_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Unit id → code and name; units that are not known are left out."""
    return {id_: (code, name) for id_, code, name in _read(session, unit_ids, "unit_code", "name")}


def _read(session: Session, unit_ids: Collection[int], *columns: str) -> list[tuple[Any, ...]]:
    if not unit_ids:
        return []
    shape, chosen = bound(session, set(unit_ids))
    return _of_units(shape, columns).rows(session, {"ids": chosen})


@cache
def _of_units(shape: Shape, columns: tuple[str, ...]) -> Prepared:
    return Prepared(select(UNIT.id, *(UNIT[name] for name in columns)).where(shape.holds(UNIT.id)), ["ids"])
