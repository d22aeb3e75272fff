"""Accounts that nobody should have any more: who left, whose unit was closed, who was not seen for ninety days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.access.test_passwords import emergency
from workers import daily as running
from workflow.access.accounts import create_account, disable, enable
from workflow.access.leaving import disable_departed, disable_dormant
from workflow.access.models import Account
from workflow.access.scopes import signed_session
from workflow.access.sessions import begin_session
from workflow.audit.models import ROW
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.engine.models import Outbox
from workflow.errors import NotFound
from workflow.operations.daily import Pending
from workflow.registry import records
from workflow.registry.tables import TABLES

BUREAU, SCHOOL, FAR = "330282101", "33028210101", "330203101"
OFFICE: dict[str, Any] = {"by": "reviewer@330282", "may_write_locked": True, "may_create": True}
DAY = timedelta(days=1)


@pytest.fixture
def holder(session: Session, units: dict[str, int], now: datetime) -> Session:
    """A clerk of the bureau who stands in the roster, and one of its contract staff."""
    person = {"person_code": "P00000001", "name": "王小明", "unit": units[BUREAU], "estab_status": "1"}
    records.write(session, "person", [person], now=now, **OFFICE)
    hired = {"contract_code": "C00000001", "name": "李小红", "unit": units[BUREAU], "status": "1"}
    records.write(session, "contract", [hired], now=now, **OFFICE)
    for name, code in (("wang", "P00000001"), ("li", "C00000001")):
        place = {"unit_id": units[BUREAU], "person_code": code}
        create_account(session, name=name, person_name="某某", now=now, by="security", **place)
    return session


def change(session: Session, dataset: str, now: datetime, **row: Any) -> None:
    records.write(session, dataset, [row], now=now, **OFFICE)


def enabled(session: Session) -> set[str]:
    return set(session.scalars(select(Account.name).where(Account.disabled_on.is_(None))))


def told(session: Session) -> list[dict[str, Any]]:
    found = session.scalars(select(Outbox.payload).where(Outbox.key.startswith("account_disabled")))
    return [item for payload in found for item in payload["items"]]


@pytest.mark.parametrize(
    ("dataset", "row", "gone"),
    [
        ("person", {"person_code": "P00000001", "estab_status": "3"}, "wang"),
        ("contract", {"contract_code": "C00000001", "status": "2"}, "li"),
    ],
)
def test_who_leaves_loses_the_account_in_the_same_transaction(
    holder: Session, now: datetime, dataset: str, row: dict[str, Any], gone: str
) -> None:
    token = begin_session(holder, gone, now=now).token
    change(holder, dataset, now, **row)
    assert enabled(holder) == {"wang", "li"} - {gone}
    found = signed_session(holder, token, now)
    assert found is not None
    assert found.ended == "disabled"


def test_it_is_told_to_the_security_officers_and_to_the_head_of_the_unit(
    holder: Session, units: dict[str, int], now: datetime
) -> None:
    change(holder, "person", now, person_code="P00000001", estab_status="3")
    security, head = told(holder)
    assert (security["role"], head["role"], head["unit_id"]) == ("security", "unit_head", units[BUREAU])
    assert security["title"] == "账号 wang 已停用：人员已出编或离职"


def test_a_removed_record_takes_the_account_along(holder: Session, now: datetime) -> None:
    person = TABLES["person"].c
    found = holder.scalar(select(person.id).where(person.person_code == "P00000001"))
    records.remove(holder, "person", [found], by="reviewer@330282", now=now, basis="重复登记")
    assert enabled(holder) == {"li"}


def test_who_moves_to_another_unit_loses_the_account_of_the_old_one(
    holder: Session, units: dict[str, int], now: datetime
) -> None:
    change(holder, "person", now, person_code="P00000001", unit=units[SCHOOL])
    assert enabled(holder) == {"wang", "li"}, "a subordinate unit is not away"
    change(holder, "person", now, person_code="P00000001", unit=units[FAR])
    assert enabled(holder) == {"li"}


@pytest.mark.parametrize(("status", "left"), [("1", True), ("2", True), ("3", False), ("4", False), ("5", False)])
def test_a_unit_that_is_closed_takes_its_accounts_along(
    holder: Session, units: dict[str, int], now: datetime, status: str, left: bool
) -> None:
    change(holder, "unit", now, unit_code=BUREAU, status=status)
    assert enabled(holder) == ({"wang", "li"} if left else set())


def test_what_does_not_make_anybody_leave_leaves_the_accounts(holder: Session, now: datetime) -> None:
    change(holder, "person", now, person_code="P00000001", estab_status="4", native_place="浙江余姚")
    assert disable_departed(holder, now) == 0
    assert enabled(holder) == {"wang", "li"}


def test_a_demonstration_account_is_nobodys(holder: Session, units: dict[str, int], now: datetime) -> None:
    create_account(holder, name="demo", person_name="某某", now=now, by="demo", demo=True, unit_id=units[BUREAU])
    change(holder, "unit", now, unit_code=BUREAU, status="3")
    assert disable_dormant(holder, now + 100 * DAY) == 0
    assert enabled(holder) == {"demo"}


def test_an_account_that_was_not_used_for_ninety_days_is_disabled(holder: Session, now: datetime) -> None:
    assert disable_dormant(holder, now + 90 * DAY) == 0
    begin_session(holder, "wang", now=now + 10 * DAY)
    assert disable_dormant(holder, now + 90 * DAY + timedelta(seconds=1)) == 1
    assert enabled(holder) == {"wang"}
    assert disable_dormant(holder, now + 100 * DAY) == 0
    assert disable_dormant(holder, now + 100 * DAY + timedelta(seconds=1)) == 1
    assert {item["title"] for item in told(holder) if item["role"] == "security"} == {
        "账号 li 已停用：连续 90 天未登录",
        "账号 wang 已停用：连续 90 天未登录",
    }


def test_an_account_for_emergencies_is_there_to_be_unused(holder: Session, now: datetime) -> None:
    emergency(holder, "one", now)
    assert disable_dormant(holder, now + 91 * DAY) == 2
    assert enabled(holder) == {"one"}


def test_an_account_that_is_enabled_anew_has_ninety_days_again(holder: Session, now: datetime) -> None:
    disable(holder, "wang", now=now)
    enable(holder, "wang", now=now + 91 * DAY, by="security")
    assert disable_dormant(holder, now + 100 * DAY) == 1, "li alone"
    assert enabled(holder) == {"wang"}
    with pytest.raises(NotFound):
        enable(holder, "wang", now=now, by="security")


def test_the_daily_job_disables_both_kinds_and_notes_each(both_engines: Engine, now: datetime) -> None:
    later = now + 91 * DAY
    with writing(both_engines) as session:
        records.write(
            session, "unit", [{"unit_code": BUREAU, "name": "甲", "district_code": "330282"}], now=now, **OFFICE
        )
        unit = session.scalar(select(TABLES["unit"].c.id))
        person = {"person_code": "P00000001", "name": "王小明", "unit": unit, "estab_status": "3"}
        records.write(session, "person", [person], now=now, **OFFICE)
        for name, code in (("wang", "P00000001"), ("li", None)):
            create_account(
                session, name=name, person_name="某某", now=now, by="security", unit_id=unit, person_code=code
            )
    assert running.run_job(both_engines, Pending(business_date(later), "accounts", later), later)
    with reading(both_engines) as session:
        rows = session.execute(select(ROW).where(ROW.c.action == "account.disable").order_by(ROW.c.seq)).all()
        assert [(row.object_key, orjson.loads(row.summary)["why"]) for row in rows] == [
            ("wang", "left"),
            ("li", "dormant"),
        ]
