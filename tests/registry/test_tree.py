"""Proof of the unit tree: after any moves its pairs are those that walking up from each unit gives, and a cycle never gets in."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from workflow.db import Base, open_engine, writing
from workflow.errors import BadInput
from workflow.registry import tree
from workflow.registry.models import UnitClosure
from workflow.registry.records import write
from workflow.registry.tables import TABLES

OFFICE: dict[str, Any] = {"by": "office", "may_write_locked": True}


def _pairs(session: Session) -> set[tuple[int, int, int]]:
    return {
        tuple(row)
        for row in session.execute(select(UnitClosure.ancestor_id, UnitClosure.descendant_id, UnitClosure.depth))
    }  # type: ignore[misc]


def _expected(session: Session) -> set[tuple[int, int, int]]:
    """The pairs by walking up from each unit, independently of the writer."""
    parents = {
        row.id: row.parent_id for row in session.execute(select(TABLES["unit"].c.id, TABLES["unit"].c.parent_id))
    }
    pairs = set()
    for unit in parents:
        at, depth = unit, 0
        while at is not None:
            pairs.add((at, unit, depth))
            at, depth = parents[at], depth + 1
    return pairs


MOVES = st.lists(st.tuples(st.integers(0, 7), st.one_of(st.none(), st.integers(0, 7))), max_size=12)


@settings(max_examples=25, deadline=None)
@given(moves=MOVES)
def test_the_tree_is_right_after_any_moves_and_never_a_cycle(moves: list[tuple[int, int | None]]) -> None:
    now = datetime.fromisoformat("2026-03-02T01:00:00+00:00")
    engine = open_engine("sqlite://")
    Base.metadata.create_all(engine)
    with writing(engine) as session:
        rows = [{"unit_code": f"U{i}", "name": f"机构{i}"} for i in range(8)]
        ids = write(session, "unit", rows, now=now, **OFFICE).ids
        for unit, parent in moves:
            with contextlib.suppress(BadInput), session.begin_nested():
                row = {"id": ids[unit], "parent": None if parent is None else ids[parent]}
                write(session, "unit", [row], now=now, **OFFICE)
            assert _pairs(session) == _expected(session)
    engine.dispose()


def test_a_unit_below_itself_is_refused_by_name(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        with pytest.raises(BadInput, match=r"「隶属」形成循环：U[12] → U[12] → U[12]，"):
            write(session, "unit", [{"id": units["U1"], "parent": units["U2"]}], now=now, **OFFICE)
        session.rollback()


def test_ancestors_come_nearest_first(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        low = write(session, "unit", [{"unit_code": "U4", "name": "站", "parent": units["U2"]}], now=now, **OFFICE).ids[
            0
        ]
        assert tree.ancestors(session, low) == [units["U2"], units["U1"]]
        assert set(session.scalars(tree.subtree(units["U1"]))) == {*units.values(), low}
