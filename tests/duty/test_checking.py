"""月排查 and 季更新 (办法15): opened with the calendar, filled in by one, confirmed by another, in time."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.duty.duty_room import FIRST, at, case, filled, opened, settle, step, who
from workflow.casework.seeing import readable
from workflow.duty.checking import MONTHLY, QUARTERLY, open_due_checks
from workflow.duty.facts import READERS
from workflow.engine.models import CASE, OUTBOX
from workflow.engine.registry import book
from workflow.errors import NotAllowed, Refused

ITEMS = [field.name for field in book().process(MONTHLY).form if field.name in READERS]


@pytest.fixture
def house(session: Session) -> Session:
    settle(session)
    return session


def submitted(house: Session) -> int:
    check = opened(house, MONTHLY)
    step(house, check, "edit", "guard1", inputs=filled(ITEMS))
    step(house, check, "submit", "guard1")
    return check


def test_a_check_is_opened_on_the_first_of_each_month_once_and_an_update_each_quarter(house: Session) -> None:
    days = [date(2026, 1, 1) + timedelta(n) for n in range(181)]
    counted = {day: open_due_checks(house, day, at(day, 5)) for day in days}
    assert {day: n for day, n in counted.items() if n} == {
        date(2026, 1, 1): 2, date(2026, 2, 1): 1, date(2026, 3, 1): 1, date(2026, 4, 1): 2, date(2026, 5, 1): 1, date(2026, 6, 1): 1,
    }  # fmt: skip
    assert [open_due_checks(house, day, at(day, 6)) for day in days if day.day == 1] == [0] * 6
    subjects = house.execute(select(CASE.c.process, CASE.c.subject).order_by(CASE.c.id)).all()
    assert subjects[:3] == [(MONTHLY, "2025-12"), (QUARTERLY, "2025-Q4"), (MONTHLY, "2026-01")]


def test_each_item_of_the_issue_is_asked_about_and_has_its_facts(house: Session) -> None:
    assert ITEMS == ["accounts", "permissions", "unused_grants", "failed_sign_ins", "unusual_exports", "patch_level", "backup_drill"]  # fmt: skip
    facts = case(house, opened(house, MONTHLY)).data["facts"]
    assert [fact["item"] for fact in facts] == ITEMS
    assert all(fact["lines"] for fact in facts)
    asked = case(house, house.scalars(select(CASE.c.id).where(CASE.c.process == QUARTERLY)).one()).data["facts"]
    assert [fact["item"] for fact in asked] == [*ITEMS, "passwords", "plan"]


def test_the_security_officers_are_told(house: Session) -> None:
    check = opened(house, MONTHLY)
    told = house.scalars(select(OUTBOX.c.payload).where(OUTBOX.c.key.contains(f"{MONTHLY}.open"))).one()
    assert (told["items"][0]["role"], told["items"][0]["link"]) == ("security", f"/cases/{check}")


def test_nothing_is_submitted_before_every_item_is_judged(house: Session) -> None:
    check = opened(house, MONTHLY)
    for left_out in ITEMS:
        step(house, check, "edit", "guard1", inputs=filled([name for name in ITEMS if name != left_out]))
        with pytest.raises(Refused, match="还须填写"):
            step(house, check, "submit", "guard1")
    assert case(house, check).state == "checking"


def test_what_is_not_in_order_needs_a_measure(house: Session) -> None:
    check = opened(house, MONTHLY)
    step(house, check, "edit", "guard1", inputs=filled(ITEMS, permissions=""))
    with pytest.raises(Refused, match="权限：整改措施"):
        step(house, check, "submit", "guard1")
    step(house, check, "edit", "guard1", inputs=filled(ITEMS, permissions="收回三项，guard1，本周内"))
    step(house, check, "submit", "guard1")
    step(house, check, "confirm", "auditor")
    kept = case(house, check).data
    assert (kept["odd"], kept["confirmed_by"], kept["confirmed_on"]) == (["权限"], "auditor", "2026-04-01")


def test_whoever_filled_it_in_does_not_confirm_it(house: Session) -> None:
    check = submitted(house)
    with pytest.raises(Refused, match="不得自己确认"):
        step(house, check, "confirm", "guard1")
    step(house, check, "confirm", "guard2")
    assert case(house, check).state == "confirmed"


def test_whoever_sends_it_back_may_confirm_it_afterwards(house: Session) -> None:
    check = submitted(house)
    step(house, check, "send_back", "auditor", reason="登录失败未说明原因")
    step(house, check, "submit", "guard1")
    step(house, check, "confirm", "auditor")
    assert case(house, check).state == "confirmed"


def test_others_neither_fill_it_in_nor_see_it(house: Session) -> None:
    check = opened(house, MONTHLY)
    for name in ("reviewer", "admin", "auditor"):
        with pytest.raises(NotAllowed):
            step(house, check, "edit", name, inputs=filled(ITEMS))
    seen = {
        name: house.scalar(select(func.count()).where(CASE.c.id == check, readable(who(house, name))))
        for name in ("guard1", "auditor", "admin", "reviewer")
    }
    assert seen == {"guard1": 1, "auditor": 1, "admin": 1, "reviewer": 0}


def test_who_guards_the_platform_sees_no_case_of_business(house: Session) -> None:
    opened(house, MONTHLY)
    house.execute(CASE.update().where(CASE.c.process == QUARTERLY).values(process="cross_check"))
    for name in ("guard1", "auditor", "admin"):
        assert house.scalars(select(CASE.c.process).where(readable(who(house, name)))).all() == [MONTHLY]


def test_facts_are_taken_anew_before_it_is_submitted(house: Session) -> None:
    check = opened(house, MONTHLY)
    before = case(house, check).data
    step(house, check, "refresh", "guard1", at(FIRST, 15))
    after = case(house, check).data
    assert after["facts_at"] > before["facts_at"]
    assert (after["first"], after["last"]) == ("2026-03-01", "2026-03-31")
