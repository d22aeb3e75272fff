"""校验规则变更: proved, tried on the data, decided by two others, in force from its day and repealed by a date (办法5, 办法9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from workflow.casework.matters import open_matter
from workflow.clock import business_date
from workflow.db import writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import BadInput, Refused
from workflow.quality.amendments import source_of
from workflow.quality.models import TICKET
from workflow.quality.rules import put_in_force, rules
from workflow.quality.run import run_check
from workflow.registry import records
from workflow.registry.tables import TABLES

TEXT = """
id: P90
title: 姓名疑似测试数据
of: person
level: E
field: 姓名
must: 姓名 <> '测试'
basis: [办法8]
message: 登记的姓名为 {姓名}
remedy: 核对个人档案后更正姓名
"""
PROPOSER, REVIEWER, LEADER = (
    Person("author", {"reviewer": None}),
    Person("reviewer", {"reviewer": None}),
    Person("leader", {"leader": None}),
)
DAY = timedelta(1)


@pytest.fixture(autouse=True)
def _release() -> Iterator[None]:
    yield
    put_in_force(None)


@pytest.fixture
def city(engine: Engine, now: datetime) -> Engine:
    with writing(engine) as session:
        office = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        unit = {"unit_code": "330282101", "name": "示例局", "district_code": "330282"}
        records.write(session, "unit", [unit], **office)
        unit_id = session.scalar(select(TABLES["unit"].c.id))
        people = [
            {"name": name, "unit": unit_id, "person_code": f"P0000000{n}"} for n, name in enumerate(("测试", "王某"), 1)
        ]
        records.write(session, "person", people, **office)
    run_check(engine, business_date(now), now, kind="full")
    return engine


def opened(city: Engine, now: datetime, **more: Any) -> int:
    form = {"kind": "new", "rule_id": "P90", "text": TEXT, "effective_on": "2026-03-04", "why": "清理测试数据"} | more
    with writing(city) as session:
        return open_matter(session, "rule_change", None, form, now=now, actor=PROPOSER)


def step(city: Engine, case_id: int, do: str, actor: Person, now: datetime, **more: Any) -> None:
    with writing(city) as session:
        require_moved(take_step(session, "rule_change", do, [case_id], now=now, actor=actor, **more))


def case(city: Engine, case_id: int) -> Any:
    with writing(city) as session:
        return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def decided(city: Engine, now: datetime, **more: Any) -> int:
    case_id = opened(city, now, **more)
    step(city, case_id, "try", PROPOSER, now)
    step(city, case_id, "submit", PROPOSER, now)
    step(city, case_id, "endorse", REVIEWER, now)
    step(city, case_id, "approve", LEADER, now)
    return case_id


def hits(city: Engine, rule_id: str) -> list[str]:
    with writing(city) as session:
        present = select(TICKET.c.record_key).where(TICKET.c.rule_id == rule_id, TICKET.c.present)
        return list(session.scalars(present.order_by(TICKET.c.record_key)))


def test_a_new_rule_is_tried_before_it_is_decided_and_judges_from_its_day(city: Engine, now: datetime) -> None:
    case_id = decided(city, now)
    trial = case(city, case_id).data["trial"]
    assert (trial["before"], trial["after"], trial["keys"]) == (0, 1, ["person P00000001"])
    for days, expected in ((1, []), (2, ["P00000001"])):
        run_check(city, business_date(now) + days * DAY, now + days * DAY)
        assert hits(city, "P90") == expected
    fire_due(city, now + 2 * DAY)
    assert case(city, case_id).state == "in_force"


def test_the_first_check_with_another_book_is_a_full_one(city: Engine, now: datetime) -> None:
    decided(city, now)
    kinds = [run_check(city, business_date(now) + n * DAY, now + n * DAY).kind for n in (1, 2, 3)]
    assert kinds == ["incremental", "full", "incremental"]


def test_a_repealed_rule_closes_its_tickets_and_the_release_is_back(city: Engine, now: datetime) -> None:
    case_id = decided(city, now)
    run_check(city, business_date(now) + 2 * DAY, now + 2 * DAY)
    step(city, case_id, "repeal", LEADER, now + 3 * DAY, reason="误伤较多")
    run_check(city, business_date(now) + 3 * DAY, now + 3 * DAY)
    assert (hits(city, "P90"), "P90" in rules().by_id, case(city, case_id).state) == ([], False, "repealed")


def test_a_retired_rule_is_gone_and_a_changed_one_says_something_else(city: Engine, now: datetime) -> None:
    before = hits(city, "F01")
    assert before
    decided(city, now, kind="retire", rule_id="F01", text="", effective_on="2026-03-03")
    changed = source_of("T01").replace("参加工作早于出生", "参加工作不晚于出生")
    decided(city, now, kind="change", rule_id="T01", text=changed, effective_on="2026-03-03")
    run_check(city, date(2026, 3, 3), now + DAY)
    assert hits(city, "F01") == []
    assert rules().by_id["T01"][0].title == "参加工作不晚于出生"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"text": TEXT.replace("姓名 <> '测试'", "没有的字段 = 1")}, "没有的字段"),
        ({"text": TEXT.replace("姓名 <> '测试'", "DROP TABLE person")}, "规则不能执行"),
        ({"text": TEXT.replace("P90", "P91")}, "应为“P90”"),
        ({"text": "就是这样"}, "应是一条规则"),
        ({"text": "a: [b"}, "不是可读的 YAML"),
    ],
)
def test_what_cannot_be_judged_is_neither_tried_nor_submitted(
    city: Engine, now: datetime, more: dict[str, str], says: str
) -> None:
    case_id = opened(city, now, **more)
    for do in ("try", "submit"):
        with pytest.raises(Refused, match=says):
            step(city, case_id, do, PROPOSER, now)


def test_what_was_changed_after_the_trial_is_tried_again(city: Engine, now: datetime) -> None:
    case_id = opened(city, now)
    with pytest.raises(Refused, match="尚未试运行"):
        step(city, case_id, "submit", PROPOSER, now)
    step(city, case_id, "try", PROPOSER, now)
    form = case(city, case_id).data["form"] | {"text": TEXT.replace("测试'", "试验'")}
    step(city, case_id, "edit", PROPOSER, now, inputs=form)
    with pytest.raises(Refused, match="又有修改"):
        step(city, case_id, "submit", PROPOSER, now)


def test_three_different_people_make_a_rule(city: Engine, now: datetime) -> None:
    case_id = opened(city, now)
    step(city, case_id, "try", PROPOSER, now)
    step(city, case_id, "submit", PROPOSER, now)
    with pytest.raises(Refused, match="申请人不得"):
        step(city, case_id, "endorse", PROPOSER, now)
    step(city, case_id, "endorse", REVIEWER, now)
    for name in ("author", "reviewer"):
        with pytest.raises(Refused, match="不得再作决定"):
            step(city, case_id, "approve", Person(name, {"leader": None}), now)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"rule_id": "p9"}, "「规则编号」“p9”应为一个大写字母加两到三位数字"),
        ({"rule_id": "P01"}, "「规则编号」 P01 已有规则"),
        ({"rule_id": "P98", "kind": "change"}, "「规则编号」 P98 没有规则"),
        ({"rule_id": "P98", "kind": "retire"}, "「规则编号」 P98 没有规则"),
    ],
)
def test_an_id_that_cannot_be_is_told_while_it_is_drafted(
    city: Engine, now: datetime, more: dict[str, str], says: str
) -> None:
    with pytest.raises(BadInput) as refused:
        opened(city, now, **more)
    assert says in refused.value.says
    assert [error["field"] for error in refused.value.facts["errors"]] == ["rule_id"]
    case_id = opened(city, now)
    with pytest.raises(BadInput, match="规则编号"):
        step(city, case_id, "edit", PROPOSER, now, inputs={"kind": "new", "rule_id": "P98", "text": TEXT} | more)
