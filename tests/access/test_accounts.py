"""Accounts, passwords, demonstration accounts, saved filters."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.access.conftest import UNITS
from workflow.access.accounts import (
    AccountDisabled,
    AccountLocked,
    SignInFailed,
    authenticate,
    create_account,
    disable,
    grant,
)
from workflow.access.demonstration import PASSWORD, create_demonstration_accounts
from workflow.access.filters import forget_filter, save_filter, saved_filters
from workflow.access.models import Account, Grant
from workflow.access.scopes import actor_named
from workflow.errors import BadInput, Conflict, DefinitionError, NotFound

RIGHT = "correct horse battery"


def test_the_right_password_opens_and_the_row_keeps_no_password(
    session: Session, people: dict[str, str], now: datetime
) -> None:
    account = authenticate(session, "reviewer", RIGHT, now=now)
    assert account.password_hash is not None
    assert account.password_hash.startswith("$argon2id$")
    assert RIGHT not in account.password_hash


def test_the_fifth_failure_locks_for_half_an_hour(session: Session, people: dict[str, str], now: datetime) -> None:
    for _ in range(4):
        with pytest.raises(SignInFailed):
            authenticate(session, "reviewer", "wrong", now=now)
    with pytest.raises(AccountLocked):
        authenticate(session, "reviewer", "wrong", now=now)
    with pytest.raises(AccountLocked):
        authenticate(session, "reviewer", RIGHT, now=now + timedelta(minutes=29, seconds=59))
    assert authenticate(session, "reviewer", RIGHT, now=now + timedelta(minutes=30)).failures == 0


def test_a_run_out_lock_starts_counting_anew(session: Session, people: dict[str, str], now: datetime) -> None:
    for _ in range(5):
        with pytest.raises((SignInFailed, AccountLocked)):
            authenticate(session, "reviewer", "wrong", now=now)
    later = now + timedelta(minutes=31)
    with pytest.raises(SignInFailed):
        authenticate(session, "reviewer", "wrong", now=later)
    assert session.get_one(Account, "reviewer").failures == 1


def test_a_disabled_account_stays_out(session: Session, people: dict[str, str], now: datetime) -> None:
    disable(session, "reviewer", now=now)
    with pytest.raises(AccountDisabled):
        authenticate(session, "reviewer", RIGHT, now=now)
    with pytest.raises(NotFound):
        actor_named(session, "reviewer", now)


def test_an_account_is_made_once_and_a_role_only_in_its_scope(
    session: Session, people: dict[str, str], now: datetime
) -> None:
    with pytest.raises(Conflict):
        create_account(session, name="reviewer", person_name="x", now=now, by="security")
    with pytest.raises(DefinitionError, match="没有角色"):
        grant(session, account="reviewer", role_name="king", scope="platform", now=now, by="security")
    with pytest.raises(BadInput, match="范围"):
        grant(session, account="reviewer", role_name="leader", scope="platform", now=now, by="security")


def test_every_unit_and_office_gets_its_demonstration_accounts_once(
    session: Session, units: dict[str, int], now: datetime
) -> None:
    made = create_demonstration_accounts(session, now=now)
    names = set(session.scalars(select(Account.name)))
    assert {f"{kind}@{code}" for code in UNITS for kind in ("clerk", "head")} <= names
    assert {"reviewer", "leader", "reviewer@330282", "leader@330203", "security", "auditor", "sysadmin"} <= names
    assert made == len(names) == session.scalar(select(func.count()).select_from(Grant))
    assert create_demonstration_accounts(session, now=now) == 0
    assert authenticate(session, "clerk@330282101", PASSWORD, now=now).demo


def test_production_refuses_a_demonstration_account_in_the_words_of_a_wrong_password(
    session: Session, units: dict[str, int], now: datetime
) -> None:
    create_demonstration_accounts(session, now=now)
    with pytest.raises(SignInFailed):
        authenticate(session, "reviewer", PASSWORD, now=now, production=True)


def test_filters_are_kept_per_person_and_list(session: Session, people: dict[str, str], now: datetime) -> None:
    save_filter(session, "reviewer", "tickets", "红灯", {"light": "red"}, now=now)
    kept = save_filter(session, "reviewer", "tickets", " 红灯 ", {"light": "yellow"}, now=now)
    assert [row.filters for row in saved_filters(session, "reviewer", "tickets")] == [{"light": "yellow"}]
    assert saved_filters(session, "leader", "tickets") == []
    with pytest.raises(NotFound):
        forget_filter(session, "leader", kept.id)
    with pytest.raises(BadInput):
        save_filter(session, "reviewer", "tickets", "  ", {}, now=now)
    forget_filter(session, "reviewer", kept.id)
    assert saved_filters(session, "reviewer", "tickets") == []
