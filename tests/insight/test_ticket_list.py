"""The remembered order of open tickets is the database's own, page by page, and never older than the last step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.conftest import Staged
from workflow.access.demonstration import create_demonstration_accounts
from workflow.access.scopes import Actor, actor_named
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.insight import tickets as lists
from workflow.insight.tickets import TicketFilter, counts_by_light, tickets
from workflow.quality.models import Ticket
from workflow.quality.run import run_check
from workflow.registry import records
from workflow.registry.tables import TABLES

SORTS = ("deadline", "-deadline", "found", "rule", "-rule", "unit")


def found_on_two_days(engine: Engine, now: datetime) -> None:
    """Two units of two counties with thirty people, each wrong in many ways, found on two days."""
    office = {"by": "reviewer", "may_write_locked": True, "may_create": True}
    for day, letter in ((now, "A"), (now.replace(day=5), "B")):
        with writing(engine) as session:
            rows = [
                {
                    "unit_code": f"33028210{letter}",
                    "name": f"单位{letter}",
                    "district_code": "330282" if letter == "A" else "330203",
                }
            ]
            records.write(session, "unit", rows, now=day, **office)
            unit = session.scalar(select(TABLES["unit"].c.id).where(TABLES["unit"].c.unit_code == f"33028210{letter}"))
            people = [{"person_code": f"{letter}{n:03d}", "name": "王某", "unit": unit} for n in range(15)]
            records.write(session, "person", people, now=day, **office)
            create_demonstration_accounts(session, now=day)
        run_check(engine, business_date(day), day)


@pytest.fixture
def city(engine: Engine, staged: Staged, now: datetime) -> Engine:
    staged(engine, found_on_two_days, now)
    return engine


@pytest.fixture
def read(city: Engine) -> Iterator[Session]:
    """A read snapshot of the city."""
    with reading(city) as session:
        yield session


def everything(session: Session, actor: Actor, sort: str, limit: int) -> list[int]:
    """The whole list, turned page by page."""
    found: list[int] = []
    after = None
    while True:
        rows, after = tickets(session, actor, TicketFilter(), sort=sort, after=after, limit=limit)
        found += [row.id for row in rows]
        if after is None:
            return found


@pytest.mark.parametrize("sort", SORTS)
def test_pages_from_memory_are_the_pages_of_the_database(
    read: Session, now: datetime, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = actor_named(read, "reviewer", now)
    remembered = everything(read, actor, sort, limit=17)
    monkeypatch.setattr(lists, "KEPT", 0)
    assert remembered == everything(read, actor, sort, limit=17)
    assert len(remembered) == sum(counts_by_light(read, actor, TicketFilter()).values()) > 100


def test_beyond_what_is_remembered_the_database_goes_on(
    read: Session, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = actor_named(read, "reviewer", now)
    whole = everything(read, actor, "found", limit=17)
    monkeypatch.setattr(lists, "KEPT", 40)
    assert everything(read, actor, "-found", limit=17) == whole[::-1]


def test_each_scope_has_its_own_order(read: Session, now: datetime) -> None:
    city, county = (actor_named(read, name, now) for name in ("reviewer", "reviewer@330282"))
    mine = set(everything(read, county, "deadline", limit=50))
    assert mine < set(everything(read, city, "deadline", limit=50))
    districts = {row.unit_id for row in read.scalars(select(Ticket).where(Ticket.id.in_(mine)))}
    assert len(districts) == 1


def test_a_check_makes_the_next_look_new(city: Engine, now: datetime) -> None:
    later = now.replace(day=6)
    with reading(city) as session:
        actor = actor_named(session, "reviewer", now)
        before = everything(session, actor, "deadline", limit=50)
        counts = counts_by_light(session, actor, TicketFilter())
    with writing(city) as session:
        put_right = {"person_code": "A000", "sex": "1", "ethnic": "01"}
        records.write(session, "person", [put_right], by="reviewer", now=later, may_write_locked=True)
    run_check(city, date(2026, 3, 6), later)
    with reading(city) as session:
        after = everything(session, actor, "deadline", limit=50)
        assert len(after) < len(before)
        assert sum(counts_by_light(session, actor, TicketFilter()).values()) == len(after) < sum(counts.values())


def test_a_list_of_green_lights_counts_what_it_shows(city: Engine, now: datetime) -> None:
    later = now.replace(day=6)
    with writing(city) as session:
        put_right = {"person_code": "A000", "sex": "1", "ethnic": "01"}
        records.write(session, "person", [put_right], by="reviewer", now=later, may_write_locked=True)
    run_check(city, date(2026, 3, 6), later)
    with reading(city) as session:
        actor = actor_named(session, "reviewer", now)
        rows, _ = tickets(session, actor, TicketFilter(light="green"), limit=500)
        counts = counts_by_light(session, actor, TicketFilter(light="green"))
        assert len(rows) == counts["green"] > 0
        assert counts_by_light(session, actor, TicketFilter()) == {**counts, "green": 0}


def test_a_unit_is_listed_with_or_without_its_subordinates(city: Engine, now: datetime) -> None:
    with writing(city) as session:
        unit = TABLES["unit"].c
        ids = dict(session.execute(select(unit.unit_code, unit.id)).all())
        rows = [{"unit_code": "33028210B", "parent": ids["33028210A"]}]
        records.write(session, "unit", rows, by="reviewer", now=now, may_write_locked=True)
    with reading(city) as session:
        actor = actor_named(session, "reviewer", now)
        above, own, below = (
            sum(counts_by_light(session, actor, TicketFilter(unit=code, own=own)).values())
            for code, own in (("33028210A", ""), ("33028210A", "yes"), ("33028210B", ""))
        )
        assert above == own + below
        assert own
        assert below
