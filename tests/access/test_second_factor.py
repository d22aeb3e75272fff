"""One-time codes: the vectors of RFC 6238, a code once, a secret that is shown once and sealed."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from workflow.access.accounts import create_account
from workflow.access.crypto import field_cipher
from workflow.access.models import SecondFactor
from workflow.access.rotation import sealed_columns
from workflow.access.second_factor import (
    STEP,
    begin_enrolment,
    code_of,
    enrolled,
    enrolment_address,
    reset,
    use_code,
)
from workflow.db import writing

RFC_6238_KEY = b"12345678901234567890"


def device(session: Session, account: str = "one") -> bytes:
    """The key that the device of an account holds."""
    row = session.scalars(select(SecondFactor).where(SecondFactor.account == account)).one()
    return base64.b32decode(field_cipher().open(row.secret_enc))


def code_at(key: bytes, moment: datetime) -> str:
    """What the device shows at a moment."""
    return code_of(key, int(moment.timestamp()) // STEP)


@pytest.fixture
def enrolling(session: Session, now: datetime) -> Session:
    create_account(session, name="one", person_name="某某", now=now, by="security")
    begin_enrolment(session, "one", now)
    return session


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    assert code_of(RFC_6238_KEY, seconds // STEP, 8) == code


def test_the_first_right_code_confirms_the_device_and_the_secret_is_shown_no_more(
    enrolling: Session, now: datetime
) -> None:
    address = urlsplit(enrolment_address(enrolling, "one"))
    told = parse_qs(address.query)
    assert (address.scheme, address.netloc, unquote(address.path)) == ("otpauth", "totp", "/三灯:one")
    assert (told["digits"], told["period"], told["issuer"]) == (["6"], ["30"], ["三灯"])
    key = base64.b32decode(told["secret"][0])
    assert len(key) == 20
    assert not enrolled(enrolling, "one")
    assert use_code(enrolling, "one", code_at(key, now), now)
    assert enrolled(enrolling, "one")
    assert enrolment_address(enrolling, "one") == ""
    begin_enrolment(enrolling, "one", now)
    assert device(enrolling) == key, "who is enrolled is not enrolled anew"


def test_a_code_is_used_once_and_so_are_those_before_it(enrolling: Session, now: datetime) -> None:
    key = device(enrolling)
    before, present = (code_at(key, now - timedelta(seconds=s)) for s in (STEP, 0))
    assert use_code(enrolling, "one", present, now)
    assert not use_code(enrolling, "one", present, now)
    assert not use_code(enrolling, "one", before, now)
    later = now + timedelta(seconds=STEP)
    assert use_code(enrolling, "one", code_at(key, later), later)


@pytest.mark.parametrize(("seconds", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_half_a_minute_off(enrolling: Session, seconds: int, taken: bool) -> None:
    now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    code = code_at(device(enrolling), now + timedelta(seconds=seconds))
    assert use_code(enrolling, "one", code, now) is taken


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "      "])
def test_what_is_no_code_is_refused(enrolling: Session, now: datetime, code: str) -> None:
    assert not use_code(enrolling, "one", code, now)


def test_nobody_has_a_code_without_a_device(session: Session, now: datetime) -> None:
    assert not use_code(session, "nobody", "123456", now)
    assert not enrolled(session, "nobody")


def test_a_device_that_was_lost_is_forgotten(enrolling: Session, now: datetime) -> None:
    key = device(enrolling)
    assert use_code(enrolling, "one", code_at(key, now), now)
    reset(enrolling, "one", now=now, by="security")
    begin_enrolment(enrolling, "one", now)
    assert device(enrolling) != key


def test_the_secret_is_sealed_and_goes_along_when_the_key_is_changed(enrolling: Session) -> None:
    row = enrolling.scalars(select(SecondFactor)).one()
    secret = field_cipher().open(row.secret_enc)
    assert secret.encode() not in row.secret_enc
    assert ("second_factor", "secret_enc") in {(one.table.name, one.column) for one in sealed_columns()}


def test_a_code_that_is_sent_twice_at_once_opens_once(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        create_account(session, name="one", person_name="某某", now=now, by="security")
        begin_enrolment(session, "one", now)
        code = code_at(device(session), now)
    found: list[bool] = []

    def use() -> None:
        with writing(both_engines) as session:
            found.append(use_code(session, "one", code, now))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(found) == [False, False, False, True]
