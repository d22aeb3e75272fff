"""市县数据贯通校验: what does not agree is found in the unit that it concerns, bars its lock, and nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.periodic.month_room import (
    AFTER,
    MONTH,
    REVIEWER,
    A,
    B,
    C,
    city,
    confirmed,
    ledger,
    of,
    open_on,
    person,
    put,
    report,
    step,
)
from workflow.db import reading
from workflow.errors import Refused
from workflow.periodic.consistency import Discrepancy, Sum, discrepancies, sums

ID = "330203198501010017"


@pytest.fixture
def u(both_engines: Engine) -> dict[str, int]:
    """Unit code → id of a city in which everything agrees."""
    return city(both_engines)


def found(engine: Engine, **narrowed: Any) -> list[Discrepancy]:
    with reading(engine) as session:
        return discrepancies(session, MONTH, **narrowed)


def totals(engine: Engine) -> dict[str, Sum]:
    with reading(engine) as session:
        return {line.district: line for line in sums(session, MONTH)}


def test_a_city_in_order_has_nothing_to_tell(both_engines: Engine, u: dict[str, int]) -> None:
    assert found(both_engines) == []
    city_sum = totals(both_engines)[""]
    assert (city_sum.approved, city_sum.ledger, city_sum.occupied, city_sum.agrees) == (6, 6, 5, True)


def test_a_written_balance_that_is_not_the_sum_of_the_rows(both_engines: Engine, u: dict[str, int]) -> None:
    put(both_engines, "ledger", [ledger(9, u[A], 1, 5, doc_date=date(2026, 3, 1))])
    assert [(d.kind, d.unit_code, d.key) for d in found(both_engines)] == [("balance", A, "L0009")]
    assert "控编数 5，历次增减累计 4" in found(both_engines)[0].says
    assert found(both_engines, units=[u[B]]) == found(both_engines, district="330282") == []


def test_quotas_of_a_unit_that_is_gone_separate_the_sums(both_engines: Engine, u: dict[str, int]) -> None:
    put(both_engines, "unit", [{"unit_code": B, "district_code": None}])
    assert [(d.kind, d.unit_code) for d in found(both_engines)] == [("orphan", B)]
    lost = totals(both_engines)[""]
    assert (lost.approved, lost.ledger, lost.agrees) == (4, 6, False)


def test_one_person_in_post_twice_is_told_to_both_units(both_engines: Engine, u: dict[str, int]) -> None:
    put(both_engines, "person", [person(20, u[A], id_no=ID), person(21, u[C], id_no=ID)])
    assert {(d.kind, d.unit_code, d.key) for d in found(both_engines)} == {
        ("double", A, "P00000020"),
        ("double", C, "P00000021"),
    }
    assert [d.unit_code for d in found(both_engines, district="330282")] == [C]
    assert all(ID not in d.says for d in found(both_engines))


def test_who_left_for_a_unit_of_the_city_must_have_arrived(both_engines: Engine, u: dict[str, int]) -> None:
    gone = {"estab_status": of("estab_status", "出编"), "exit_date": date(2026, 3, 9), "exit_reason": of("exit_reason", "调出")}  # fmt: skip
    put(both_engines, "person", [person(20, u[A], id_no=ID, exit_dest="示例县局", **gone)])
    assert [(d.kind, d.key) for d in found(both_engines)] == [("left", "P00000020")]
    put(both_engines, "person", [person(21, u[C], id_no=ID)])
    assert found(both_engines) == []


def test_who_came_from_a_unit_of_the_city_must_have_been_let_go(both_engines: Engine, u: dict[str, int]) -> None:
    came = {"entry_way": of("entry_way", "调入"), "entry_date": date(2026, 3, 9), "entry_source": "示例县局"}
    put(both_engines, "person", [person(20, u[A], id_no=ID, **came)])
    assert [(d.kind, d.unit_code) for d in found(both_engines)] == [("came", A)]
    gone = {"estab_status": of("estab_status", "出编"), "exit_date": date(2026, 3, 8)}
    put(both_engines, "person", [person(21, u[C], id_no=ID, **gone)])
    assert found(both_engines) == []


def test_a_unit_that_disagrees_is_locked_only_with_an_explanation(engine: Engine) -> None:
    units = city(engine)
    put(engine, "ledger", [ledger(9, units[A], 1, 5, doc_date=date(2026, 3, 1))])
    open_on(engine)
    cases = [confirmed(engine, units, code) for code in (A, C)]
    step(engine, cases, "pass", AFTER, REVIEWER)
    step(engine, cases[1], "lock", AFTER, REVIEWER)
    with pytest.raises(Refused, match="控编数 5"):
        step(engine, cases[0], "lock", AFTER, REVIEWER)
    with pytest.raises(Refused, match="须填写理由"):
        step(engine, cases[0], "lock_as_explained", AFTER, REVIEWER)
    step(engine, cases[0], "lock_as_explained", AFTER, REVIEWER, reason="台账扫描件待补录，已发文更正")
    assert report(engine, units[A]).state == "locked"
