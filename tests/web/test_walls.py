"""The second wall, alone: a page that forgets its filter shows nothing of others, whichever way it asks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, literal_column, select, text, update
from sqlalchemy.orm import aliased

from tests.web.conftest import COUNTY, SCHOOL, UNITS, Town, Visitor
from tests.web.test_scoped_pages import SEES as HOLDERS_SEE
from web.database import db, engine_released, session
from web.permissions import public, signed_in_only
from workflow.access.demonstration import PASSWORD
from workflow.access.walls import OF_CASES, OF_UNITS, conditions
from workflow.db import Base, reading
from workflow.engine.models import CASE, HISTORY, Case
from workflow.prepared import Prepared
from workflow.quality.models import Ticket
from workflow.registry.dictionary import dictionary
from workflow.registry.models import RecordVersion
from workflow.registry.tables import TABLES
from workflow.scoping import OutOfReach, whole_view

SEES: dict[str, set[str]] = {**HOLDERS_SEE, "security": set(), "auditor": set(), "sysadmin": set()}
PERSON = TABLES["person"]
OTHER = PERSON.alias("other")
PREPARED = Prepared(select(PERSON.c.unit_id), [])
# What a page without any filter may ask for: each is a way by which rows of a table reach a screen.
WAYS: dict[str, Callable[[], object]] = {
    "core": lambda: session().execute(select(PERSON.c.unit_id)),
    "alias": lambda: session().execute(select(OTHER.c.unit_id)),
    "orm": lambda: ((t.unit_id,) for t in session().scalars(select(Ticket))),
    "orm alias": lambda: session().execute(select(aliased(Ticket).unit_id)),
    "query": lambda: session().query(Ticket.unit_id),
    "subquery": lambda: session().execute(select(select(PERSON).subquery().c.unit_id)),
    "cte": lambda: session().execute(select(select(PERSON).cte("all_of_them").c.unit_id)),
    "outer join": lambda: session().execute(
        select(PERSON.c.unit_id).select_from(TABLES["unit"].outerjoin(PERSON, PERSON.c.unit_id == TABLES["unit"].c.id)).where(PERSON.c.id.is_not(None))
    ),
    "exists": lambda: session().execute(
        select(TABLES["unit"].c.id).where(select(PERSON.c.id).where(PERSON.c.unit_id == TABLES["unit"].c.id).exists())
    ),
    "union": lambda: session().execute(select(PERSON.c.unit_id).union(select(Ticket.unit_id))),
    "literal": lambda: session().execute(select(literal_column("unit_id")).select_from(PERSON)),
    "prepared": lambda: PREPARED.rows(session(), {}),
    "cases": lambda: session().execute(select(CASE.c.unit_id)),
    "mapped cases": lambda: ((c.unit_id,) for c in session().scalars(select(Case))),
}  # fmt: skip


@pytest.fixture
def forgetful(own_app: Flask) -> Flask:
    """The application with pages that forgot their filter."""

    def page(way: str) -> dict[str, list[int]]:
        return {"units": [unit for (unit,) in WAYS[way]()]}  # type: ignore[attr-defined]

    own_app.add_url_rule("/forgetful/<way>", "forgetful", signed_in_only(page))
    return own_app


def enter(app: Flask, account: str) -> Visitor:
    visitor = Visitor(app.test_client())
    assert visitor.post("/sign-in", {"account": account, "password": PASSWORD}).status_code == 302
    return visitor


@pytest.mark.parametrize("account", SEES)
def test_a_page_that_forgets_its_filter_shows_nothing_of_others(forgetful: Flask, town: Town, account: str) -> None:
    visitor = enter(forgetful, account)
    expected = {town.units[code] for code in SEES[account]}
    for way in WAYS:
        answer = visitor.get(f"/forgetful/{way}")
        assert answer.status_code == 200, (way, answer.get_data(as_text=True))
        assert set(answer.get_json()["units"]) - {None} == expected, way


def test_what_hangs_on_a_case_and_the_versions_of_a_record_go_with_them(own_app: Flask, town: Town) -> None:
    def page() -> dict[str, list[int]]:
        versions = select(RecordVersion.record_id).where(RecordVersion.dataset == "person")
        return {
            "steps": sorted(set(session().scalars(select(HISTORY.c.case_id)))),
            "versions": sorted(set(session().scalars(versions))),
        }

    own_app.add_url_rule("/forgetful", "forgetful", signed_in_only(page))
    with reading(town.engine) as opened:
        mine = [town.units[code] for code in (COUNTY, SCHOOL)]
        steps = sorted(opened.scalars(select(CASE.c.id).where(CASE.c.unit_id.in_(mine))))
        people = sorted(opened.scalars(select(PERSON.c.id).where(PERSON.c.unit_id.in_(mine))))
        assert (opened.scalar(select(func.count()).select_from(CASE)) or 0) > len(steps) > 0
    assert enter(own_app, f"clerk@{COUNTY}").get("/forgetful").get_json() == {"steps": steps, "versions": people}


@pytest.mark.parametrize("statement", ["SELECT unit_id FROM person", "SELECT 1 FROM case_history h"])
def test_what_is_written_by_hand_over_a_walled_table_is_refused(own_app: Flask, town: Town, statement: str) -> None:
    ways = {
        "text": lambda: session().execute(text(statement)),
        "driver": lambda: session().connection().exec_driver_sql(statement),
        "beside": lambda: session().execute(
            select(literal_column("1")).select_from(text(statement.split(" FROM ")[1]))
        ),
    }
    refused = []

    def page(way: str) -> str:
        with pytest.raises(OutOfReach):
            ways[way]()
        refused.append(way)
        return ""

    own_app.add_url_rule("/by-hand/<way>", "by_hand", signed_in_only(page))
    visitor = enter(own_app, f"clerk@{COUNTY}")
    for way in ways:
        assert visitor.get(f"/by-hand/{way}").status_code == 200, way
    assert refused == list(ways)


def test_a_write_that_forgets_its_filter_changes_nothing_of_others(own_app: Flask, town: Town) -> None:
    def page() -> str:
        session().execute(update(PERSON).values(name="改"))
        session().execute(update(Ticket).values(level="改"), execution_options={"synchronize_session": False})
        return ""

    own_app.add_url_rule("/forgetful", "forgetful", signed_in_only(page), methods=["POST"])
    assert enter(own_app, f"clerk@{COUNTY}").post("/forgetful").status_code == 200
    mine = {town.units[code] for code in (COUNTY, SCHOOL)}
    with reading(town.engine) as opened:
        assert set(opened.scalars(select(PERSON.c.unit_id).where(PERSON.c.name == "改"))) == mine
        assert set(opened.scalars(select(Ticket.unit_id).where(Ticket.level == "改"))) == mine


def test_who_is_not_known_and_a_connection_beside_the_request_see_nothing(own_app: Flask) -> None:
    def page() -> dict[str, list[int]]:
        with db.engine.connect() as connection:
            beside = list(connection.scalars(select(PERSON.c.id)))
        return {"here": list(session().scalars(select(PERSON.c.id))), "beside": beside}

    own_app.add_url_rule("/open", "open", public(page))
    assert Visitor(own_app.test_client()).get("/open").get_json() == {"here": [], "beside": []}
    clerk = enter(own_app, f"clerk@{COUNTY}")
    seen = clerk.get("/open").get_json()
    assert len(seen["here"]) in (0, 2)  # a public page does not ask who it is
    assert seen["beside"] == []


def test_a_check_asked_for_in_a_request_judges_by_everything_and_the_request_sees_no_more(
    own_app: Flask, town: Town
) -> None:
    def page() -> dict[str, list[int]]:
        with engine_released().connect() as connection:
            beside = list(connection.scalars(select(PERSON.c.unit_id)))
        within: list[int] = []
        PREPARED.rows(session(), {})
        with whole_view(session()):
            assert len(PREPARED.rows(session(), {})) == len(UNITS)
            within += session().scalars(select(PERSON.c.unit_id))
        assert len(PREPARED.rows(session(), {})) == 2
        return {"beside": beside, "within": within, "after": list(session().scalars(select(PERSON.c.unit_id)))}

    own_app.add_url_rule("/checking", "checking", signed_in_only(page))
    seen = enter(own_app, f"clerk@{COUNTY}").get("/checking").get_json()
    assert set(seen["beside"]) == set(seen["within"]) == set(town.units.values())
    assert set(seen["after"]) == {town.units[COUNTY], town.units[SCHOOL]}


def test_every_table_with_units_data_is_walled_or_named_here() -> None:
    """A new table with a unit stands behind the wall, or is told here to be open, with its reason."""
    open_to_all = {
        "unit", "unit_closure",  # the directory of units
        "account", "role_grant", "substitution",  # who may do what: asked before anybody's reach is known
        "notice",  # addressed to an account
        "audit_row",  # the auditor's, and written by everybody
        "quota_counter", "approval_notice",  # figures that guards compare across units
        "red_round", "hold",  # what binds subordinates is shown to them
        "case_side", "case_copy",  # by which a case is reached from elsewhere
    }  # fmt: skip
    with_unit = {table.name for table in Base.metadata.tables.values() if any("unit_id" in c.name for c in table.c)}
    walled = set(conditions("sqlite"))
    assert with_unit - walled <= open_to_all | {"saved_filter"}
    assert {name for name, dataset in dictionary().datasets.items() if dataset.unit} | set(OF_UNITS) <= walled
    assert {*OF_CASES, "case_file", "record_version"} <= walled
    assert walled <= set(Base.metadata.tables)


# Where the mechanism judges by more than the asker's reach. What is found there leaves as verdicts, counts or words, never as rows.
WHOLE = {
    "workflow/engine/steps.py": 2,  # guards, effects, timers of a step
    "workflow/engine/judging.py": 2,  # the same verdicts before the click
    "workflow/registry/records.py": 2,  # keys and identities are one for the city; counters
    "workflow/insight/remembered.py": 1,  # whether anything happened since a figure was kept
    "workflow/insight/editing.py": 1,  # the rules on a record as it would be
    "workflow/access/opening.py": 1,  # whether a holder's record exists
    "workflow/insight/account_lists.py": 3,  # whether the holder left
    "workflow/insight/tracing.py": 1,  # the auditor's trace of one record, without values (办法22)
    "workflow/insight/accounts.py": 1,  # the demonstration's list of accounts
    "workflow/periodic/check_lists.py": 1,  # the sample of a pair in scope (办法14 交叉检查)
}


def test_only_these_places_see_everything_inside_a_request() -> None:
    root = Path(__file__).resolve().parents[2]
    found = {
        str(path.relative_to(root)): len(re.findall(r"with whole_view\(", path.read_text("utf-8")))
        for folder in ("workflow", "web")
        for path in (root / folder).rglob("*.py")
    }
    assert {path: n for path, n in found.items() if n} == WHOLE
