"""ID numbers in full: after a fresh proof of identity, with a reason, registered, within scope; otherwise only the mask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import orjson
import pytest
from sqlalchemy import select

from tests.web.conftest import COUNTY, FAR, Town, Visitor, counted
from workflow.access.demonstration import PASSWORD
from workflow.access.models import Account, SensitiveReading
from workflow.audit.models import ROW
from workflow.db import reading, writing
from workflow.registry import records
from workflow.registry.identity import id_check

FIRST = "33028219900307001"
NUMBER = FIRST + id_check(FIRST)
WHO, PLACE = f"clerk@{COUNTY}", "/records/person/P90000001/reveal"
REASON = {"reason": "核对入编档案"}


@pytest.fixture
def known(town: Town, now: datetime) -> Town:
    """A person of the county bureau with an ID number, and one of another county."""
    with writing(town.engine) as session:
        for code, unit in (("P90000001", COUNTY), ("P90000002", FAR)):
            row = {"person_code": code, "name": "王小明", "unit": town.units[unit], "id_no": NUMBER}
            records.write(session, "person", [row], by="x", now=now, may_write_locked=True, may_create=True)
    return town


def later(town: Town, now: datetime, **more: int) -> None:
    town.set_clock(now + timedelta(**more))


def test_a_page_shows_the_mask_and_leads_to_the_number(known: Town, clerk: Visitor) -> None:
    page = clerk.get("/records/person/P90000001").get_data(as_text=True)
    assert NUMBER not in page
    assert PLACE in page


def test_a_fresh_proof_and_a_reason_show_the_number_and_are_registered(known: Town, clerk: Visitor) -> None:
    assert NUMBER not in clerk.get(PLACE).get_data(as_text=True)
    answer = clerk.post(PLACE, REASON)
    assert NUMBER in answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    with reading(known.engine) as session:
        row = session.scalars(select(SensitiveReading)).one()
        assert (row.account, row.record_key, row.reason) == (WHO, "P90000001", REASON["reason"])
        entry = session.execute(select(ROW).where(ROW.c.action == "record.reveal")).one()
        assert (entry.actor, entry.object_kind, entry.object_key) == (WHO, "person", "P90000001")
        assert orjson.loads(entry.summary)["reading"] == row.id
        assert REASON["reason"] not in entry.summary


@pytest.mark.parametrize("reason", ["", "  ", "核对", "核对 330282199003070011", "x" * 201])
def test_without_a_reason_in_words_nothing_is_shown(known: Town, clerk: Visitor, reason: str) -> None:
    answer = clerk.post(PLACE, {"reason": reason})
    assert answer.status_code == 400
    assert NUMBER not in answer.get_data(as_text=True)
    with reading(known.engine) as session:
        assert session.scalars(select(SensitiveReading)).all() == []


def test_a_proof_is_fresh_for_five_minutes(known: Town, clerk: Visitor, now: datetime) -> None:
    later(known, now, minutes=5)
    assert NUMBER in clerk.post(PLACE, REASON).get_data(as_text=True)
    later(known, now, minutes=5, seconds=1)
    for answer in (clerk.get(PLACE), clerk.post(PLACE, REASON)):
        assert answer.location == f"/me/prove?next={PLACE}"
        assert NUMBER not in answer.get_data(as_text=True)


def test_a_password_makes_the_proof_fresh_again(known: Town, clerk: Visitor, now: datetime) -> None:
    later(known, now, minutes=6)
    assert clerk.post("/me/prove", {"password": PASSWORD, "next": PLACE}).location == PLACE
    assert NUMBER in clerk.post(PLACE, REASON).get_data(as_text=True)


def test_a_wrong_password_makes_nothing_fresh_and_is_counted(known: Town, clerk: Visitor, now: datetime) -> None:
    later(known, now, minutes=6)
    assert clerk.post("/me/prove", {"password": "wrong", "next": PLACE}).status_code == 401
    assert clerk.post(PLACE, REASON).status_code == 302
    with reading(known.engine) as session:
        assert session.get_one(Account, WHO).failures == 1
    for _ in range(4):
        clerk.post("/me/prove", {"password": "wrong"})
    assert clerk.post("/me/prove", {"password": PASSWORD}).status_code == 423


def test_after_a_proof_one_goes_nowhere_outside(known: Town, clerk: Visitor) -> None:
    assert clerk.post("/me/prove", {"password": PASSWORD, "next": "https://evil.example"}).location == "/"


def test_a_number_out_of_scope_does_not_exist(known: Town, clerk: Visitor) -> None:
    answer = clerk.post("/records/person/P90000002/reveal", REASON)
    assert answer.status_code == 404
    assert NUMBER not in answer.get_data(as_text=True)
    assert clerk.get(f"/records/unit/{COUNTY}/reveal").status_code == 404, "a unit has none"


@pytest.mark.parametrize("account", [f"head@{COUNTY}", "leader@330282", "security", "auditor", "sysadmin"])
def test_who_needs_no_number_sees_none(known: Town, sign_in: Callable[[str], Visitor], account: str) -> None:
    visitor = sign_in(account)
    assert visitor.post(PLACE, REASON).status_code == 403
    assert "查看完整号码" not in visitor.get("/records/person/P90000001").get_data(as_text=True)


def test_the_auditor_reads_who_and_why(known: Town, clerk: Visitor, sign_in: Callable[[str], Visitor]) -> None:
    clerk.post(PLACE, REASON)
    page = sign_in("auditor").get("/audit/record?dataset=person&key=P90000001").get_data(as_text=True)
    assert "查看过完整身份证号的人" in page
    assert REASON["reason"] in page
    assert NUMBER not in page


def test_the_page_of_the_number_takes_at_most_twelve_statements(known: Town, clerk: Visitor) -> None:
    with counted(clerk.client.application) as statements:
        clerk.get(PLACE)
    assert len(statements) <= 12
