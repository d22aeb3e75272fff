"""数据字典变更: a code is added, retired or renamed by three people, seen by everybody from then on; history keeps its meaning (办法5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.casework.test_rule_change import LEADER, PROPOSER, REVIEWER
from workflow.casework.matters import open_matter
from workflow.clock import business_date
from workflow.db import writing
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.errors import Refused
from workflow.quality.amendments import adopt
from workflow.quality.models import TICKET
from workflow.quality.rules import put_in_force, rules
from workflow.quality.run import run_check
from workflow.registry import dictionary as words
from workflow.registry import records
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES


@pytest.fixture(autouse=True)
def _release() -> Iterator[None]:
    yield
    put_in_force(None)
    words.put_in_force(None)


@pytest.fixture
def city(engine: Engine, now: datetime) -> Engine:
    with writing(engine) as session:
        office = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        unit = {"unit_code": "330282101", "name": "示例局", "district_code": "330282"}
        records.write(session, "unit", [unit], **office)
        unit_id = session.scalar(select(TABLES["unit"].c.id))
        person = {"name": "王某", "unit": unit_id, "person_code": "P00000001", "sex": "2"}
        records.write(session, "person", [person], **office)
    run_check(engine, business_date(now), now, kind="full")
    return engine


def opened(city: Engine, now: datetime, **form: str) -> int:
    given = {
        "codes": "性别",
        "code": "7",
        "label": "待核",
        "effective_on": "2026-03-04",
        "why": "按新标准",
        "kind": "add",
    }
    with writing(city) as session:
        return open_matter(session, "dictionary_change", None, given | form, now=now, actor=PROPOSER)


def step(city: Engine, case_id: int, do: str, who: Any, now: datetime, **more: Any) -> None:
    with writing(city) as session:
        require_moved(take_step(session, "dictionary_change", do, [case_id], now=now, actor=who, **more))


def decided(city: Engine, now: datetime, **form: str) -> int:
    case_id = opened(city, now, **form)
    for do, who in (("preview", PROPOSER), ("submit", PROPOSER), ("endorse", REVIEWER), ("approve", LEADER)):
        step(city, case_id, do, who, now)
    with writing(city) as session:
        adopt(session, business_date(now))
    return case_id


def data(city: Engine, case_id: int) -> dict[str, Any]:
    with writing(city) as session:
        return session.scalars(select(CASE.c.data).where(CASE.c.id == case_id)).one()


def test_a_new_code_is_valid_from_its_day(city: Engine, now: datetime) -> None:
    decided(city, now)
    code = dictionary().codes["sex"].by_code["7"]
    assert (code.label, code.valid_on(date(2026, 3, 3)), code.valid_on(date(2026, 3, 4))) == ("待核", False, True)
    assert rules().dictionary is dictionary()


def test_a_retired_code_is_told_with_whom_it_concerns_and_hits_them_at_the_next_check(
    city: Engine, now: datetime
) -> None:
    retired = {"kind": "retire", "codes": "region", "code": "330282", "label": "", "effective_on": "2026-03-02"}
    case_id = decided(city, now, **retired)
    used = data(city, case_id)["effect"]["used"]
    assert [(one["dataset"], one["records"]) for one in used] == [("机构", 1)]
    run = run_check(city, business_date(now), now)
    assert run.kind == "full"
    with writing(city) as session:
        hit = select(TICKET.c.part).where(TICKET.c.present, TICKET.c.rule_id == "F06")
        assert session.scalars(hit).all() == ["district_code"]


def test_a_renamed_code_reads_otherwise_and_stays_the_same_code(city: Engine, now: datetime) -> None:
    decided(city, now, kind="rename", code="2", label="女性")
    assert dictionary().codes["sex"].label("2") == "女性"


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"code": "2"}, "已有代码 2"),
        ({"kind": "retire", "code": "99", "label": ""}, "没有代码 99"),
        ({"kind": "rename", "code": "99"}, "没有代码 99"),
        ({"codes": "没有的表"}, "没有代码表"),
        ({"label": "男"}, "名称“男”已用于代码 1"),
    ],
)
def test_what_does_not_fit_goes_no_further(city: Engine, now: datetime, form: dict[str, str], says: str) -> None:
    case_id = opened(city, now, **form)
    for do in ("preview", "submit"):
        with pytest.raises(Refused, match=says):
            step(city, case_id, do, PROPOSER, now)


def test_what_was_not_previewed_is_not_submitted(city: Engine, now: datetime) -> None:
    case_id = opened(city, now)
    with pytest.raises(Refused, match="尚未预览"):
        step(city, case_id, "submit", PROPOSER, now)


def test_a_change_of_fields_is_reported_with_its_release(city: Engine, now: datetime) -> None:
    case_id = decided(city, now, kind="field", codes="", code="", label="", what="人员增加“军龄”字段")
    assert not dictionary().amended
    step(city, case_id, "report", PROPOSER, now, inputs={"result": "已随 0.2 版发布"})
    other = decided(city, now)
    with pytest.raises(Refused, match="无须报告"):
        step(city, other, "report", PROPOSER, now, inputs={"result": "x"})
