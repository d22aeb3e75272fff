"""Two security officers at the same account at the same moment: the first act is kept whole, the second is refused in words (办法16 一人一号)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.conftest import Staged
from tests.web.conftest import COUNTY, Visitor, clock_at, found_town
from tests.workers.conftest import eventually
from web.app import create_app
from web.providers import zzd_subject
from workflow.access.accounts import create_account
from workflow.access.demonstration import PASSWORD
from workflow.access.identities import bind
from workflow.access.models import Account, AccountIdentity
from workflow.access.opening import open_account
from workflow.access.scopes import actor_named
from workflow.casework.granting import PROCESS, approve, propose
from workflow.db import reading, writing
from workflow.engine.models import Case
from workflow.errors import Refused
from workflow.settings import Settings

NEW = {"name": f"li@{COUNTY}", "person_name": "张某某", "unit": COUNTY, "person_code": "P00000002"}


@pytest.fixture
def town(
    both_engines: Engine, staged: Staged, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> Engine:
    clock_at(now, tmp_path, monkeypatch)
    staged(both_engines, found_town, now)
    return both_engines


@pytest.fixture
def officer(town: Engine, tmp_path: Path) -> Iterator[Visitor]:
    """The second officer, in the browser."""
    url = town.url.render_as_string(hide_password=False)
    app: Flask = create_app(
        Settings(
            env="test",
            data_dir=tmp_path / "data",
            database_url=url,
            zzd_tenant="1",
            zzd_key="k",
            zzd_secret="s",
            zzd_client_id="c",
        )
    )
    visitor = Visitor(app.test_client())
    assert visitor.post("/sign-in", {"account": "security2", "password": PASSWORD}).status_code == 302
    yield visitor
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def sent_meanwhile(
    town: Engine, officer: Visitor, path: str, sent: dict[str, str], first: Callable[[Session], object]
) -> TestResponse:
    """The answer to what the officer sends while what `first` writes is not committed yet."""
    token = {"csrf_token": officer.token()}
    with ThreadPoolExecutor(1) as pool:
        with writing(town) as session:
            first(session)
            sending = pool.submit(officer.client.post, path, data=sent | token)
            if town.dialect.name == "postgresql":  # the embedded database lets one write begin at a time
                eventually(lambda: _waits(town))
        return sending.result()


def _waits(town: Engine) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with town.connect() as connection:
        return bool(connection.scalar(text(waiting)))


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"person_code": ""}, "已"),
        ({"name": f"li2@{COUNTY}"}, f"本人已有账号 li@{COUNTY}（一人一号）"),
        ({}, f"本人已有账号 li@{COUNTY}（一人一号）"),
    ],
    ids=["the same name", "the same person", "both"],
)
def test_of_two_who_open_the_same_account_the_second_is_refused_and_keeps_what_was_typed(
    town: Engine, officer: Visitor, now: datetime, second: dict[str, str], says: str
) -> None:
    answer = sent_meanwhile(
        town, officer, "/accounts", NEW | second, lambda session: open_account(session, actor_named(session, "security", now), NEW, now)
    )  # fmt: skip
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert says in page
    assert f'value="{(NEW | second)["name"]}"' in page
    with reading(town) as session:
        opened = session.scalars(select(Account).where(Account.name.like("li%"))).all()
        assert [(one.name, one.created_by) for one in opened] == [(NEW["name"], "security")]
    assert officer.post("/accounts", NEW | {"name": f"wu@{COUNTY}", "person_code": ""}).status_code == 302


@pytest.mark.parametrize("bound", [f"clerk@{COUNTY}", f"head@{COUNTY}"], ids=["the same account", "another"])
def test_of_two_who_bind_the_same_identity_the_second_is_refused(
    town: Engine, officer: Visitor, now: datetime, bound: str
) -> None:
    with writing(town) as session:
        create_account(session, name="li", person_name="某", now=now, by="security", district="330200")
    mine, sent = bound.replace(f"clerk@{COUNTY}", "li"), {"provider": "zzd", "subject": "7"}
    answer = sent_meanwhile(
        town, officer, "/accounts/li/bind", sent,
        lambda session: bind(session, mine, "zzd", zzd_subject("1", "7"), now=now, by="security"),
    )  # fmt: skip
    assert answer.status_code == 409
    assert "绑定" in answer.get_data(as_text=True)
    with reading(town) as session:
        assert session.scalars(select(AccountIdentity.account)).all() == [mine]


def test_of_two_proposals_for_one_account_one_change_is_made_and_the_other_is_refused(
    town: Engine, officer: Visitor, now: datetime
) -> None:
    name = f"clerk@{COUNTY}"
    sent = {"kind": "grant", "role": "unit_head", "at_unit": COUNTY, "why": "接替"}

    def first(session: Session) -> None:
        propose(session, actor_named(session, "security", now), sent | {"account": name}, now)

    answer = sent_meanwhile(town, officer, f"/accounts/{name}/changes", sent, first)
    assert answer.status_code == 302
    with reading(town) as session:
        columns = select(Case.id, Case.subject, Case.opened_by).where(Case.process == PROCESS).order_by(Case.id)
        waiting = [tuple(row) for row in session.execute(columns)]
    assert [row[1:] for row in waiting] == [("2026-0001", "security"), ("2026-0002", "security2")]
    answers = [
        approved_by(town, one, case[0], now) for one, case in zip(("security2", "security"), waiting, strict=True)
    ]
    assert answers == ["", "账号在同一范围已有这一角色，期限不短于所填"]


def approved_by(town: Engine, account: str, case_id: int, now: datetime) -> str:
    """Why it could not be, empty where it was."""
    try:
        with writing(town) as session:
            approve(session, actor_named(session, account, now), case_id, now)
    except Refused as refused:
        return refused.says
    return ""
