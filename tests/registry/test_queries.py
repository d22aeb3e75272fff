"""Proof of finding records: by key, text, number and filter, page by page; the tree of units; the quota balances."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from tests.registry.conftest import found_units
from workflow.db import writing
from workflow.errors import BadInput
from workflow.registry import tree
from workflow.registry.balances import Balance, quota_balances
from workflow.registry.dictionary import dictionary
from workflow.registry.queries import count, find_by_id, find_by_key, keys_of, plain_id, search, titles_of, unit_tree
from workflow.registry.records import remove, write

OFFICE: dict[str, Any] = {"by": "office", "may_write_locked": True}
NAMES = ("王小明", "王大明", "李红", "赵_明")


def _fill(engine: Engine, now: datetime) -> dict[str, int]:
    """Four people: two in U2, two in U3."""
    units = found_units(engine, now)
    numbers = ("33020319650115001X", "330205198808081233", "330212197004010025", "11010519491231002X")
    homes = ("U2", "U2", "U3", "U3")
    rows = [
        {"name": name, "id_no": number, "unit": units[home], "sex": "1", "quota_type": "221", "estab_status": "1"}
        for name, number, home in zip(NAMES, numbers, homes, strict=True)
    ]
    with writing(engine) as session:
        write(session, "person", rows, by="clerk", now=now)
    return units


def _names(session: Session, **wanted: Any) -> list[str]:
    return [record.values["name"] for record in search(session, "person", **wanted).records]


def test_people_are_found_by_name_key_and_whole_number(both_engines: Engine, now: datetime) -> None:
    _fill(both_engines, now)
    with Session(both_engines) as session:
        assert _names(session, text="王") == ["王小明", "王大明"]
        assert _names(session, text="_") == ["赵_明"]
        assert _names(session, text="P0000000") == list(NAMES)
        assert _names(session, text=" 33020319650115001x ") == ["王小明"]
        assert _names(session, text="3302031965011500") == []


def test_a_page_ends_with_a_cursor_to_the_next(engine: Engine, now: datetime) -> None:
    _fill(engine, now)
    with Session(engine) as session:
        first = search(session, "person", limit=3)
        assert ([record.key[-1] for record in first.records], first.cursor) == (["1", "2", "3"], "P00000003")
        second = search(session, "person", limit=3, cursor=first.cursor)
        assert ([record.key[-1] for record in second.records], second.cursor) == (["4"], None)


def test_scope_and_filters_narrow_a_search_and_its_count(engine: Engine, now: datetime) -> None:
    units = _fill(engine, now)
    with Session(engine) as session:
        assert _names(session, units=[units["U3"]]) == ["李红", "赵_明"]
        assert count(session, "person", units=tree.subtree(units["U1"])) == 4
        assert count(session, "person", units=[]) == 0
        assert _names(session, filters={"unit": [units["U2"]], "name": "王大明"}) == ["王大明"]
        assert count(session, "person", filters={"remark": None}, text="王") == 2
        assert [record.key for record in search(session, "unit", units=[units["U1"]]).records] == ["U1"]
        for name in ("id_no", "nothing"):
            with pytest.raises(BadInput, match="不能按"):
                search(session, "person", filters={name: "x"})


def test_removed_records_are_found_only_where_asked_for(engine: Engine, now: datetime) -> None:
    _fill(engine, now)
    with writing(engine) as session:
        removed = find_by_key(session, "person", "P00000001")
        assert removed
        remove(session, "person", [removed.id], by="office", now=now)
        assert count(session, "person") == 3
        assert count(session, "person", removed=True) == 4
        assert find_by_key(session, "person", "P00000001") is None
        assert find_by_key(session, "person", "P00000001", removed=True)
        assert find_by_id(session, "person", removed.id)


def test_the_whole_number_is_given_only_on_request(engine: Engine, now: datetime) -> None:
    _fill(engine, now)
    with Session(engine) as session:
        record = find_by_key(session, "person", "P00000001")
        assert record
        assert record.text("id_no") == "33**************1X"
        assert plain_id(record) == "33020319650115001X"


def test_references_are_told_by_key_and_by_title(engine: Engine, now: datetime) -> None:
    units = _fill(engine, now)
    with Session(engine) as session:
        assert keys_of(session, "unit", [units["U2"]]) == {units["U2"]: "U2"}
        assert titles_of(session, "unit", [units["U2"]]) == {units["U2"]: "一所（U2）"}
        assert keys_of(session, "unit", []) == {}


def test_the_tree_is_listed_level_by_level_in_one_statement(engine: Engine, now: datetime) -> None:
    units = _fill(engine, now)
    with writing(engine) as session:
        write(session, "unit", [{"unit_code": "U4", "name": "站", "parent": units["U2"]}], now=now, **OFFICE)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    with Session(engine) as session:
        assert [(n.code, n.depth, n.children) for n in unit_tree(session)] == [("U1", 0, 2)]
        assert [(n.code, n.depth, n.children) for n in unit_tree(session, units["U1"])] == [("U2", 1, 1), ("U3", 1, 0)]
        assert [n.code for n in unit_tree(session, units["U1"], levels=2)] == ["U2", "U3", "U4"]
        assert [n.code for n in unit_tree(session, levels=3)] == ["U1", "U2", "U3", "U4"]
    assert len([s for s in statements if s.startswith("SELECT")]) == 4


def test_balances_follow_from_ledger_and_people(both_engines: Engine, now: datetime) -> None:
    units = _fill(both_engines, now)
    kinds = {item.label: item.code for item in dictionary().codes["ledger_type"].items}
    row = {"unit": units["U2"], "ledger_type": kinds["编制"], "status": "1", "quota_type": "221"}
    rows = [
        row
        | {
            "ledger_no": "T1",
            "delta_plus": 5,
            "delta_minus": 0,
            "plan_approved_quota": 2,
            "plan_valid_until": 20260302,
        },
        row | {"ledger_no": "T2", "delta_plus": None, "delta_minus": 4},
        row | {"ledger_no": "T3", "delta_plus": 100, "status": "2"},
        row | {"ledger_no": "T4", "delta_plus": 100, "ledger_type": kinds["机构"]},
        row | {"ledger_no": "T5", "plan_approved_quota": 9, "plan_valid_until": 20260301},
    ]
    with writing(both_engines) as session:
        write(session, "ledger", rows, now=now, **OFFICE)
        found = quota_balances(session, list(units.values()), date(2026, 3, 2))
        assert found == {
            units["U2"]: {"221": Balance(approved=1, plan=2, occupied=2)},
            units["U3"]: {"221": Balance(approved=0, plan=0, occupied=2)},
        }
        assert (found[units["U2"]]["221"].vacant, found[units["U2"]]["221"].over) == (-3, 1)
        assert quota_balances(session, tree.subtree(units["U3"]), date(2026, 3, 2)).keys() == {units["U3"]}
