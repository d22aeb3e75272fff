"""授权变更: nothing about grants is one person's act; each level grants below itself; grants are added and taken back, never edited (办法16)."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from workflow.access.accounts import create_account, disable, grant
from workflow.access.models import Account, AccountIdentity, Grant, Revocation
from workflow.access.scopes import Actor, actor_named
from workflow.audit.models import ROW
from workflow.calendar.calendar import shipped_calendar
from workflow.casework.granting import approve, propose
from workflow.db import writing
from workflow.engine.models import CASE, Outbox
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import BadInput, NotAllowed, NotFound, Refused
from workflow.operations.notices import notices_for, post
from workflow.policy import shipped_policies
from workflow.registry import records
from workflow.registry.tables import TABLES

HERE, THERE = "330282101", "330203101"
CLERK = {"kind": "grant", "account": "wang", "role": "unit_clerk", "at_unit": HERE, "why": "接替经办"}


@pytest.fixture
def town(session: Session, now: datetime) -> dict[str, int]:
    """Two counties with a unit each; two officers of the city, two of a county, a person without roles in each unit."""
    office = {"by": "office", "now": now, "may_write_locked": True, "may_create": True}
    rows = [{"unit_code": code, "name": code, "district_code": code[:6]} for code in (HERE, THERE)]
    records.write(session, "unit", rows, **office)
    unit = TABLES["unit"].c
    ids = dict(session.execute(select(unit.unit_code, unit.id)).all())
    officers = {"city1": "security", "city2": "security", "county1": "county_security", "county2": "county_security"}
    for name, role in officers.items():
        where = {"scope": "platform"} if role == "security" else {"scope": "district", "district": "330282"}
        create_account(session, name=name, person_name="某", now=now, by="first")
        grant(session, account=name, role_name=role, now=now, by="first", **where)
    for name, at in (("wang", HERE), ("zhao", THERE), ("office", None)):
        create_account(session, name=name, person_name="某", now=now, by="first", unit_id=ids[at] if at else None)
    return ids


def who(session: Session, name: str, now: datetime) -> Actor:
    return actor_named(session, name, now)


def proposed(session: Session, now: datetime, by: str = "city1", **texts: Any) -> int:
    return propose(session, who(session, by, now), CLERK | texts, now)


def held(session: Session, name: str, now: datetime) -> list[str]:
    return [one.role for one in who(session, name, now).held]


def test_a_grant_is_in_force_once_a_second_officer_approved_it(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    case_id = proposed(session, now, until_on="2026-12-31")
    assert held(session, "wang", now) == []
    approve(session, who(session, "city2", now), case_id, now)
    assert held(session, "wang", now) == ["unit_clerk"]
    row = session.scalars(select(Grant).where(Grant.account == "wang")).one()
    assert (row.granted_by, row.approved_by, row.case_id) == ("city1", "city2", case_id)
    assert (row.unit_id, row.until_on, row.purpose) == (town[HERE], date(2026, 12, 31), "接替经办")


@pytest.mark.parametrize("do", ["approve", "refuse"])
def test_nobody_decides_what_they_proposed(session: Session, town: dict[str, int], now: datetime, do: str) -> None:
    case_id, me = proposed(session, now), who(session, "city1", now)
    with pytest.raises(Refused, match="不得再作决定"):
        require_moved(take_step(session, "grant_change", do, [case_id], now=now, actor=me, reason="x"))


def test_nobody_proposes_or_approves_a_change_of_the_own_account(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    mine = {"account": "city1", "kind": "bind", "provider": "zzd", "subject": "1:a"}
    with pytest.raises(Refused, match="自己的账号"):
        proposed(session, now, **mine)
    case_id = proposed(session, now, **mine | {"account": "city2"})
    with pytest.raises(Refused, match="自己的账号"):
        approve(session, who(session, "city2", now), case_id, now)
    assert session.scalars(select(AccountIdentity)).all() == []


def test_business_and_the_auditor_approve_nothing(session: Session, town: dict[str, int], now: datetime) -> None:
    case_id = proposed(session, now)
    for name, role, where in (
        ("lead", "leader", {"scope": "district", "district": "330200"}),
        ("audit", "auditor", {"scope": "platform"}),
    ):
        create_account(session, name=name, person_name="某", now=now, by="first")
        grant(session, account=name, role_name=role, now=now, by="first", **where)
        with pytest.raises(NotAllowed):
            approve(session, who(session, name, now), case_id, now)
        with pytest.raises((NotAllowed, NotFound)):
            proposed(session, now, by=name)


@pytest.mark.parametrize("role", ["reviewer", "auditor", "security", "sysadmin", "county_security"])
def test_roles_that_exclude_each_other_are_refused_at_both_hands(
    session: Session, town: dict[str, int], now: datetime, role: str
) -> None:
    district = {"district": "330282"} if role in ("reviewer", "county_security") else {}
    late = proposed(session, now, role=role, **district)
    approve(session, who(session, "city2", now), proposed(session, now), now)
    with pytest.raises(Refused, match="不得与“单位经办人”由同一人担任"):
        approve(session, who(session, "city2", now), late, now)
    with pytest.raises(Refused, match="不得与“单位经办人”由同一人担任"):
        proposed(session, now, role=role, **district)


def test_a_countys_officer_grants_unit_roles_within_the_county_and_no_others(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    case_id = proposed(session, now, by="county1")
    approve(session, who(session, "county2", now), case_id, now)
    assert held(session, "wang", now) == ["unit_clerk"]
    with pytest.raises(NotFound):
        proposed(session, now, by="county1", account="zhao")
    with pytest.raises(NotFound):
        proposed(session, now, by="county1", account="office")
    with pytest.raises(NotAllowed):
        approve(session, who(session, "county2", now), proposed(session, now, account="zhao", at_unit=THERE), now)
    disable(session, "wang", now=now)
    beyond = ({"at_unit": THERE}, {"role": "reviewer", "district": "330282"}, {"role": "auditor"})
    create_account(session, name="li", person_name="某", now=now, by="first", unit_id=town[HERE])
    for more in beyond:
        with pytest.raises(Refused, match="区县数据安全管理员只办理"):
            proposed(session, now, by="county1", account="li", **more)


def test_the_city_may_approve_what_a_county_proposed_and_not_the_other_way_beyond_it(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    approve(session, who(session, "city1", now), proposed(session, now, by="county1"), now)
    case_id = proposed(session, now, account="office", role="reviewer", district="330282")
    with pytest.raises(Refused, match="区县数据安全管理员只办理"):
        approve(session, who(session, "county1", now), case_id, now)


def test_a_withdrawal_takes_two_and_leaves_the_grant_as_it_was(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    approve(session, who(session, "city2", now), proposed(session, now), now)
    row = session.scalars(select(Grant).where(Grant.account == "wang")).one()
    case_id = proposed(session, now, kind="withdraw", grant=str(row.id), why="调离")
    assert held(session, "wang", now) == ["unit_clerk"]
    approve(session, who(session, "city2", now), case_id, now)
    assert held(session, "wang", now) == []
    taken = session.get_one(Revocation, row.id)
    assert (taken.by, taken.approved_by, taken.case_id, taken.reason) == ("city1", "city2", case_id, "调离")
    with pytest.raises(Refused, match="已收回"):
        proposed(session, now, kind="withdraw", grant=str(row.id), why="再次")


def test_the_last_two_officers_stay(session: Session, town: dict[str, int], now: datetime) -> None:
    row = session.scalars(select(Grant).where(Grant.account == "city2")).one()
    with pytest.raises(Refused, match="不足 2 名"):
        proposed(session, now, account="city2", kind="withdraw", grant=str(row.id))
    create_account(session, name="city3", person_name="某", now=now, by="first")
    grant(session, account="city3", role_name="security", scope="platform", now=now, by="first")
    assert proposed(session, now, account="city2", kind="withdraw", grant=str(row.id))


def test_a_disabled_account_comes_back_by_two_and_is_given_nothing_before(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    disable(session, "wang", now=now)
    with pytest.raises(Refused, match="已停用"):
        proposed(session, now)
    case_id = proposed(session, now, kind="enable")
    assert session.get_one(Account, "wang").disabled_on is not None
    approve(session, who(session, "city2", now), case_id, now)
    assert session.get_one(Account, "wang").disabled_on is None


def test_another_identity_replaces_the_old_one_and_nobodys_else(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    for subject in ("1:a", "1:b"):
        case_id = proposed(session, now, kind="bind", provider="zzd", subject=subject)
        approve(session, who(session, "city2", now), case_id, now)
    bound = session.scalars(select(AccountIdentity)).one()
    assert (bound.account, bound.subject) == ("wang", "1:b")
    with pytest.raises(Refused, match="另一个账号"):
        proposed(session, now, kind="bind", account="zhao", provider="zzd", subject="1:b")


def test_nothing_is_given_twice_unless_it_lasts_longer(session: Session, town: dict[str, int], now: datetime) -> None:
    approve(session, who(session, "city2", now), proposed(session, now, until_on="2026-06-30"), now)
    with pytest.raises(Refused, match="已有这一角色"):
        proposed(session, now, until_on="2026-05-31")
    assert proposed(session, now, until_on="2026-12-31")
    with pytest.raises(Refused, match="截止日期已过"):
        proposed(session, now, until_on="2026-03-01", role="unit_head")


def test_every_field_that_is_asked_for_must_be_filled(session: Session, town: dict[str, int], now: datetime) -> None:
    with pytest.raises(Refused, match="还须填写：单位范围"):
        proposed(session, now, at_unit="")
    with pytest.raises(BadInput, match="没有机构"):
        proposed(session, now, at_unit="330282999")


def test_a_proposal_that_nobody_answers_lapses(
    engine: Engine, session: Session, town: dict[str, int], now: datetime
) -> None:
    case_id = proposed(session, now)
    session.commit()
    fire_due(engine, now + timedelta(days=6))
    with writing(engine) as own:
        assert own.scalar(select(CASE.c.state).where(CASE.c.id == case_id)) == "proposed"
    fire_due(engine, now + timedelta(days=8))
    with writing(engine) as own:
        assert own.scalar(select(CASE.c.state).where(CASE.c.id == case_id)) == "lapsed"
        assert held(own, "wang", now) == []


def test_second_officer_and_holder_are_told_and_the_chain_names_both(
    session: Session, town: dict[str, int], now: datetime
) -> None:
    case_id = proposed(session, now)
    approve(session, who(session, "city2", now), case_id, now)
    session.commit()
    items = [item for row in session.scalars(select(Outbox)) for item in row.payload.get("items", [])]
    assert {"role": "security", "kind": "grant_change.proposed"}.items() <= next(
        i for i in items if i.get("role")
    ).items()
    assert {item["account"] for item in items if item.get("account")} == {"city1", "wang"}
    noted = session.execute(select(ROW.c.actor, ROW.c.summary).where(ROW.c.action == "account.grant")).all()
    assert [(row.actor, '"approved_by":"city2"' in row.summary) for row in noted][-1] == ("city1", True)


@pytest.mark.parametrize("model", [Grant, Revocation])
def test_the_database_itself_refuses_to_edit_or_delete_a_grant(
    both_engines: Engine, now: datetime, model: type[Grant] | type[Revocation]
) -> None:
    from workflow.access.accounts import revoke

    with writing(both_engines) as session:
        create_account(session, name="x", person_name="某", now=now, by="first")
        given = grant(session, account="x", role_name="auditor", scope="platform", now=now, by="first")
        revoke(session, given.id, now=now, by="first", reason="x")
    for statement in (update(model).values(case_id=9), delete(model)):
        with pytest.raises(DatabaseError, match="append-only"), writing(both_engines) as session:
            session.execute(statement)


def test_the_database_itself_refuses_a_second_person_who_is_the_first(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        create_account(session, name="x", person_name="某", now=now, by="first")
    row = {"account": "x", "role": "auditor", "scope": "platform", "from_on": now.date(), "granted_at": now}
    for same in ({"granted_by": "a", "approved_by": "a"}, {"granted_by": "a", "approved_by": "x"}):
        with pytest.raises(DatabaseError), writing(both_engines) as session:
            session.add(Grant(**row, **same))


def test_two_grants_at_once_do_not_slip_past_the_exclusion(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        create_account(session, name="x", person_name="某", now=now, by="first")
    refused: list[str] = []

    def later() -> None:
        try:
            with writing(both_engines) as session:
                grant(session, account="x", role_name="auditor", scope="platform", now=now, by="b")
        except Refused as error:
            refused.append(error.says)

    with writing(both_engines) as session:
        grant(session, account="x", role_name="sysadmin", scope="platform", now=now, by="a")
        second = threading.Thread(target=later)
        second.start()
        second.join(0.3)
    second.join()
    assert refused == ["“审计员”不得与“系统管理员”由同一人担任"]


@pytest.mark.parametrize(
    ("texts", "county"),
    [
        ({}, "330282"),
        ({"account": "zhao", "at_unit": THERE}, "330203"),
        ({"at_unit": THERE}, None),  # of two counties
        ({"account": "office", "role": "reviewer", "district": "330282"}, None),
        ({"role": "reviewer", "district": "330282"}, None),
    ],
)
def test_who_may_approve_a_change_is_told_that_it_waits(
    session: Session, town: dict[str, int], now: datetime, texts: dict[str, str], county: str | None
) -> None:
    case_id = proposed(session, now, **texts)
    items = [item for row in session.scalars(select(Outbox)) for item in row.payload.get("items", [])]
    told = {(item["role"], item.get("district")) for item in items if item["kind"] == "grant_change.proposed"}
    assert told == {("security", None), *({("county_security", county)} if county else ())}
    post(session, items, now, shipped_policies(), shipped_calendar())
    later = now + timedelta(days=3)
    for name, place in (("city2", None), ("county2", "330282")):
        links = [notice.link for notice, _ in notices_for(session, who(session, name, now), later)]
        assert links == ([f"/cases/{case_id}"] if place in (None, county) else []), name
