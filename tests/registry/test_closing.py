"""Closing an inner organisation with people in it is refused whichever way it is tried: by form, by file, in a trial run (办法4(一)1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.registry.conftest import PERSON
from workflow.db import reading, writing
from workflow.registry.dictionary import code_of
from workflow.registry.importing.report import ImportReport
from workflow.registry.origin import RowsRefused
from workflow.registry.records import write
from workflow.registry.tables import TABLES

Make = Callable[..., Path]
Bring = Callable[..., ImportReport]
HEADER = ["内设机构编码", "所属单位", "内设机构名称", "内设机构状态"]
CLOSING = [HEADER, ["N2", "U2", "空处", "撤销"], ["N1", "U2", "办公室", "撤销"]]
SAYS = "「内设机构状态」不能改为撤销：N1 还有 2 人（P1、W1），先调整所在处室再撤销"


@pytest.fixture
def orgs(engine: Engine, units: dict[str, int], now: datetime) -> dict[str, int]:
    """N1 with one in post, one hired and one who has left; N2 with nobody."""
    office: dict[str, Any] = {"by": "office", "now": now, "may_write_locked": True}
    normal = code_of("inner_org", "status", "正常")
    with writing(engine) as session:
        rows = [
            {"inner_org_code": c, "unit": units["U2"], "name": n, "status": normal}
            for c, n in (("N1", "办公室"), ("N2", "空处"))
        ]
        made = write(session, "inner_org", rows, **office).ids
        inside = {"unit": units["U2"], "inner_org": made[0]}
        left = {"estab_status": code_of("person", "estab_status", "出编")}
        people = [{"person_code": "P1", **PERSON, **inside}, {"person_code": "P2", "name": "李某某", **inside, **left}]
        write(session, "person", people, **office)
        hired = {"contract_code": "W1", "name": "周某某", "status": code_of("contract", "status", "在岗"), **inside}
        write(session, "contract", [hired], **office)
    return {"N1": made[0], "N2": made[1]}


def states(engine: Engine) -> dict[str, str]:
    org = TABLES["inner_org"].c
    with reading(engine) as session:
        return {row[0]: row[1] for row in session.execute(select(org.inner_org_code, org.status))}


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_that_closes_one_with_people_in_it_is_refused_by_row_and_field(
    engine: Engine, orgs: dict[str, int], xlsx: Make, bring: Bring, dry_run: bool
) -> None:
    before = states(engine)
    report = bring("inner_org", xlsx(CLOSING), dry_run=dry_run)
    assert [(e.row, e.field, e.message) for e in report.errors] == [(3, "status", f"第 3 行{SAYS}")]
    assert states(engine) == before


def test_a_form_that_closes_one_with_people_in_it_is_refused(
    engine: Engine, orgs: dict[str, int], now: datetime
) -> None:
    closed = {"id": orgs["N1"], "status": code_of("inner_org", "status", "撤销")}
    with pytest.raises(RowsRefused, match="N1 还有 2 人") as refused, writing(engine) as session:
        write(session, "inner_org", [closed], by="office", now=now, may_write_locked=True)
    assert [(e.row, e.field) for e in refused.value.errors] == [(1, "status")]


def test_it_is_closed_once_everybody_has_moved(
    engine: Engine, orgs: dict[str, int], xlsx: Make, bring: Bring, now: datetime
) -> None:
    with writing(engine) as session:
        for dataset, key, code in (("person", "person_code", "P1"), ("contract", "contract_code", "W1")):
            write(session, dataset, [{key: code, "inner_org": orgs["N2"]}], by="office", now=now, may_write_locked=True)
    closing = [HEADER, CLOSING[2]]
    assert bring("inner_org", xlsx(closing)).errors == []
    assert states(engine)["N1"] == code_of("inner_org", "status", "撤销")
    assert bring("inner_org", xlsx(closing)).unchanged == 1
    assert bring("inner_org", xlsx([HEADER, CLOSING[1]])).error_count == 1
