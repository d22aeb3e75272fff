"""Filings begun under the first version go on under the second: asked, approved by two others, carried out once, dates as they were (办法17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from tests.casework.test_filing import BASIS, CLERK, HEAD, OFFICE, TUE, WED, opened, step, two_bureaus
from tests.quality.ticket_room import at
from workflow.access.accounts import create_account, grant
from workflow.access.scopes import actor_named
from workflow.casework import migrating
from workflow.casework.filing_drafting import save_draft
from workflow.casework.four_eyes import people_of
from workflow.casework.migrating import Outcome, ask, asked_for, carry_out, key_of, operation_of, planned
from workflow.casework.reporting import newest_request
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.definition import FOLDER, read_definition
from workflow.engine.migration import Migration, standing
from workflow.engine.migration_preview import preview
from workflow.engine.models import CASE, HISTORY, TIMER
from workflow.engine.registry import load_all, using
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, NotAllowed, Refused
from workflow.registry.records import write

FREE = {"native_place": "慈溪"}
PAPER = {"name": "批文.pdf", "file": "x", "sha256": "ab", "bytes": 1}
SECTION, LEADER = Person("section", {"reviewer": None}), Person("leader", {"leader": None})
MAPPING = """
states: {draft: draft, submitted: submitted}
timers:
  draft: {remind: remind, overdue: overdue}
  submitted: {remind: remind, overdue: overdue}
"""


def accounts(city: Engine) -> None:
    """A reviewer of the city and one of a county, and a unit of that county."""
    with writing(city) as session:
        for name, district in (("office", "330200"), ("county", "330282")):
            new = {"name": name, "person_name": "某某", "district": district}
            create_account(session, password="migration-2026", by="test", now=at(date(2026, 1, 5)), **new)
            place = {"scope": "district", "district": district}
            grant(session, account=name, role_name="reviewer", by="test", now=at(date(2026, 1, 5)), **place)
        rows = [{"unit_code": "330282101", "name": "示例县局", "district_code": "330282"}]
        write(session, "unit", rows, by="office", now=at(date(2026, 1, 5)), may_write_locked=True, may_create=True)


@pytest.fixture
def city(both_engines: Engine) -> Engine:
    """Two open filings under the first version, a third one ended; then the second version is in force."""
    two_bureaus(both_engines)
    accounts(both_engines)
    first = read_definition((FOLDER / "filing.yaml").read_text(encoding="utf-8"), "filing.yaml")
    release = load_all()
    with using(replace(release, current={**release.current, "filing": first}, pinned={})):
        opened(both_engines)
        settled = opened(both_engines, new=True)
        step(both_engines, settled, "withdraw", CLERK)
    return both_engines


@pytest.fixture
def draft(city: Engine) -> int:
    with reading(city) as session:
        return session.scalars(select(CASE.c.id).where(CASE.c.process == "filing", CASE.c.state == "draft")).one()


def plan(city: Engine, mapping: str = MAPPING) -> Migration:
    with reading(city) as session:
        return planned(session, "filing", "1", "2", mapping)


def asking(city: Engine, migration: Migration, account: str = "office", unit: int = OFFICE) -> int:
    texts = {"what": "改用第二版", "why": "占用编制须凭通知单", "papers": [PAPER]}
    with writing(city) as session:
        actor = actor_named(session, account, at(TUE))
        case_id = ask(session, migration, unit, texts, now=at(TUE), actor=actor)
        require_moved(take_step(session, "report_request", "submit", [case_id], now=at(TUE), actor=actor))
    return case_id


def approve(city: Engine, case_id: int) -> None:
    with writing(city) as session:
        for do, who in (("endorse", SECTION), ("approve", LEADER)):
            require_moved(take_step(session, "report_request", do, [case_id], now=at(TUE), actor=who))


def carried(city: Engine, migration: Migration, by: str = "office") -> Outcome:
    return carry_out(city, migration, by, clock=lambda: at(WED))


def dates(city: Engine, case_id: int) -> dict[str, Any]:
    with reading(city) as session:
        mine = select(TIMER.c.name, TIMER.c.due_at).where(TIMER.c.case_id == case_id, TIMER.c.state == "armed")
        return {row.name: row.due_at for row in session.execute(mine)}


def case(city: Engine, case_id: int) -> Any:
    with reading(city) as session:
        return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def test_an_approved_migration_is_carried_out_reported_and_goes_on_under_the_new_version(
    city: Engine, draft: int
) -> None:
    migration, before = plan(city), dates(city, draft)
    request = asking(city, migration)
    approve(city, request)
    outcome = carried(city, migration)
    assert (outcome.moved, outcome.left, outcome.reported) == (1, {}, request)
    assert dates(city, draft) == before != {}
    assert case(city, draft).definition == migration.new.hash
    found = case(city, request)
    assert found.state == "reported"
    assert any("已全部改用第 2 版，本次迁移 1 件" in line for line in found.data["report"])
    with reading(city) as session:
        act = session.execute(
            select(HISTORY).where(HISTORY.c.case_id == draft).order_by(HISTORY.c.version.desc())
        ).first()
    assert act is not None
    assert (act.do, act.actor, act.reason) == ("migrate", "office", f"请示 {found.subject} 批准：占用编制须凭通知单")
    assert (act.facts["request"], act.facts["mapping"]["states"]) == (request, "draft")
    with writing(city) as session:
        save_draft(session, draft, FREE | BASIS, actor=CLERK, now=at(WED))
    step(city, draft, "submit", CLERK, WED)
    step(city, draft, "settle", HEAD, WED)
    assert case(city, draft).state == "accepted"


def test_carried_out_again_it_does_nothing(city: Engine, draft: int) -> None:
    migration = plan(city)
    approve(city, asking(city, migration))
    carried(city, migration)
    again = carried(city, migration)
    assert (again.moved, again.reported, case(city, draft).version) == (0, None, 2)


def test_without_an_approved_request_nothing_moves_and_the_verdict_says_where_to_ask(city: Engine, draft: int) -> None:
    migration = plan(city)
    with pytest.raises(Refused, match="须先请示批准") as refused:
        carried(city, migration)
    assert refused.value.verdicts[0].link == f"/migrations/{key_of(migration).partition(':')[2]}"
    asking(city, migration)
    with pytest.raises(Refused, match="请示尚未批准"):
        carried(city, migration)
    assert case(city, draft).version == 1


def test_what_was_approved_is_what_is_carried_out(city: Engine, draft: int) -> None:
    approve(city, asking(city, plan(city)))
    other = plan(city, MAPPING.replace("draft: {remind: remind,", "draft: {remind: {drop: 不再提醒},"))
    with pytest.raises(Refused, match="须先请示批准"):
        carried(city, other)
    assert case(city, draft).version == 1


def test_a_mapping_at_fault_is_neither_asked_for_nor_carried_out(city: Engine, draft: int) -> None:
    poor = plan(city, "states: {submitted: submitted}")
    for doing in (lambda: asking(city, poor), lambda: carried(city, poor)):
        with pytest.raises(BadInput, match=r"states\.draft：有 1 件停在“起草中”，没有写明去向"):
            doing()
    with reading(city) as session:
        assert session.scalar(select(func.count()).select_from(CASE).where(CASE.c.process == "report_request")) == 0
    assert case(city, draft).version == 1


def test_only_the_city_asks_and_carries_out_and_only_in_its_own_name(city: Engine) -> None:
    migration = plan(city)
    for doing in (lambda: asking(city, migration, "county"), lambda: carried(city, migration, "county")):
        with pytest.raises(NotAllowed, match="由市级机构编制部门办理"):
            doing()
    with pytest.raises(BadInput, match="须由市本级的单位名义请示"):
        asking(city, migration, unit=3)


def test_a_request_that_is_withdrawn_stops_the_rest(city: Engine, draft: int) -> None:
    migration = plan(city)
    request = asking(city, migration)
    approve(city, request)
    with writing(city) as session:
        actor = actor_named(session, "office", at(TUE))
        require_moved(take_step(session, "report_request", "withdraw", [request], now=at(TUE), actor=actor))
    with pytest.raises(Refused, match="须先请示批准"):
        carried(city, migration)
    assert case(city, draft).version == 1


def test_while_a_case_stays_behind_the_request_stays_approved(
    city: Engine, draft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = plan(city, "{states: {draft: draft}, timers: {draft: {remind: remind, overdue: overdue}}}")
    approve(city, asking(city, migration))
    begin = migrating._next

    def meanwhile(*arguments: Any) -> list[int]:
        """The clerk submits between the proof and the first chunk."""
        monkeypatch.undo()
        ids = begin(*arguments)
        with writing(city) as session:
            save_draft(session, draft, FREE | BASIS, actor=CLERK, now=at(TUE))
        step(city, draft, "submit", CLERK)
        return ids

    monkeypatch.setattr(migrating, "_next", meanwhile)
    outcome = carried(city, migration)
    assert (outcome.moved, outcome.reported) == (0, None)
    assert "states.submitted：有 1 件停在“待负责人确认”，没有写明去向" in outcome.says
    with reading(city) as session:
        assert newest_request(session, key_of(migration)).state == "approved"


def test_the_request_keeps_the_mapping_and_says_how_many_cases_it_is_about(city: Engine) -> None:
    migration = plan(city)
    request = asking(city, migration)
    with reading(city) as session:
        kept, found = asked_for(session, key_of(migration).partition(":")[2])
        operation = operation_of(session, migration)
        (shown,) = preview(session, kept, now=at(TUE))
    assert (kept, found.id) == (migration, request)
    assert operation.says.startswith("“填报”第 1 版的未办结事项改用第 2 版（起草中 1 件），对应表 SHA-256 ")
    asked_anew = {d.guard for d in shown.differences if d.before is None}
    assert "notice_permits_entry" in asked_anew


def test_who_carried_it_out_took_no_part_in_what_was_moved(city: Engine, draft: int) -> None:
    migration = plan(city)
    approve(city, asking(city, migration))
    assert carried(city, migration).moved == 1
    with reading(city) as session:
        assert standing(session, migration).cases == {}
        assert people_of(session, [draft])[draft] == {CLERK.account}
