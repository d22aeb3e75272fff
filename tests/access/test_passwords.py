"""Passwords of the two accounts for emergencies: what is taken, how long it lasts, which ones come no more, and that there are two."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workflow.access.accounts import (
    AccountLocked,
    PasswordExpired,
    SignInFailed,
    authenticate,
    authenticate_code,
    create_account,
)
from workflow.access.models import Account, BreakGlass, PastPassword, SecondFactor
from workflow.access.passwords import end_break_glass, faults_of, make_break_glass, set_password
from workflow.db import reading, writing
from workflow.errors import BadInput, Refused

GOOD = "Lantern-3-of-Ningbo"


def emergency(session: Session, name: str, now: datetime) -> None:
    """An account for emergencies with its first password."""
    create_account(session, name=name, person_name="某某", now=now, by="security")
    make_break_glass(session, name, now=now, by="security")
    set_password(session, name, GOOD, now=now, by="security")


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("Aa1-Aa1-Aa1", "至少 12"),
        ("onlysmallletters", "三类"),
        ("small4nd5digits6", "三类"),
        ("SMALL-AND-CAPITAL", "三类"),
        ("My-Guard-is-good-1", "不得包含账号"),
        ("Aa1-" * 60, "最长"),
    ],
)
def test_a_weak_password_is_not_taken(password: str, fault: str) -> None:
    (found,) = faults_of(password, "guard@330200")
    assert fault in found


@pytest.mark.parametrize(
    "password", ["Aa1Aa1Aa1Aa1", "aa1-aa1-aa1-", "AA1-AA1-AA1-", "Aa--Aa--Aa--", "三类Ab1Ab1Ab1Ab1"]
)
def test_twelve_characters_of_three_classes_are_enough(password: str) -> None:
    assert faults_of(password, "guard@330200") == []


def test_only_an_account_for_emergencies_gets_a_password(session: Session, now: datetime) -> None:
    create_account(session, name="r@1", person_name="某某", now=now, by="security")
    with pytest.raises(Refused, match="应急账号"):
        set_password(session, "r@1", GOOD, now=now, by="security")


def test_a_third_account_for_emergencies_is_refused(session: Session, now: datetime) -> None:
    for name in ("one", "two"):
        emergency(session, name, now)
    create_account(session, name="three", person_name="某某", now=now, by="security")
    with pytest.raises(Refused, match="最多 2 个"):
        make_break_glass(session, "three", now=now, by="security")
    end_break_glass(session, "one", now=now, by="security")
    assert make_break_glass(session, "three", now=now, by="security").slot == 1


def test_the_table_has_no_room_for_a_third(engine: Engine, now: datetime) -> None:
    with writing(engine) as session:
        for name in ("one", "two"):
            emergency(session, name, now)
        create_account(session, name="three", person_name="某某", now=now, by="security")
    for slot in (0, 1, 2, 3):
        with pytest.raises(IntegrityError), writing(engine) as session:
            session.add(BreakGlass(slot=slot, account="three", given_at=now, given_by="security"))


def test_production_takes_a_password_from_accounts_for_emergencies_alone(session: Session, now: datetime) -> None:
    create_account(session, name="r@1", person_name="某某", now=now, by="security", password=GOOD)
    emergency(session, "one", now)
    with pytest.raises(SignInFailed):
        authenticate(session, "r@1", GOOD, now=now, production=True)
    assert authenticate(session, "one", GOOD, now=now, production=True).name == "one"


def test_the_last_five_passwords_come_no_more(session: Session, now: datetime) -> None:
    emergency(session, "one", now)
    for n in range(1, 5):
        set_password(session, "one", f"{GOOD}-{n}", now=now, by="one")
    for old in (GOOD, f"{GOOD}-1", f"{GOOD}-4"):
        with pytest.raises(BadInput, match="最近 5 次"):
            set_password(session, "one", old, now=now, by="one")
    set_password(session, "one", f"{GOOD}-5", now=now, by="one")
    set_password(session, "one", GOOD, now=now, by="one")
    assert session.scalar(select(func.count()).select_from(PastPassword)) == 5


def test_a_password_lasts_ninety_days_and_can_then_only_be_changed(session: Session, now: datetime) -> None:
    emergency(session, "one", now)
    last = now + timedelta(days=90)
    assert authenticate(session, "one", GOOD, now=last)
    later = last + timedelta(seconds=1)
    with pytest.raises(PasswordExpired):
        authenticate(session, "one", GOOD, now=later)
    assert authenticate(session, "one", GOOD, now=later, to_change=True)
    set_password(session, "one", f"{GOOD}-2", now=later, by="one")
    assert authenticate(session, "one", f"{GOOD}-2", now=later)


def test_who_is_no_account_for_emergencies_any_more_keeps_nothing(session: Session, now: datetime) -> None:
    emergency(session, "one", now)
    session.add(SecondFactor(account="one", secret_enc=b"x", begun_at=now))
    session.flush()
    end_break_glass(session, "one", now=now, by="security")
    assert session.get_one(Account, "one").password_hash is None
    for kind in (BreakGlass, PastPassword, SecondFactor):
        assert session.scalar(select(func.count()).select_from(kind)) == 0


def test_wrong_codes_count_like_wrong_passwords_and_a_right_password_does_not_forgive_them(
    session: Session, now: datetime
) -> None:
    emergency(session, "one", now)
    for _ in range(4):
        authenticate(session, "one", GOOD, now=now)
        with pytest.raises(Refused):
            authenticate_code(session, "one", "000000", now=now)
    with pytest.raises(AccountLocked):
        authenticate_code(session, "one", "000000", now=now)
    with pytest.raises(AccountLocked):
        authenticate(session, "one", GOOD, now=now + timedelta(minutes=29))


def test_failures_that_come_together_are_each_counted(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        create_account(session, name="r@1", person_name="某某", now=now, by="security", password=GOOD)
    found: list[type] = []

    def fail() -> None:
        with writing(both_engines) as session:
            try:
                authenticate(session, "r@1", "wrong", now=now)
            except Refused as refused:
                found.append(type(refused))

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (found.count(SignInFailed), found.count(AccountLocked)) == (4, 4)
    with reading(both_engines) as session:
        assert session.get_one(Account, "r@1").failures == 5
