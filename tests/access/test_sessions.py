"""Sessions as rows: one open an account, idle and absolute limits, endings that are told, use from two networks."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import orjson
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workflow.access.accounts import create_account, disable, grant
from workflow.access.models import Account, LoginSession
from workflow.access.scopes import signed_session
from workflow.access.sessions import begin_session, end_session, keep_alive, network_of, revoke_session, token_hash
from workflow.audit.models import ROW
from workflow.db import reading, writing
from workflow.engine.models import Outbox
from workflow.errors import NotFound

MINUTE = timedelta(minutes=1)


@pytest.fixture
def holders(engine: Engine, now: datetime) -> Engine:
    """An account of the county's reviewer and one of a security officer."""
    _make(engine, now)
    return engine


def _make(engine: Engine, now: datetime) -> None:
    with writing(engine) as session:
        for name, role, where in (
            ("r@1", "reviewer", {"scope": "district", "district": "330282"}),
            ("guard", "security", {"scope": "platform"}),
        ):
            create_account(session, name=name, person_name="某某", now=now, by="demo")
            grant(session, account=name, role_name=role, now=now, by="demo", **where)


def ended(engine: Engine, token: str, now: datetime) -> str:
    """How a session has ended; empty while it is in force."""
    with reading(engine) as session:
        found = signed_session(session, token, now)
        assert found is not None
        return found.ended


def begin(engine: Engine, account: str, now: datetime, address: str = "10.1.1.9") -> str:
    with writing(engine) as session:
        return begin_session(session, account, now=now, address=address, agent="x" * 500).token


def told(engine: Engine, kind: str) -> list[dict[str, object]]:
    """The items of the notices of a kind."""
    with reading(engine) as session:
        rows = session.scalars(select(Outbox.payload).where(Outbox.topic == "notice", Outbox.key.startswith(kind)))
        return [item for payload in rows for item in payload["items"]]


def noted(engine: Engine, action: str) -> list[dict[str, object]]:
    """The summaries of the audit entries of an action."""
    with reading(engine) as session:
        return [orjson.loads(text) for text in session.scalars(select(ROW.c.summary).where(ROW.c.action == action))]


def test_a_session_answers_until_it_is_ended(holders: Engine, now: datetime) -> None:
    token = begin(holders, "r@1", now)
    assert ended(holders, token, now) == ""
    with writing(holders) as session:
        end_session(session, token, how="signed_out", now=now)
    assert ended(holders, token, now) == "signed_out"


def test_an_unknown_token_opens_nothing(holders: Engine, now: datetime) -> None:
    with reading(holders) as session:
        assert signed_session(session, "no such token", now) is None


@pytest.mark.parametrize(
    ("account", "minutes", "how"), [("r@1", 15, ""), ("r@1", 15.1, "idle"), ("guard", 10, ""), ("guard", 10.1, "idle")]
)
def test_a_session_idles_out_after_fifteen_minutes_and_an_administrators_after_ten(
    holders: Engine, now: datetime, account: str, minutes: float, how: str
) -> None:
    token = begin(holders, account, now)
    assert ended(holders, token, now + minutes * MINUTE) == how


def test_a_session_in_use_ends_after_eight_hours(holders: Engine, now: datetime) -> None:
    token = begin(holders, "r@1", now)
    for minutes in range(10, 481, 10):
        _keep(holders, token, now + minutes * MINUTE)
    assert ended(holders, token, now + 480 * MINUTE) == ""
    assert ended(holders, token, now + 480.1 * MINUTE) == "expired"


def _keep(engine: Engine, token: str, now: datetime, address: str = "10.1.1.9") -> None:
    with writing(engine) as session:
        row = session.scalars(select(LoginSession).where(LoginSession.token_hash == token_hash(token))).one()
        keep_alive(session, row.id, address=address, now=now)


def test_an_ended_session_is_not_kept_alive(holders: Engine, now: datetime) -> None:
    token = begin(holders, "r@1", now)
    with writing(holders) as session:
        end_session(session, token, how="signed_out", now=now)
    _keep(holders, token, now + MINUTE)
    with reading(holders) as session:
        assert session.scalars(select(LoginSession.seen_at)).one() == now


def test_a_second_sign_in_ends_the_first_and_tells_the_person(holders: Engine, now: datetime) -> None:
    first = begin(holders, "r@1", now)
    second = begin(holders, "r@1", now + MINUTE)
    assert (ended(holders, first, now + MINUTE), ended(holders, second, now + MINUTE)) == ("superseded", "")
    (item,) = told(holders, "session_superseded")
    assert (item["account"], item["link"]) == ("r@1", "/me/sessions")
    assert noted(holders, "session.end") == [{"how": "superseded"}]
    assert told(holders, "session_networks") == []


def test_a_session_that_idled_out_is_no_second_session(holders: Engine, now: datetime) -> None:
    first = begin(holders, "r@1", now)
    begin(holders, "r@1", now + 16 * MINUTE, "172.16.0.9")
    assert ended(holders, first, now + 16 * MINUTE) == "idle"
    assert told(holders, "session_") == []


def test_the_table_holds_one_open_session_an_account(holders: Engine, now: datetime) -> None:
    begin(holders, "r@1", now)
    with pytest.raises(IntegrityError), writing(holders) as session:
        session.add(LoginSession(token_hash="x", account="r@1", created_at=now, seen_at=now, proved_at=now))


def test_sign_ins_that_come_together_leave_one_session_open(both_engines: Engine, now: datetime) -> None:
    _make(both_engines, now)
    failed: list[Exception] = []

    def enter() -> None:
        try:
            begin(both_engines, "r@1", now)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    with reading(both_engines) as session:
        still = select(func.count()).select_from(LoginSession).where(LoginSession.ended_at.is_(None))
        assert session.scalar(still) == 1
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 6


def test_sessions_from_two_networks_alarm_the_security_officers(holders: Engine, now: datetime) -> None:
    begin(holders, "r@1", now, "10.1.1.9")
    begin(holders, "r@1", now + MINUTE, "10.2.1.9")
    (item,) = told(holders, "session_networks")
    assert (item["role"], item["link"]) == ("security", "/sessions?account=r@1")
    assert noted(holders, "session.alarm") == [{"networks": ["10.1.1.0/24", "10.2.1.0/24"]}]


def test_one_session_used_from_two_networks_alarms_once_for_each(holders: Engine, now: datetime) -> None:
    token = begin(holders, "r@1", now, "10.1.1.9")
    for address in ("10.1.1.77", "10.2.1.9", "10.1.1.9", "10.2.1.9", "10.3.1.9"):
        _keep(holders, token, now, address)
    assert [entry["networks"] for entry in noted(holders, "session.alarm")] == [
        ["10.1.1.0/24", "10.2.1.0/24"],
        ["10.1.1.0/24", "10.3.1.0/24"],
    ]
    assert len(told(holders, "session_networks")) == 2


def test_a_revoked_session_is_out_at_once_and_the_person_is_told_why(holders: Engine, now: datetime) -> None:
    token = begin(holders, "r@1", now)
    with writing(holders) as session:
        row = session.scalars(select(LoginSession)).one()
        assert revoke_session(session, row.id, by="guard", now=now, reason="设备遗失") == "r@1"
    assert ended(holders, token, now) == "revoked"
    (item,) = told(holders, "session_revoked")
    assert "设备遗失" in str(item["says"])
    with pytest.raises(NotFound), writing(holders) as session:
        revoke_session(session, row.id, by="guard", now=now)


def test_a_disabled_account_has_no_session_left(holders: Engine, now: datetime) -> None:
    token = begin(holders, "r@1", now)
    with writing(holders) as session:
        disable(session, "r@1", now=now)
    assert ended(holders, token, now) == "disabled"


def test_an_account_disabled_from_another_release_is_out_all_the_same(holders: Engine, now: datetime) -> None:
    token = begin(holders, "r@1", now)
    with writing(holders) as session:
        session.get_one(Account, "r@1").disabled_on = now.date()
    assert ended(holders, token, now) == "disabled"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.1.9", "10.1.1.0/24"),
        ("::ffff:10.1.1.9", "10.1.1.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_the_row_keeps_no_token(session: Session, now: datetime) -> None:
    create_account(session, name="r@1", person_name="某某", now=now, by="demo")
    token = begin_session(session, "r@1", now=now).token
    row = session.scalars(select(LoginSession)).one()
    assert row.token_hash == token_hash(token)
    assert token not in repr(vars(row))
