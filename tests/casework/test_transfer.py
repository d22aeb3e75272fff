"""人员划转: both units and the office agree, both see it all along, the last place is given once, posts held before are ended (办法8)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select

from workflow.access.scopes import Actor, Held
from workflow.casework.matters import open_matter
from workflow.db import writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.errors import NotAllowed, NotFound, Refused
from workflow.insight.case import case_in_scope
from workflow.registry import records
from workflow.registry.dictionary import code_of
from workflow.registry.models import RecordVersion
from workflow.registry.queries import find_by_key
from workflow.registry.tables import TABLES

OLD, NEW, NOISE = "330282101", "330282102", "330282103"
IN_POST, QUOTA = "在编", "行政编制"


@pytest.fixture
def city(engine: Engine, now: datetime) -> Engine:
    with writing(engine) as session:
        office = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        units = [{"unit_code": c, "name": f"示例局{c}", "district_code": "330282"} for c in (OLD, NEW, NOISE)]
        records.write(session, "unit", units, **office)
        ids = unit_ids(session)
        quota, held = code_of("person", "quota_type", QUOTA), code_of("person", "estab_status", IN_POST)
        ledger = {
            "unit": ids[NEW], "ledger_no": "T1", "ledger_type": code_of("ledger", "ledger_type", "编制"), "quota_type": quota,
            "status": code_of("ledger", "status", "有效"), "delta_plus": 1, "doc_no": "甬编〔2026〕1号",
        }  # fmt: skip
        records.write(session, "ledger", [ledger], **office)
        person = {"name": "张某某", "unit": ids[OLD], "quota_type": quota, "estab_status": held}
        people = [person | {"person_code": f"P0000000{n}"} for n in (1, 2)]
        made = records.write(session, "person", people, **office)
        post = {
            "position_code": "R1", "person": made.ids[0], "unit": ids[OLD], "name": "科长",
            "status": code_of("position", "status", "现任"),
        }  # fmt: skip
        records.write(session, "position", [post], **office)
    return engine


def unit_ids(session: Any) -> dict[str, int]:
    unit = TABLES["unit"].c
    return dict(session.execute(select(unit.unit_code, unit.id)).all())


def people(session: Any) -> dict[str, Person]:
    ids = unit_ids(session)
    made = {
        f"{role}@{code}": Person(f"{role}@{code}", {f"unit_{role}": frozenset({ids[code]})})
        for role in ("clerk", "head")
        for code in ids
    }
    return made | {"reviewer": Person("reviewer", {"reviewer": None})}


def opened(city: Engine, now: datetime, **more: Any) -> int:
    form = {
        "person": "P00000001", "receiver": NEW, "quota_type": code_of("person", "quota_type", QUOTA),
        "moved_on": "2026-02-27", "doc_no": "慈人调〔2026〕3号",
    } | more  # fmt: skip
    with writing(city) as session:
        return open_matter(
            session, "transfer", unit_ids(session)[OLD], form, now=now, actor=people(session)[f"clerk@{OLD}"]
        )


def step(city: Engine, case_id: int, do: str, who: str, now: datetime, **more: Any) -> None:
    with writing(city) as session:
        require_moved(take_step(session, "transfer", do, [case_id], now=now, actor=people(session)[who], **more))


def arrived(city: Engine, now: datetime, **more: Any) -> int:
    case_id = opened(city, now, **more)
    step(city, case_id, "submit", f"clerk@{OLD}", now)
    step(city, case_id, "send_on", f"head@{OLD}", now)
    step(city, case_id, "take_on", f"head@{NEW}", now)
    return case_id


def seen(city: Engine, code: str, case_id: int) -> bool:
    with writing(city) as session:
        clerk = Actor("x", "某", "", None, "", (Held("unit_clerk", "unit", unit_ids(session)[code]),))
        try:
            return case_in_scope(session, clerk, case_id).id == case_id
        except NotFound:
            return False


def case(city: Engine, case_id: int) -> Any:
    with writing(city) as session:
        return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def test_the_person_stands_in_the_other_unit_and_the_old_post_is_ended(city: Engine, now: datetime) -> None:
    case_id = arrived(city, now)
    step(city, case_id, "accept", "reviewer", now)
    with writing(city) as session:
        record = find_by_key(session, "person", "P00000001")
        assert record is not None
        assert record.unit_id == unit_ids(session)[NEW]
        post = find_by_key(session, "position", "R1")
        assert post is not None
        assert (post.values["status"], post.values["end_date"]) == (
            code_of("position", "status", "已免"),
            date(2026, 2, 27),
        )
        written = select(RecordVersion).where(RecordVersion.case_id == case_id)
        versions = session.scalars(written.order_by(RecordVersion.id)).all()
        assert [(v.dataset, v.by, v.basis) for v in versions] == [
            ("position", f"clerk@{OLD}", "慈人调〔2026〕3号（人员划转）"), ("person", f"clerk@{OLD}", "慈人调〔2026〕3号（人员划转）"),
        ]  # fmt: skip


def test_the_title_follows_the_form(city: Engine, now: datetime) -> None:
    case_id = opened(city, now)
    form = case(city, case_id).data["form"]
    step(city, case_id, "edit", f"clerk@{OLD}", now, inputs=form | {"person": "P00000002", "receiver": NOISE})
    assert case(city, case_id).title == f"人员划转：P00000002（示例局{OLD} → 示例局{NOISE}）"


def test_both_sides_see_it_all_along_and_a_third_does_not(city: Engine, now: datetime) -> None:
    case_id = opened(city, now)
    assert [seen(city, code, case_id) for code in (OLD, NEW, NOISE)] == [True, False, False]
    step(city, case_id, "submit", f"clerk@{OLD}", now)
    step(city, case_id, "send_on", f"head@{OLD}", now)
    assert [seen(city, code, case_id) for code in (OLD, NEW, NOISE)] == [True, True, False]
    step(city, case_id, "send_back", f"head@{NEW}", now, reason="手续不全")
    assert [seen(city, code, case_id) for code in (OLD, NEW, NOISE)] == [True, True, False]
    assert case(city, case_id).state == "draft"
    step(city, case_id, "submit", f"clerk@{OLD}", now)


def test_each_side_acts_for_itself_only(city: Engine, now: datetime) -> None:
    case_id = opened(city, now)
    step(city, case_id, "submit", f"clerk@{OLD}", now)
    with pytest.raises(NotAllowed):
        step(city, case_id, "send_on", f"head@{NEW}", now)
    step(city, case_id, "send_on", f"head@{OLD}", now)
    with pytest.raises(NotAllowed):
        step(city, case_id, "take_on", f"head@{OLD}", now)


def test_the_last_place_is_given_once(city: Engine, now: datetime) -> None:
    first, second = arrived(city, now), arrived(city, now, person="P00000002")
    step(city, first, "accept", "reviewer", now)
    with pytest.raises(Refused, match="空余 0"):
        step(city, second, "accept", "reviewer", now)


def test_one_transfer_of_a_person_at_a_time(city: Engine, now: datetime) -> None:
    arrived(city, now)
    second = opened(city, now, receiver=NOISE)
    with pytest.raises(Refused, match="另有未办结的划转"):
        step(city, second, "submit", f"clerk@{OLD}", now)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"receiver": OLD}, "应是另一个单位"),
        ({"moved_on": "2026-03-03"}, "尚未办结"),
        ({"doc_no": ""}, "还须填写：调动文号"),
    ],
)
def test_what_cannot_be_is_not_submitted(city: Engine, now: datetime, more: dict[str, str], says: str) -> None:
    case_id = opened(city, now, **more)
    with pytest.raises(Refused, match=says):
        step(city, case_id, "submit", f"clerk@{OLD}", now)


def test_a_late_one_is_explained_and_stays_late(city: Engine, now: datetime) -> None:
    case_id = opened(city, now, moved_on="2026-02-02")
    form = case(city, case_id).data["form"]
    step(city, case_id, "edit", f"clerk@{OLD}", now, inputs=form)
    with pytest.raises(Refused, match="须写明逾期原因"):
        step(city, case_id, "submit", f"clerk@{OLD}", now)
    step(city, case_id, "edit", f"clerk@{OLD}", now, inputs=form | {"late_reason": "档案转递延迟"})
    step(city, case_id, "submit", f"clerk@{OLD}", now)
    found = case(city, case_id).data
    assert (found["due_on"], found["late_days"] > 0) == ("2026-02-09", True)
