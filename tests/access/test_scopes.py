"""Who reaches which units: down the tree by closure, by county, or all; never up, never sideways, never by looks of a code."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.access.conftest import UNITS
from workflow.access.accounts import create_account, disable, grant, revoke
from workflow.access.models import Grant
from workflow.access.roles import actions, roles
from workflow.access.scopes import actor_named, holders, may, may_at, require, visible_units
from workflow.errors import NotAllowed, NotFound, Refused

SEES = {
    "unit_clerk": {"330282101", "33028210101", "3302821010101"},
    "reviewer": set(UNITS) - {"330203101"},
    "leader": set(UNITS),
    "auditor": set(),
}


@pytest.mark.parametrize("who", SEES)
def test_a_person_sees_exactly_the_units_in_reach(
    session: Session, units: dict[str, int], people: dict[str, str], now: datetime, who: str
) -> None:
    seen = set(session.scalars(visible_units(actor_named(session, who, now), "ticket.read")))
    assert seen == {units[code] for code in SEES[who]}


@pytest.mark.parametrize("who", SEES)
def test_an_action_is_allowed_where_both_role_and_reach_allow_it(
    session: Session, units: dict[str, int], people: dict[str, str], now: datetime, who: str
) -> None:
    actor = actor_named(session, who, now)
    for action in actions():
        allowed = action in roles()[who].may
        assert may(actor, action) == allowed
        for code, unit_id in units.items():
            reached = code in SEES[who] or roles()[who].scope == "platform"
            assert may_at(session, actor, action, unit_id) == (allowed and reached), (action, code)


def test_what_is_out_of_reach_does_not_exist_and_what_the_role_lacks_is_not_allowed(
    session: Session, units: dict[str, int], people: dict[str, str], now: datetime
) -> None:
    clerk = actor_named(session, "unit_clerk", now)
    with pytest.raises(NotFound):
        require(session, clerk, "ticket.read", units["3302821011"])
    with pytest.raises(NotFound):
        require(session, clerk, "ticket.read", None)
    with pytest.raises(NotAllowed):
        require(session, clerk, "explanation.review", units["330282101"])


def test_the_engine_reaches_what_the_pages_show(
    session: Session, units: dict[str, int], people: dict[str, str], now: datetime
) -> None:
    everything = set(units.values())
    for who in ("unit_clerk", "reviewer", "leader"):
        actor = actor_named(session, who, now)
        assert actor.reach(session, who, everything) == {units[code] for code in SEES[who]}
        assert actor.reach(session, "sysadmin", everything) == set()
    assert not actor_named(session, "auditor", now).has("reviewer")


def test_a_grant_holds_from_its_first_to_its_last_day(session: Session, people: dict[str, str], now: datetime) -> None:
    create_account(session, name="helper", person_name="h", now=now, by="security")
    from_on, until_on = now.date() + timedelta(2), now.date() + timedelta(4)
    more = {"scope": "district", "district": "330203", "from_on": from_on, "until_on": until_on}
    grant(session, account="helper", role_name="reviewer", now=now, by="security", **more)
    held = [bool(actor_named(session, "helper", now + timedelta(days)).held) for days in range(7)]
    assert held == [False, False, True, True, True, False, False]


def test_a_revoked_grant_ends_that_day_and_stays_as_it_was(
    session: Session, people: dict[str, str], now: datetime
) -> None:
    row = session.query(Grant).filter_by(account="reviewer").one()
    revoke(session, row.id, now=now + timedelta(3), by="security", reason="调离")
    assert actor_named(session, "reviewer", now + timedelta(2)).held
    assert not actor_named(session, "reviewer", now + timedelta(3)).held
    assert session.get_one(Grant, row.id).until_on is None


def test_those_who_guard_the_platform_do_no_business(session: Session, people: dict[str, str], now: datetime) -> None:
    for role_name, where in (
        ("reviewer", {"scope": "district", "district": "330282"}),
        ("sysadmin", {"scope": "platform"}),
    ):
        with pytest.raises(Refused, match="同一人"):
            grant(session, account="auditor", role_name=role_name, now=now, by="security", **where)


def test_a_notice_goes_to_the_holders_at_the_unit_and_not_to_the_disabled(
    session: Session, units: dict[str, int], people: dict[str, str], now: datetime
) -> None:
    unit = units["330282101"]
    assert session.scalars(holders("unit_clerk", unit, now.date())).all() == ["unit_clerk"]
    assert session.scalars(holders("reviewer", unit, now.date())).all() == ["reviewer"]
    assert session.scalars(holders("unit_clerk", units["33028210101"], now.date())).all() == []
    disable(session, "unit_clerk", now=now)
    assert session.scalars(holders("unit_clerk", unit, now.date())).all() == []
