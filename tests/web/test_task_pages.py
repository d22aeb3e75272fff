"""The inbox: its views and filters, its badge, who holds what, what is put off, what is passed on, one step on many cases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.casework.matter_room import wish_book
from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, SCHOOL, Town, Visitor, counted
from workflow.access.accounts import create_account, grant
from workflow.access.scopes import actor_named
from workflow.casework import bulk
from workflow.casework.bulk import work_off
from workflow.casework.handling_models import BulkRow
from workflow.db import reading, writing
from workflow.engine.models import CASE, HISTORY, TIMER
from workflow.engine.registry import using
from workflow.insight.tasks import VIEWS, TaskFilter, my_tasks, turn

SECRET = "deputy-pass-2026"
GOOD = {"unit": COUNTY, "kind": "one", "why": "人手不足"}
TODAY = date(2026, 3, 2)


@pytest.fixture(autouse=True)
def wishes() -> Iterator[None]:
    with using(wish_book()):
        yield


def begin(visitor: Visitor, send: bool = True, **more: Any) -> int:
    answer = visitor.post("/matters/wish", GOOD | more)
    assert answer.status_code == 302, answer.get_data(as_text=True)
    if send:
        assert visitor.post(f"{answer.location}/steps/submit", {"version": "1"}).status_code == 302
    return int(answer.location.rsplit("/", 1)[1])


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def listed(visitor: Visitor, path: str = "/tasks") -> set[int]:
    return {int(found) for found in re.findall(r'name="ids" value="(\d+)"', text(visitor, path))}


def badge(visitor: Visitor) -> int:
    return int(visitor.get("/tasks/badge").json["count"])


@pytest.fixture
def deputy(sign_in: Callable[[str], Visitor], town: Town, now: datetime) -> Visitor:
    """A second reviewer of the county office."""
    with writing(town.engine) as session:
        new = {"name": "deputy@330282", "person_name": "副某", "district": "330282"}
        create_account(session, password=SECRET, by="test", now=now, **new)
        place = {"scope": "district", "district": "330282"}
        grant(session, account="deputy@330282", role_name="reviewer", by="test", now=now, **place)
    return sign_in("deputy@330282", SECRET)


def test_the_badge_is_as_long_as_the_list_and_counts_what_was_put_off(clerk: Visitor, reviewer: Visitor) -> None:
    first, second = begin(clerk), begin(clerk)
    before = listed(reviewer)
    assert {first, second} <= before
    assert badge(reviewer) == len(before)
    day = {"ids": [first], "until": "2026-03-05"}
    assert reviewer.post("/tasks/snooze", day).status_code == 302
    now_listed, later = listed(reviewer), listed(reviewer, "/tasks?view=later")
    assert (later, first in now_listed) == ({first}, False)
    assert badge(reviewer) == len(before) == len(now_listed) + len(later)
    assert "其中 1 件在“稍后”" in text(reviewer, "/tasks")


def test_what_was_put_off_comes_back_on_the_day_and_no_deadline_moved(
    town: Town, clerk: Visitor, reviewer: Visitor
) -> None:
    case_id = begin(clerk)
    with reading(town.engine) as session:
        before = session.execute(select(CASE).where(CASE.c.id == case_id)).one(), session.execute(select(TIMER)).all()
    reviewer.post("/tasks/snooze", {"ids": [case_id], "until": "2026-03-05"})
    with reading(town.engine) as session:
        after = session.execute(select(CASE).where(CASE.c.id == case_id)).one(), session.execute(select(TIMER)).all()
    assert after == before
    assert case_id not in listed(reviewer)
    reviewer.post("/tasks/snooze", {"ids": [case_id], "do": "wake"})
    assert case_id in listed(reviewer)
    reviewer.post("/tasks/snooze", {"ids": [case_id], "until": "2026-03-05"})
    with reading(town.engine) as session:
        person = actor_named(session, "reviewer@330282", datetime(2026, 3, 2, tzinfo=UTC))
        for day, there in ((date(2026, 3, 4), False), (date(2026, 3, 5), True)):
            rows, _ = my_tasks(session, person, TaskFilter(process="wish"), day)
            assert [row.id for row in rows] == [case_id] * there


def test_it_is_put_off_to_a_day_to_come_only(clerk: Visitor, reviewer: Visitor) -> None:
    case_id = begin(clerk)
    for until in ("2026-03-02", "2027-03-02", "soon", ""):
        assert reviewer.post("/tasks/snooze", {"ids": [case_id], "until": until}).status_code == 400
    assert reviewer.post("/tasks/snooze", {"until": "2026-03-05"}).status_code == 400
    assert clerk.post("/tasks/snooze", {"ids": [case_id], "until": "2026-03-05"}).status_code == 404


def test_open_work_is_in_the_list_however_old_it_is(town: Town, clerk: Visitor, reviewer: Visitor) -> None:
    case_id = begin(clerk)
    town.set_clock(datetime(2026, 3, 2, 1, tzinfo=UTC) + timedelta(days=2000))
    reviewer = reviewer.__class__(reviewer.client.application.test_client())
    reviewer.post("/sign-in", {"account": "reviewer@330282", "password": "sandeng-demo"})
    assert case_id in listed(reviewer)


def test_each_view_shows_its_part(clerk: Visitor, reviewer: Visitor, leader: Visitor) -> None:
    waiting, draft = begin(clerk), begin(clerk, send=False)
    assert draft in listed(clerk)
    assert waiting not in listed(clerk)
    assert {waiting, draft} <= listed(clerk, "/tasks?view=all&process=wish")
    assert draft in listed(clerk, "/tasks?view=office")
    assert waiting not in listed(clerk, "/tasks?view=office")
    assert waiting in listed(leader, "/tasks?view=office")
    assert f"/cases/{waiting}" in text(clerk, "/tasks?view=done")
    assert f"/cases/{draft}" not in text(clerk, "/tasks?view=done")
    reviewer.post(f"/cases/{waiting}/hold", {"do": "claim"})
    assert listed(reviewer, "/tasks?view=mine") == {waiting}
    assert waiting not in listed(reviewer, "/tasks?view=free")


def test_filters_narrow_the_list(clerk: Visitor, reviewer: Visitor, sign_in: Callable[[str], Visitor]) -> None:
    ours, theirs = begin(clerk), begin(sign_in(f"clerk@{NEIGHBOUR}"), unit=NEIGHBOUR)
    for query, found in {
        f"unit={COUNTY}": {ours},
        f"unit={SCHOOL}": set(),
        f"text=单位{NEIGHBOUR}": {theirs},
        "process=wish&state=sent": {ours, theirs},
        "process=wish&state=draft": set(),
        "light=red": set(),
        "due_to=2026-03-31&process=wish": set(),
        "view=free&process=wish": {ours, theirs},
    }.items():
        assert listed(reviewer, f"/tasks?{query}") & {ours, theirs} == found, query


def test_pages_follow_one_another_without_gaps(town: Town, clerk: Visitor) -> None:
    cases = [begin(clerk, send=False) for _ in range(7)]
    with reading(town.engine) as session:
        person = actor_named(session, f"clerk@{COUNTY}", datetime(2026, 3, 2, tzinfo=UTC))
        for view in VIEWS:
            seen, after = [], None
            while True:
                rows, after = my_tasks(session, person, TaskFilter(view=view), TODAY, after=after, limit=2)
                seen += [row.id for row in rows]
                if after is None:
                    break
            whole, _ = my_tasks(session, person, TaskFilter(view=view), TODAY, limit=500)
            assert seen == [row.id for row in whole]
            assert view not in ("", "all") or set(cases) <= set(seen)


def test_a_cursor_that_nobody_made_is_refused(reviewer: Visitor) -> None:
    for cursor in ("WzFd", "WzEsImEiLDNd", "WzEsIjIwMjYtMDEtMDEiLDNd"):
        assert reviewer.get(f"/tasks?after={cursor}").status_code == 400


def test_the_page_keeps_to_its_statements(app: Flask, clerk: Visitor, reviewer: Visitor) -> None:
    begin(clerk)
    for view in VIEWS:
        with counted(app) as statements:
            text(reviewer, f"/tasks?view={view}&text=单位")
        assert len(statements) <= 12, statements


def test_columns_are_kept_on_the_server(clerk: Visitor, reviewer: Visitor, sign_in: Callable[[str], Visitor]) -> None:
    begin(clerk)
    assert "<th>编号</th>" not in text(reviewer, "/tasks")
    reviewer.post("/tasks/columns", {"show_id": "1", "show_unit": "1"})
    again = text(sign_in("reviewer@330282"), "/tasks")
    assert ("<th>编号</th>" in again, "<th>状态</th>" in again) == (True, False)
    assert "<th>编号</th>" not in text(clerk, "/tasks")


def test_a_kept_search_is_shared_with_colleagues_of_the_place_and_nobody_else(
    clerk: Visitor, reviewer: Visitor, deputy: Visitor, leader: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    reviewer.post("/tasks/filters", {"name": "我的心愿", "process": "wish"})
    reviewer.post("/tasks/filters", {"name": "大家的心愿", "process": "wish", "state": "sent", "share": "0"})
    assert "大家的心愿" in text(deputy, "/tasks")
    assert "我的心愿" not in text(deputy, "/tasks")
    for other in (leader, clerk, sign_in("reviewer@330203")):
        assert "的心愿" not in text(other, "/tasks")
    number = re.search(r"/tasks/filters/(\d+)/forget", text(reviewer, "/tasks"))
    assert number
    assert deputy.post(f"/tasks/filters/{number[1]}/forget").status_code == 404
    assert reviewer.post(f"/tasks/filters/{number[1]}/forget").status_code == 302


def test_a_lost_claim_says_who_has_it(clerk: Visitor, reviewer: Visitor, deputy: Visitor) -> None:
    case_id = begin(clerk)
    assert reviewer.post(f"/cases/{case_id}/hold", {"do": "claim"}).status_code == 302
    lost = deputy.post(f"/cases/{case_id}/hold", {"do": "claim"})
    assert (lost.status_code, "已由 reviewer@330282 办理" in lost.get_data(as_text=True)) == (409, True)
    deputy.post("/tasks/hold", {"ids": [case_id]})
    assert "已由 reviewer@330282 办理" in text(deputy, "/tasks")


def test_through_the_api_a_lost_claim_is_a_conflict_that_says_who_has_it(
    clerk: Visitor, reviewer: Visitor, deputy: Visitor
) -> None:
    where = f"/api/v1/cases/{begin(clerk)}"
    taken = reviewer.client.post(f"{where}/claim", json={})
    assert (taken.status_code, taken.json["assignee"]) == (200, "reviewer@330282")
    lost = deputy.client.post(f"{where}/claim", json={})
    assert (lost.status_code, lost.mimetype) == (409, "application/problem+json")
    assert lost.json["detail"] == "此事项已由 reviewer@330282 办理"
    assert deputy.client.post(f"{where}/release", json={}).json["assignee"] == "reviewer@330282"
    assert clerk.client.post(f"{where}/claim", json={}).status_code == 404  # whose turn it is not
    assert reviewer.client.post(f"{where}/release", json={}).json["assignee"] is None
    assert deputy.client.post(f"{where}/claim", json={}).json["assignee"] == "deputy@330282"


def test_a_case_is_passed_on_with_a_reason_to_who_is_responsible(
    town: Town, clerk: Visitor, reviewer: Visitor, deputy: Visitor
) -> None:
    case_id = begin(clerk)
    form = text(reviewer, f"/cases/{case_id}/reassign")
    assert ("deputy@330282" in form, "reviewer@330203" in form) == (True, False)
    where = f"/cases/{case_id}/reassign"
    good = {"to": "deputy@330282", "reason": "出差", "version": "2"}
    assert reviewer.post(where, good | {"reason": " "}).status_code == 400
    assert reviewer.post(where, good | {"to": "reviewer@330203"}).status_code == 400
    assert reviewer.post(where, good | {"version": "1"}).status_code == 409
    assert clerk.post(where, good).status_code == 404
    assert reviewer.post(where, good).status_code == 302
    with reading(town.engine) as session:
        last = session.execute(
            select(HISTORY).where(HISTORY.c.case_id == case_id).order_by(HISTORY.c.id.desc())
        ).first()
        assert last
        assert (last.do, last.actor, last.reason, last.facts["assignee"]) == (
            "reassign", "reviewer@330282", "出差", "deputy@330282",
        )  # fmt: skip
    assert listed(deputy, "/tasks?view=mine") == {case_id}
    assert "转交" in text(reviewer, f"/cases/{case_id}")
    # who passed it on took no part: it may come back to them
    back = {"to": "reviewer@330282", "reason": "回来了", "version": "3"}
    assert deputy.post(where, back).status_code == 302
    assert reviewer.post(f"/cases/{case_id}/steps/grant", {"version": "4", "places": "1"}).status_code == 302


def chosen(visitor: Visitor, ids: list[int], **more: Any) -> dict[str, str]:
    page = visitor.post("/tasks/bulk", {"ids": ids, "step": "wish.grant", **more}).get_data(as_text=True)
    found = {name: re.search(f'name="{name}" value="([^"]+)"', page) for name in ("key", "versions")}
    assert all(found.values()), page
    return {"step": "wish.grant", **{name: match[1] for name, match in found.items() if match}}


def rows_of(town: Town) -> dict[int, str]:
    with reading(town.engine) as session:
        return {row.case_id: row.state for row in session.scalars(select(BulkRow))}


def bulk_id(answer: Any) -> int:
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return int(answer.location.rsplit("/", 1)[1])


def idle(_done: int, _total: int) -> None:
    """Nobody watches."""


def test_a_preview_says_for_each_row_whether_it_may_and_why_not(town: Town, clerk: Visitor, reviewer: Visitor) -> None:
    good, done = begin(clerk), begin(clerk)
    assert reviewer.post(f"/cases/{done}/steps/grant", {"version": "2", "places": "1"}).status_code == 302
    page = reviewer.post("/tasks/bulk", {"ids": [good, done], "step": "wish.grant"}).get_data(as_text=True)
    assert ("可以办理 1 件" in page, "不能办理 1 件" in page, "当前状态为“已同意”" in page) == (True, True, True)
    other = clerk.post("/tasks/bulk", {"ids": [good, done]}).get_data(as_text=True)
    assert "没有可以一并办理的步骤" in other
    draft = begin(clerk, send=False, why="")
    refused = clerk.post("/tasks/bulk", {"ids": [draft], "step": "wish.submit"}).get_data(as_text=True)
    assert ("不能办理 1 件" in refused, "还须填写：事由" in refused) == (True, True)


def test_a_bulk_step_moves_each_row_once_however_often_it_is_sent(
    town: Town, now: datetime, clerk: Visitor, reviewer: Visitor
) -> None:
    ids = [begin(clerk) for _ in range(3)]
    asked = chosen(reviewer, ids) | {"places": "2"}
    changed = ids[1]
    reviewer.post(f"/cases/{changed}/steps/grant", {"version": "2", "places": "1"})
    first, second = (bulk_id(reviewer.post("/tasks/bulk/start", asked)) for _ in range(2))
    assert first == second
    for _ in range(2):
        work_off(town.engine, first, progress=idle, clock=lambda: now + timedelta(hours=1))
    assert rows_of(town) == {ids[0]: "moved", changed: "changed", ids[2]: "moved"}
    with reading(town.engine) as session:
        grants = session.scalars(select(HISTORY.c.case_id).where(HISTORY.c.do == "grant").order_by(HISTORY.c.case_id))
        assert list(grants) == ids
    page = text(reviewer, f"/tasks/bulk/{first}")
    assert (page.count(">已办理</td>"), page.count(">他人已先办理</td>")) == (2, 1)
    assert clerk.get(f"/tasks/bulk/{first}").status_code == 404


def test_what_a_field_does_not_allow_is_named_before_anything_begins(
    town: Town, clerk: Visitor, reviewer: Visitor
) -> None:
    asked = chosen(reviewer, [begin(clerk)])
    for places, says in (("99", "「同意数量」应在 1 至 9 之间"), ("two", "「同意数量」“two”不是整数")):
        refused = reviewer.post("/tasks/bulk/start", asked | {"places": places})
        assert (refused.status_code, says in refused.get_data(as_text=True)) == (400, True)
    assert "「理由」有 2001 个字" in reviewer.post(
        "/tasks/bulk/start", asked | {"places": "2", "reason": "长" * 2001}
    ).get_data(as_text=True)
    assert rows_of(town) == {}


def test_a_stop_leaves_the_rows_not_begun_as_they_are(
    town: Town, now: datetime, clerk: Visitor, reviewer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 1)
    ids = [begin(clerk) for _ in range(3)]
    made = bulk_id(reviewer.post("/tasks/bulk/start", chosen(reviewer, ids) | {"places": "2"}))

    def stopping(done: int, _total: int) -> None:
        if done == 1:
            assert reviewer.post(f"/tasks/bulk/{made}/stop").status_code == 302

    work_off(town.engine, made, progress=stopping, clock=lambda: now)
    assert sorted(rows_of(town).values()) == ["moved", "stopped", "stopped"]
    assert "未办理" in text(reviewer, f"/tasks/bulk/{made}")


def test_the_whole_list_may_be_chosen_and_foreign_cases_are_left(
    clerk: Visitor, reviewer: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    ids = [begin(clerk) for _ in range(2)]
    far = begin(sign_in(f"clerk@{FAR}"), unit=FAR)
    page = reviewer.post("/tasks/bulk?process=wish", {"every": "1"}).get_data(as_text=True)
    assert all(f"{case}:2" in page for case in ids)
    assert f"{far}:2" not in reviewer.post("/tasks/bulk", {"ids": [far]}).get_data(as_text=True)


def test_what_was_not_previewed_is_not_begun(clerk: Visitor, reviewer: Visitor) -> None:
    asked = chosen(reviewer, [begin(clerk)])
    for fault in ({"versions": ""}, {"versions": "x:1"}, {"key": "short"}, {"places": ""}, {"step": "wish.dance"}):
        assert reviewer.post("/tasks/bulk/start", asked | {"places": "1"} | fault).status_code == 400, fault
    assert reviewer.post("/tasks/bulk", {}).status_code == 400


def test_the_badge_is_one_statement(town: Town, app: Flask, reviewer: Visitor) -> None:
    with reading(town.engine) as session:
        person = actor_named(session, "reviewer@330282", datetime(2026, 3, 2, tzinfo=UTC))
        found = turn(session, person, TODAY)
    assert found.all == badge(reviewer) == found.now + found.later


def test_every_entry_of_the_navigation_leads_somewhere(reviewer: Visitor) -> None:
    page = text(reviewer, "/tasks")
    entries = page[page.index('id="nav"') : page.index("sidenav-foot")]
    assert '<a href=""' not in entries
    assert re.search(r'href="/tasks" class="on"', entries)
