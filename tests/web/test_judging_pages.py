"""Pages of suspensions, the negative list, a unit's standing and simulations: who sees what, and what the buttons do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import Engine, select

from tests.conftest import Staged
from tests.web.conftest import CITY, COUNTY, FAR, SCHOOL, Town, Visitor, counted
from workers.clock import pass_time
from workers.jobs import run_request
from workflow.casework.models import HOLD
from workflow.db import reading
from workflow.engine.models import CASE
from workflow.operations.models import JobRequest
from workflow.quality.models import ENTRY

LATER = datetime(2026, 3, 13, 1, tzinfo=UTC)  # the county's units: red since 5 March, second round on 10 March


def left_alone(engine: Engine) -> None:
    """Eleven days in the town, with nobody acting."""
    pass_time(engine, LATER, date(2026, 3, 2))


@pytest.fixture
def red(town: Town, staged: Staged) -> Town:
    """The town eleven days on, with nobody having acted."""
    staged(town.engine, left_alone)
    town.set_clock(LATER)
    return town


def case_of(town: Town, code: str, process: str = "suspension") -> int:
    with reading(town.engine) as session:
        ours = select(CASE.c.id).where(CASE.c.process == process, CASE.c.unit_id == town.units[code])
        return session.scalars(ours.order_by(CASE.c.id)).first() or 0


def test_a_leader_previews_and_confirms_and_the_unit_with_its_school_is_bound(
    red: Town, leader: Visitor, clerk: Visitor
) -> None:
    case_id = case_of(red, COUNTY)
    page = leader.get(f"/cases/{case_id}", follow_redirects=True).get_data(as_text=True)
    assert "如今日决定" in page
    assert "及于 <strong>2</strong> 个单位" in page
    assert "按日历月计3个月，至对应日 2026-06-13" in page
    changed = leader.get(f"/suspensions/{case_id}?months=1").get_data(as_text=True)
    assert "至对应日 2026-04-13" in changed
    assert "月数应为" in leader.get(f"/suspensions/{case_id}?months=99").get_data(as_text=True)
    done = leader.post(f"/cases/{case_id}/steps/confirm", {"version": "1"}, follow_redirects=True)
    assert "暂停至 <strong>2026-06-13</strong>" in done.get_data(as_text=True)
    with reading(red.engine) as session:
        bound = set(session.scalars(select(HOLD.c.unit_id)))
    assert bound == {red.units[COUNTY], red.units[SCHOOL]}
    standing = clerk.get(f"/units/{SCHOOL}/standing").get_data(as_text=True)
    assert "暂停办理机构编制申请事项至 2026-06-13" in standing
    assert "由上级单位的暂停及于本单位" in standing
    assert "2026-06-14 起自然恢复" in standing
    assert "<svg" in standing


def test_the_end_may_be_set_with_a_reason_and_not_without(red: Town, leader: Visitor) -> None:
    case_id = case_of(red, COUNTY)
    answer = leader.post(f"/cases/{case_id}/steps/set_end", {"version": "1", "ends_on": "2026-05-01"})
    assert answer.status_code == 422
    given = {"version": "1", "ends_on": "2026-05-01", "reason": "整改期限"}
    assert leader.post(f"/cases/{case_id}/steps/set_end", given).status_code == 302
    with reading(red.engine) as session:
        assert {str(day) for day in session.scalars(select(HOLD.c.until_on))} == {"2026-05-01"}


def test_the_list_shows_what_lies_in_scope_and_nothing_else(red: Town, leader: Visitor) -> None:
    page = leader.get("/suspensions").get_data(as_text=True)
    assert f"示例单位{COUNTY}号" in page
    assert f"示例单位{CITY}号" not in page
    assert leader.get(f"/suspensions/{case_of(red, FAR)}").status_code == 404
    reminders = leader.get("/suspensions?process=reminder").get_data(as_text=True)
    assert "逾期未签收" in reminders


def test_a_head_signs_for_the_reminder(red: Town, sign_in: Callable[[str], Visitor]) -> None:
    head, case_id = sign_in(f"head@{COUNTY}"), case_of(red, COUNTY, "reminder")
    assert "签收" in head.get(f"/cases/{case_id}").get_data(as_text=True)
    assert head.post(f"/cases/{case_id}/steps/acknowledge", {"version": "2"}).status_code == 302
    assert "2026-03-13 <span" in head.get("/suspensions?process=reminder").get_data(as_text=True)


def test_a_suspension_says_why_a_step_is_refused_and_marks_the_way_so_far(red: Town, leader: Visitor) -> None:
    where = f"/suspensions/{case_of(red, COUNTY)}"
    assert "为什么办不了" not in leader.get(where).get_data(as_text=True)
    assert leader.post(f"/cases/{case_of(red, COUNTY)}/steps/confirm", {"version": "1"}).status_code == 302
    assert (
        leader.post(
            f"/cases/{case_of(red, COUNTY)}/steps/request_lift", {"version": "2", "reason": "已整改"}
        ).status_code
        == 302
    )
    page = leader.get(where).get_data(as_text=True)
    assert "为什么办不了，怎样能办" in page
    assert "✓ 建议待决" in page
    assert "do-stopped" in page


def test_a_clerk_reads_but_decides_nothing(red: Town, clerk: Visitor) -> None:
    case_id = case_of(red, COUNTY)
    page = clerk.get(f"/suspensions/{case_id}").get_data(as_text=True)
    assert "照准建议</button>" not in page
    assert clerk.post(f"/cases/{case_id}/steps/confirm", {"version": "1"}).status_code == 403
    assert clerk.get("/simulation").status_code == 403


def test_the_unit_page_loads_the_standing_and_outsiders_get_none(red: Town, app: Flask, clerk: Visitor) -> None:
    assert f'hx-get="/units/{COUNTY}/standing"' in clerk.get(f"/units/{COUNTY}").get_data(as_text=True)
    part = clerk.get(f"/units/{COUNTY}/standing", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert part.lstrip().startswith("<section")
    assert "怎样能办" in part
    assert clerk.get(f"/units/{FAR}/standing").status_code == 404
    with counted(app) as statements:
        clerk.get(f"/units/{COUNTY}/standing")
    assert len(statements) <= 12


def test_an_entry_is_reversed_by_two_people(red: Town, reviewer: Visitor, leader: Visitor) -> None:
    with reading(red.engine) as session:
        ours = select(ENTRY.c.id).where(ENTRY.c.unit_id == red.units[COUNTY])
        entry = session.scalars(ours.order_by(ENTRY.c.id)).first()
    assert "提请撤销误列" in reviewer.get("/negative?which=listed").get_data(as_text=True)
    early = reviewer.post(f"/negative/{entry}/remove")
    assert early.status_code == 422
    assert "尚未整改" in early.get_data(as_text=True)
    given = {"reason": "文件缓发", "which": "listed"}
    assert reviewer.post(f"/negative/{entry}/ask_reversal", given).status_code == 302
    page = leader.get("/negative?which=asked").get_data(as_text=True)
    assert "提请撤销：文件缓发" in page
    assert leader.post(f"/negative/{entry}/reverse").status_code == 302
    with reading(red.engine) as session:
        assert session.scalar(select(ENTRY.c.reason).where(ENTRY.c.id == entry)) == "文件缓发"


def test_an_entry_of_another_county_does_not_exist(red: Town, reviewer: Visitor) -> None:
    with reading(red.engine) as session:
        entry = session.scalars(select(ENTRY.c.id).where(ENTRY.c.unit_id == red.units[FAR])).first()
    assert reviewer.post(f"/negative/{entry}/ask_reversal", {"reason": "x"}).status_code == 404


def test_a_simulation_is_done_by_a_worker_and_told_in_ones_own_scope(
    town: Town, leader: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = leader.post("/simulation", {"until": "2026-03-20", "confirm": "1", "light.red": "1"})
    assert asked.status_code == 302
    assert "排队中" in leader.get(asked.location).get_data(as_text=True)
    monkeypatch.setenv("SANDENG_DATABASE_URL", town.engine.url.render_as_string(hide_password=False))
    with reading(town.engine) as session:
        request_id = session.scalars(select(JobRequest.id).where(JobRequest.kind == "simulation")).one()
    run_request(request_id)
    page = leader.get(asked.location).get_data(as_text=True)
    assert "推演至 2026-03-20：转红" in page
    assert f"示例单位{COUNTY}号" in page
    assert f"示例单位{CITY}号" not in page
    with reading(town.engine) as session:
        assert session.scalar(select(CASE.c.id).where(CASE.c.process == "suspension")) is None


@pytest.mark.parametrize("until", ["2026-03-01", "2030-01-01", "soon"])
def test_a_simulation_until_an_impossible_day_is_refused(town: Town, leader: Visitor, until: str) -> None:
    assert leader.post("/simulation", {"until": until}).status_code == 400
