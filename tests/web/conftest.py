"""A small town on the web: a city bureau, a county bureau with its school, a neighbour, another county; each with one person whose record is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, func, select
from werkzeug.test import TestResponse

from tests.conftest import Staged
from tests.databases import open_sharing
from web.app import create_app
from workflow import prepared
from workflow.access.demonstration import PASSWORD, create_demonstration_accounts
from workflow.access.walls import conditions
from workflow.casework.models import HOLD_APPLY, Hold
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.engine.models import CASE
from workflow.engine.outbox import insert_new
from workflow.quality.models import RedRound, Ticket
from workflow.quality.run import run_check
from workflow.registry import records
from workflow.registry.models import ApprovalNotice, QuotaCounter
from workflow.registry.tables import TABLES
from workflow.scoping import wall_in
from workflow.settings import Settings

CITY, COUNTY, SCHOOL, NEIGHBOUR, FAR = "330200101", "330282101", "33028210101", "330282102", "330203101"
UNITS = {CITY: "330200", COUNTY: "330282", SCHOOL: "330282", NEIGHBOUR: "330282", FAR: "330203"}
META = re.compile(r'name="csrf-token" content="([^"]+)"')


@dataclass(frozen=True)
class Town:
    """The town's database, its units by code, and the clock that tests move."""

    engine: Engine
    units: dict[str, int]
    clock: Path

    def tickets(self, code: str) -> list[Ticket]:
        """The tickets of one unit, in order."""
        with reading(self.engine) as session:
            found = session.scalars(select(Ticket).where(Ticket.unit_id == self.units[code]).order_by(Ticket.id)).all()
            session.expunge_all()
            return list(found)

    def set_clock(self, moment: datetime) -> None:
        """Move the present."""
        self.clock.write_text(moment.isoformat(), encoding="utf-8")


class Visitor:
    """A browser: keeps its cookie, sends the page's token with each form."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token(), **(data or {})}, **more)

    def token(self) -> str:
        page = self.client.get("/notices", follow_redirects=True).get_data(as_text=True)
        found = META.search(page)
        assert found, page[:500]
        return found[1]


def found_town(engine: Engine, now: datetime) -> dict[str, int]:
    """Units, people, accounts and the first check; returns the units' ids by code."""
    with writing(engine) as session:
        office = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        rows = [
            {"unit_code": code, "name": f"示例单位{code}号", "district_code": place} for code, place in UNITS.items()
        ]
        records.write(session, "unit", rows, **office)
        unit = TABLES["unit"].c
        ids = dict(session.execute(select(unit.unit_code, unit.id)).all())
        records.write(session, "unit", [{"unit_code": SCHOOL, "parent": ids[COUNTY]}], **office)
        people = [{"name": "张某某", "unit": ids[code], "person_code": f"P{n:08d}"} for n, code in enumerate(UNITS, 1)]
        records.write(session, "person", people, **office)
        create_demonstration_accounts(session, now=now)
    run_check(engine, business_date(now), now, kind="full")
    return ids


def found_matters(engine: Engine, units: dict[str, int], now: datetime) -> None:
    """What is not a record and yet a unit's, written for every unit: a count of red, a quota, a notice with its term; and a hold on the
    county bureau that binds its school."""
    from_on = business_date(now)
    with writing(engine) as session:
        cases = dict(session.execute(select(CASE.c.unit_id, func.min(CASE.c.id)).group_by(CASE.c.unit_id)).all())
        for code, unit in units.items():
            session.add_all([
                RedRound(unit_id=unit, kind="round", on=from_on, streak=1, written_at=now),
                ApprovalNotice(case_id=cases[unit], number=code, kind="use", unit_id=unit, issued_on=from_on, valid_until=from_on),
            ])  # fmt: skip
        rows = [{"unit_id": unit, "quota_type": "1"} for unit in units.values()]
        session.execute(insert_new(session, QuotaCounter, ["unit_id", "quota_type"]), rows)
        source = units[COUNTY]
        held = {
            "case_id": cases[source],
            "source_unit_id": source,
            "kind": HOLD_APPLY,
            "from_on": from_on,
            "until_on": from_on,
        }
        session.add_all(Hold(unit_id=units[code], written_at=now, **held) for code in (COUNTY, SCHOOL))


def clock_at(moment: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says what the platform's present is; a test moves it by writing another moment."""
    clock = tmp_path / "clock"
    clock.write_text(moment.isoformat(), encoding="utf-8")
    monkeypatch.setenv("SANDENG_CLOCK", f"file:{clock}")
    return clock


@pytest.fixture
def town(engine: Engine, staged: Staged, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Town:
    """The town after its first check, on Monday 2 March 2026 at nine."""
    clock = clock_at(now, tmp_path, monkeypatch)
    return Town(engine, staged(engine, found_town, now), clock)


@pytest.fixture
def house(town: Town, tmp_path: Path) -> Settings:
    """The settings of the application on the town's database."""
    url = town.engine.url.render_as_string(hide_password=False)
    return Settings(env="test", data_dir=tmp_path / "data", database_url=url)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application, which takes longer to put together than most tests take; `app` moves it to the test's database."""
    place = tmp_path_factory.mktemp("house")
    return create_app(Settings(env="test", data_dir=place, database_url=f"sqlite:///{place}/house.db"))


@pytest.fixture
def app(built_once: Flask, house: Settings) -> Iterator[Flask]:
    """The application on the town's database. A test that changes it asks for `own_app`."""
    built_once.extensions["sandeng"] = house
    built_once.extensions.pop("sandeng.rules", None)
    built_once.config.update(SECRET_KEY=house.session_key, SQLALCHEMY_DATABASE_URI=house.database)
    with built_once.app_context():
        engines = built_once.extensions["sqlalchemy"].engines
        engines[None] = wall_in(open_sharing(house.database), conditions)
    yield built_once
    engines[None].dispose()


@pytest.fixture
def own_app(house: Settings) -> Iterator[Flask]:
    """An application of the test's own on the town's database."""
    made = create_app(house)
    yield made
    with made.app_context():
        made.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def stranger(app: Flask) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(app.test_client())


@pytest.fixture
def sign_in(app: Flask) -> Callable[[str], Visitor]:
    """A function that signs an account in and gives its browser: the one that it has, for a second session would end the first."""
    browsers: dict[str, Visitor] = {}

    def enter(account: str, password: str = PASSWORD, *, elsewhere: bool = False) -> Visitor:
        known = browsers.get(account)
        if known is not None and not elsewhere and known.get("/me/sessions").status_code == 200:
            return known
        visitor = Visitor(app.test_client())
        answer = visitor.post("/sign-in", {"account": account, "password": password})
        assert answer.status_code == 302, answer.get_data(as_text=True)
        browsers[account] = visitor
        return visitor

    return enter


@pytest.fixture
def clerk(sign_in: Callable[[str], Visitor]) -> Visitor:
    """The county bureau's clerk."""
    return sign_in(f"clerk@{COUNTY}")


@pytest.fixture
def reviewer(sign_in: Callable[[str], Visitor]) -> Visitor:
    """The county office's reviewer."""
    return sign_in("reviewer@330282")


@pytest.fixture
def leader(sign_in: Callable[[str], Visitor]) -> Visitor:
    """The county office's leader."""
    return sign_in("leader@330282")


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that the application runs meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SET ")):
            statements.append(statement)

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    honest = prepared._execute

    def noted(connection: Any, sql: str, values: Any, **more: Any) -> Any:
        statements.append(sql)
        return honest(connection, sql, values, **more)

    event.listen(engine, "before_cursor_execute", note)
    prepared._execute = noted
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
        prepared._execute = honest
