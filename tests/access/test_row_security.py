"""The third wall, alone, on the real PostgreSQL: what row-level security and the roles at run time let through when the others are gone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, select, text
from sqlalchemy.exc import ProgrammingError

from tests.conftest import Staged
from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, SCHOOL, UNITS, Visitor, clock_at, found_matters, found_town
from web.app import create_app
from web.database import engine_released, session
from web.permissions import signed_in_only
from workflow.access.demonstration import PASSWORD
from workflow.access.row_security import lower_walls, prove_walls, raise_walls
from workflow.access.walls import conditions
from workflow.clock import business_date
from workflow.db import Base, analyze, open_engine, reading
from workflow.errors import BadInput
from workflow.quality.models import Ticket
from workflow.quality.run import run_check
from workflow.registry.tables import TABLES
from workflow.scoping import Reach, whole_view
from workflow.settings import Settings

PERSON = TABLES["person"]
UNSEEN = 'SELECT unit_id FROM U&"p\\0065rson"'  # a query that no wall in the program knows for what it is


@dataclass(frozen=True)
class Walled:
    """The town behind the wall: one engine a role."""

    units: dict[str, int]
    owner: Engine
    runtime: Engine
    system: Engine
    roles: tuple[str, str, str]

    @property
    def system_role(self) -> str:
        return self.roles[2]


@pytest.fixture
def walled(
    pg_engine: Engine, staged: Staged, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Walled]:
    """The town's tables given to an owner, the walls raised, and three roles that go with the test."""
    clock_at(now, tmp_path, monkeypatch)
    units = staged(pg_engine, found_town, now)
    family = uuid.uuid4().hex[:10]
    owner, runtime, system = (f"sandeng_{kind}_{family}" for kind in ("owner", "runtime", "system"))
    office = create_engine(pg_engine.url, isolation_level="AUTOCOMMIT")
    with office.connect() as connection:
        connection.execute(text(f"CREATE ROLE {owner} LOGIN"))
        connection.execute(text(f"CREATE ROLE {system} NOLOGIN"))
        connection.execute(text(f"CREATE ROLE {runtime} LOGIN NOINHERIT IN ROLE {system}"))
        connection.execute(text(f"ALTER SCHEMA public OWNER TO {owner}"))
        for table in Base.metadata.tables:
            connection.execute(text(f'ALTER TABLE "{table}" OWNER TO {owner}'))
        for function in connection.scalars(
            text("SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        ).all():
            connection.execute(text(f"ALTER FUNCTION {function} OWNER TO {owner}"))
    engines = {name: open_engine(str(pg_engine.url.set(username=name))) for name in (owner, runtime)}
    whole = open_engine(str(pg_engine.url.set(username=runtime)), role=system)
    with engines[owner].begin() as connection:
        raise_walls(connection, runtime, system)
    yield Walled(units, engines[owner], engines[runtime], whole, (owner, runtime, system))
    for engine in (*engines.values(), whole):
        engine.dispose()
    with office.connect() as connection:
        for role in (runtime, system, owner):
            connection.execute(text(f"REASSIGN OWNED BY {role} TO CURRENT_USER"))
            connection.execute(text(f"DROP OWNED BY {role}"))
        for role in (runtime, system, owner):
            connection.execute(text(f"DROP ROLE {role}"))
    office.dispose()


def within(connection: Connection, reach: Reach) -> None:
    connection.exec_driver_sql(reach.settings())


def test_without_a_scope_the_runtime_role_sees_no_row(walled: Walled) -> None:
    with walled.runtime.connect() as connection:
        for table in conditions("postgresql"):
            assert connection.scalar(text(f'SELECT count(*) FROM "{table}"')) == 0, table
    with walled.system.connect() as connection:
        for table in ("person", "ticket", "case_file", "case_history", "record_version"):
            assert (connection.scalar(text(f'SELECT count(*) FROM "{table}"')) or 0) > 0, table


@pytest.mark.parametrize(
    ("units", "districts", "seen"),
    [
        ([COUNTY], [], {COUNTY, SCHOOL}),
        ([SCHOOL], [], {SCHOOL}),
        ([SCHOOL, FAR], [], {SCHOOL, FAR}),
        ([], ["330282"], {COUNTY, SCHOOL, NEIGHBOUR}),
        ([], ["330203"], {FAR}),
        ([], ["3302"], set()),  # a prefix is no county
    ],
)
def test_with_a_scope_it_sees_just_that_part_of_the_tree(
    walled: Walled, units: list[str], districts: list[str], seen: set[str]
) -> None:
    reach = Reach(tuple(walled.units[code] for code in units), tuple(districts), signed=True)
    expected = {walled.units[code] for code in seen}
    with walled.runtime.connect() as connection:
        within(connection, reach)
        for table in ("person", "ticket", "case_file"):
            assert set(connection.scalars(text(f"SELECT unit_id FROM {table} WHERE unit_id IS NOT NULL"))) == expected
        for child in ("SELECT c.unit_id FROM case_history h JOIN case_file c ON c.id = h.case_id",):
            assert set(connection.scalars(text(child))) == expected
        versions = set(connection.scalars(text("SELECT record_id FROM record_version WHERE dataset = 'person'")))
        assert versions == set(connection.scalars(text("SELECT id FROM person")))
        connection.rollback()  # the scope goes with its transaction
        assert connection.scalar(text("SELECT count(*) FROM person")) == 0


@pytest.mark.parametrize(
    ("unit", "seen", "held"),
    [
        (COUNTY, {COUNTY, SCHOOL}, {COUNTY, SCHOOL}),
        (SCHOOL, {SCHOOL}, {SCHOOL}),  # bound by the hold on its superior
        (NEIGHBOUR, {NEIGHBOUR}, set()),
    ],
)
def test_a_units_other_matters_go_with_the_unit_and_a_hold_is_seen_where_it_binds(
    walled: Walled, now: datetime, unit: str, seen: set[str], held: set[str]
) -> None:
    found_matters(walled.system, walled.units, now)
    with walled.runtime.connect() as connection:
        within(connection, Reach((walled.units[unit],), signed=True))
        for table in ("red_round", "quota_counter", "approval_notice"):
            found = set(connection.scalars(text(f"SELECT unit_id FROM {table}")))
            assert found == {walled.units[code] for code in seen}, table
        bound = set(connection.scalars(text("SELECT unit_id FROM hold")))
        assert bound == {walled.units[code] for code in held}
        timers = set(connection.scalars(text("SELECT case_id FROM timer")))
        assert timers
        assert timers <= set(connection.scalars(text("SELECT id FROM case_file")))


def test_what_is_out_of_scope_can_be_neither_changed_nor_put_there(walled: Walled) -> None:
    far, mine = walled.units[FAR], walled.units[COUNTY]
    with walled.runtime.connect() as connection:
        within(connection, Reach((mine,), signed=True))
        assert connection.execute(text(f"UPDATE person SET name = '改' WHERE unit_id = {far}")).rowcount == 0
        assert connection.execute(text(f"DELETE FROM ticket WHERE unit_id = {far}")).rowcount == 0
        with pytest.raises(ProgrammingError, match="row-level security"):
            connection.execute(text(f"UPDATE person SET unit_id = {far} WHERE unit_id = {mine}"))


@pytest.mark.parametrize("role", ["runtime", "system"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE person DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE person NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY in_reach ON person",
        "CREATE POLICY mine ON person USING (true)",
        "DROP TABLE person",
        "TRUNCATE person CASCADE",
        "ALTER TABLE person OWNER TO CURRENT_USER",
        "CREATE TABLE public.mine (id int)",
        "ALTER TABLE audit_row DISABLE TRIGGER ALL",
        "SET ROLE {owner}",
        "SET SESSION AUTHORIZATION {owner}",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
    ],
)
def test_nobody_at_run_time_takes_the_wall_down(walled: Walled, role: str, statement: str) -> None:
    engine = walled.runtime if role == "runtime" else walled.system
    with engine.connect() as connection, pytest.raises(ProgrammingError) as refused:
        connection.execute(text(statement.format(owner=walled.roles[0])))
    assert refused.value.orig.sqlstate == "42501"  # type: ignore[union-attr]  # insufficient_privilege


def test_turning_row_security_off_is_an_error_and_shows_nothing(walled: Walled) -> None:
    with walled.runtime.connect() as connection:
        connection.execute(text("SET LOCAL row_security = off"))
        with pytest.raises(ProgrammingError, match="row-level security"):
            connection.execute(text("SELECT 1 FROM person"))


def test_nothing_belongs_to_a_role_of_the_run_time_and_the_owner_sees_no_row(walled: Walled) -> None:
    with walled.owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM person")) == 0  # FORCE
        owned = text("SELECT count(*) FROM pg_class WHERE relowner::regrole::text = ANY (:roles)")
        assert connection.scalar(owned, {"roles": list(walled.roles[1:])}) == 0
        lower_walls(connection)  # a migration moves rows
        assert connection.scalar(text("SELECT count(*) FROM person")) == len(UNITS)
        raise_walls(connection, *walled.roles[1:])
        assert connection.scalar(text("SELECT count(*) FROM person")) == 0


@pytest.fixture
def forgetful(walled: Walled, tmp_path: Path) -> Iterator[Flask]:
    """The application as production runs it, with a page whose query passes the second wall unseen."""
    url = walled.runtime.url.render_as_string(hide_password=False)
    app = create_app(Settings(env="test", data_dir=tmp_path / "data", database_url=url, system_role=walled.system_role))

    def page() -> dict[str, list[int]]:
        seen = {"raw": sorted(session().connection().exec_driver_sql(UNSEEN).scalars())}
        with whole_view(session()):
            seen["whole"] = sorted(session().connection().exec_driver_sql(UNSEEN).scalars())
        seen["after"] = sorted(session().connection().exec_driver_sql(UNSEEN).scalars())
        seen["list"] = sorted(session().scalars(select(Ticket.unit_id).distinct()))
        with engine_released().connect() as connection:
            seen["check"] = sorted(connection.exec_driver_sql(UNSEEN).scalars())
        seen["later"] = sorted(session().connection().exec_driver_sql(UNSEEN).scalars())
        return seen

    app.add_url_rule("/forgetful", "forgetful", signed_in_only(page))
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.mark.parametrize(
    ("account", "seen"),
    [
        (f"clerk@{COUNTY}", {COUNTY, SCHOOL}),
        (f"head@{SCHOOL}", {SCHOOL}),
        ("reviewer@330282", {COUNTY, SCHOOL, NEIGHBOUR}),
        ("leader", set(UNITS)),
        ("security", set()),
    ],
)
def test_a_page_without_any_filter_shows_only_what_is_its_visitors(
    walled: Walled, forgetful: Flask, account: str, seen: set[str]
) -> None:
    visitor = Visitor(forgetful.test_client())
    assert visitor.post("/sign-in", {"account": account, "password": PASSWORD}).status_code == 302
    answer = visitor.get("/forgetful")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    mine, everybody = sorted(walled.units[code] for code in seen), sorted(walled.units.values())
    found = answer.get_json()
    assert found["raw"] == found["after"] == found["list"] == found["later"] == mine
    assert found["whole"] == found["check"] == everybody


def test_the_daily_loop_runs_behind_the_wall(walled: Walled, forgetful: Flask, now: datetime) -> None:
    """Sign in, open, correct, re-check: pages, a step and a check, each as its role."""
    visitor = Visitor(forgetful.test_client())
    assert visitor.post("/sign-in", {"account": f"clerk@{COUNTY}", "password": PASSWORD}).status_code == 302
    for page in ("/", "/tasks", "/tickets", "/roster/person", "/units", "/notices", "/search?q=P0"):
        assert visitor.get(page).status_code == 200, page
    with reading(walled.system) as opened:
        ticket = opened.scalars(
            select(Ticket.id).where(Ticket.unit_id == walled.units[COUNTY], Ticket.level != "W")
        ).first()
        other = opened.scalars(select(Ticket.id).where(Ticket.unit_id == walled.units[FAR])).first()
    assert visitor.get(f"/tickets/{ticket}").status_code == 200
    assert visitor.get(f"/tickets/{other}").status_code == 404
    assert visitor.post(f"/tickets/{ticket}/recheck").status_code == 302
    run = run_check(walled.system, business_date(now), now, kind="full")
    assert run.finished_at is not None
    with walled.system.begin() as connection:
        analyze(connection, "timer", "case_file")
    with reading(walled.system) as opened:
        assert opened.get_one(Ticket, ticket).present  # a check that sees nothing would have closed it


def test_production_does_not_start_on_a_role_that_passes_the_wall(walled: Walled, pg_engine: Engine) -> None:
    prove_walls(walled.runtime, walled.system_role)
    with pytest.raises(BadInput, match="权限过大"):
        prove_walls(pg_engine, walled.system_role)
    with pytest.raises(BadInput, match="权限过大"):
        prove_walls(walled.owner, walled.system_role)
    with pytest.raises(BadInput, match="SANDENG_SYSTEM_ROLE"):
        prove_walls(walled.runtime, "")
    with walled.owner.begin() as connection:
        connection.execute(text("ALTER TABLE ticket NO FORCE ROW LEVEL SECURITY"))
    with pytest.raises(BadInput, match="ticket"):
        prove_walls(walled.runtime, walled.system_role)
