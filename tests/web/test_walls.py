"""The second wall, alone: a page that forgets its filter shows nothing of others, whichever way it asks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, literal_column, select, text, update
from sqlalchemy.orm import aliased

from tests.web.conftest import COUNTY, NEIGHBOUR, SCHOOL, UNITS, Town, Visitor, found_matters
from tests.web.test_scoped_pages import SEES as HOLDERS_SEE
from web.database import db, engine_released, session
from web.permissions import public, signed_in_only
from workflow.access.demonstration import PASSWORD
from workflow.access.walls import OPEN, conditions
from workflow.db import Base, reading
from workflow.engine.models import CASE, HISTORY, TIMER, Case
from workflow.prepared import Prepared
from workflow.quality.models import Ticket
from workflow.registry.dictionary import dictionary
from workflow.registry.models import RecordVersion
from workflow.registry.tables import TABLES
from workflow.scoping import OutOfReach, whole_view

SEES: dict[str, set[str]] = {**HOLDERS_SEE, "security": set(), "auditor": set(), "sysadmin": set()}
PERSON = TABLES["person"]
OTHER = PERSON.alias("other")
MATTERS = ("red_round", "quota_counter", "approval_notice", "hold")
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


@pytest.mark.parametrize(
    ("account", "seen"),
    [
        (f"clerk@{COUNTY}", {COUNTY, SCHOOL}),
        (f"head@{SCHOOL}", {SCHOOL}),
        (f"clerk@{NEIGHBOUR}", {NEIGHBOUR}),
        ("leader", set(UNITS)),
        ("security", set()),
    ],
)
def test_a_units_other_matters_go_with_the_unit_and_a_hold_is_seen_where_it_binds(
    own_app: Flask, town: Town, now: datetime, account: str, seen: set[str]
) -> None:
    found_matters(town.engine, town.units, now)

    def page() -> dict[str, list[int]]:
        timers = select(CASE.c.unit_id).join(TIMER, TIMER.c.case_id == CASE.c.id)
        of_units = {name: select(Base.metadata.tables[name].c.unit_id) for name in MATTERS}
        asked = {**of_units, "timer": timers, "lone timer": select(TIMER.c.case_id)}
        return {name: sorted(set(session().scalars(each))) for name, each in asked.items()}

    own_app.add_url_rule("/forgetful", "forgetful", signed_in_only(page))
    found = enter(own_app, account).get("/forgetful").get_json()
    mine = sorted(town.units[code] for code in seen)
    assert {name: found[name] for name in (*MATTERS, "timer")} == {
        name: [unit for unit in mine if name != "hold" or unit in (town.units[COUNTY], town.units[SCHOOL])]
        for name in (*MATTERS, "timer")
    }
    assert bool(found["lone timer"]) == bool(seen)


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


def test_every_table_is_walled_or_open_for_a_stated_reason() -> None:
    """A new table stands behind the wall, or in OPEN with its reason; neither list names one that is gone."""
    walled, opened = set(conditions("sqlite")), [table for tables in OPEN.values() for table in tables]
    assert sorted([*walled, *opened]) == sorted(Base.metadata.tables)
    assert {name for name, dataset in dictionary().datasets.items() if dataset.unit} <= walled


def test_notices_are_read_where_their_addressee_is_asked_for() -> None:
    root = Path(__file__).resolve().parents[2]
    named = re.compile(r"from workflow\.operations\.models import .*\bNotice(Read)?\b")
    found = {
        str(path.relative_to(root))
        for folder in ("workflow", "web", "workers")
        for path in (root / folder).rglob("*.py")
        if named.search(path.read_text("utf-8"))
    }
    assert found == {"workflow/operations/notices.py"}


# Where the mechanism judges by more than the asker's reach. What is found there leaves as verdicts, counts or words, never as rows.
WHOLE = {
    "workflow/engine/steps.py": 2,  # guards, effects, timers of a step
    "workflow/engine/judging.py": 2,  # the same verdicts before the click
    "workflow/engine/inbox.py": 1,  # the clock's lag, a count
    "workflow/registry/records.py": 2,  # keys and identities are one for the city; counters
    "workflow/insight/remembered.py": 2,  # whether anything happened since a figure was kept
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
