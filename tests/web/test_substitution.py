"""代办: applied for, approved by a third person, limited in days, units and processes; the substitute acts under the own account for another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from tests.casework.matter_room import wish_book
from tests.web.conftest import COUNTY, FAR, Town, Visitor
from workflow.access.accounts import create_account, grant
from workflow.db import reading, writing
from workflow.engine.models import HISTORY
from workflow.engine.registry import using
from workflow.engine.timers import fire_due

SECRET = "helper-pass-2026"
GOOD = {"unit": COUNTY, "kind": "one", "why": "人手不足"}
ASKED = {
    "unit": COUNTY, "substitute": "helper@330282", "role": "reviewer", "from_on": "2026-03-02", "until_on": "2026-03-04",
    "reach": "all", "why": "出差",
}  # fmt: skip
PRINCIPAL = "reviewer@330282"


@pytest.fixture(autouse=True)
def wishes() -> Iterator[None]:
    with using(wish_book()):
        yield


@pytest.fixture
def helper(town: Town, now: datetime, sign_in: Callable[..., Visitor]) -> Visitor:
    """A colleague of the county office who reviews for the far county only."""
    with writing(town.engine) as session:
        create_account(
            session, name="helper@330282", person_name="帮某", district="330282", password=SECRET, by="t", now=now
        )
        place = {"scope": "district", "district": "330203"}
        grant(session, account="helper@330282", role_name="reviewer", by="t", now=now, **place)
    return sign_in("helper@330282", SECRET)


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def applied(visitor: Visitor, **more: Any) -> str:
    answer = visitor.post("/matters/substitution", ASKED | more)
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return str(answer.location)


def in_force(principal: Visitor, approver: Visitor, **more: Any) -> str:
    where = applied(principal, **more)
    asked = principal.post(f"{where}/steps/ask_leader", {"version": "1"})
    assert asked.status_code == 302, asked.get_data(as_text=True)
    assert approver.post(f"{where}/steps/decide", {"version": "2"}).status_code == 302
    return where


def wish(clerk: Visitor, **more: Any) -> str:
    where = clerk.post("/matters/wish", GOOD | more).location
    assert clerk.post(f"{where}/steps/submit", {"version": "1"}).status_code == 302
    return str(where)


def grants(visitor: Visitor, where: str) -> int:
    return visitor.post(f"{where}/steps/grant", {"version": "2", "places": "1"}).status_code


def last_act(town: Town, where: str) -> tuple[str, str | None]:
    case_id = int(where.rsplit("/", 1)[1])
    with reading(town.engine) as session:
        acts = select(HISTORY.c.actor, HISTORY.c.on_behalf_of).where(HISTORY.c.case_id == case_id)
        row = session.execute(acts.order_by(HISTORY.c.version.desc())).first()
    assert row
    return row.actor, row.on_behalf_of


def test_the_substitute_acts_under_the_own_account_on_behalf_of_the_principal(
    town: Town, clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor
) -> None:
    where = wish(clerk)
    assert helper.get(where).status_code == 404
    in_force(reviewer, leader)
    page = text(helper, "/tasks")
    assert ("正在代办" in page, where in page) == (True, True)
    assert f"代 {PRINCIPAL} 办理" in text(helper, where)
    assert grants(helper, where) == 302
    assert last_act(town, where) == ("helper@330282", PRINCIPAL)
    assert re.search(rf"代 \S+（{PRINCIPAL}）", text(clerk, where))


def test_what_is_lent_is_read_and_not_taken_out_as_evidence(
    clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor
) -> None:
    where = wish(clerk)
    in_force(reviewer, leader)
    assert helper.get(where).status_code == 200
    answer = helper.get(f"{where}/evidence.zip")
    assert (answer.status_code, "代办的事项由本人" in answer.get_data(as_text=True)) == (403, True)
    with reviewer.get(f"{where}/evidence.zip") as whole:
        assert whole.status_code == 200


def test_it_ends_with_the_last_day(
    town: Town, clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    matter, where = in_force(reviewer, leader), wish(clerk)
    town.set_clock(datetime(2026, 3, 4, 15, 59, tzinfo=UTC))  # 23:59 in Ningbo
    helper = sign_in("helper@330282", SECRET)
    assert helper.get(where).status_code == 200
    town.set_clock(datetime(2026, 3, 4, 16, 0, tzinfo=UTC))
    assert helper.get(where).status_code == 404
    assert grants(helper, where) == 404
    fire_due(town.engine, datetime(2026, 3, 4, 16, 1, tzinfo=UTC))
    assert "已结束" in text(sign_in(PRINCIPAL), matter)


def test_it_begins_on_the_first_day_and_may_be_ended_early(
    town: Town, clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    where = wish(clerk)
    matter = in_force(reviewer, leader, from_on="2026-03-03")
    assert helper.get(where).status_code == 404
    town.set_clock(datetime(2026, 3, 3, 1, tzinfo=UTC))
    helper, reviewer = sign_in("helper@330282", SECRET), sign_in(PRINCIPAL)
    assert helper.get(where).status_code == 200
    assert helper.post(f"{matter}/steps/take_back", {"version": "3", "reason": "x"}).status_code in (403, 422)
    assert reviewer.post(f"{matter}/steps/take_back", {"version": "3", "reason": "提前回来"}).status_code == 302
    assert helper.get(where).status_code == 404


def test_it_is_limited_to_its_units_and_processes(
    clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    ours, others = wish(clerk), wish(sign_in("clerk@330282102"), unit="330282102")
    in_force(reviewer, leader, reach="unit")
    assert helper.get(others).status_code == 404
    assert grants(helper, ours) == 302
    in_force(reviewer, leader, process="filing")
    assert grants(helper, others) == 403  # to be read, but not this process


def test_a_borrowed_role_brings_no_other_right(
    clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor
) -> None:
    in_force(reviewer, leader)
    assert reviewer.get(f"/units/{COUNTY}").status_code == 200
    assert helper.get(f"/units/{COUNTY}").status_code == 404


def test_what_somebody_applied_for_never_comes_back_to_them(
    town: Town, now: datetime, reviewer: Visitor, leader: Visitor, helper: Visitor
) -> None:
    from workflow.access.scopes import actor_named
    from workflow.access.substitution import stand_ins

    in_force(reviewer, leader)
    with reading(town.engine) as session:
        person = actor_named(session, "helper@330282", now)
    assert [principal for _, principal in stand_ins(person, "wish", "clerk")] == [PRINCIPAL]
    assert stand_ins(person, "wish", "helper@330282") == []


def test_four_eyes_count_the_principal_too(
    town: Town, clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor
) -> None:
    """What the principal took part in, the substitute may not decide for the principal."""
    where = wish(clerk)
    in_force(reviewer, leader)
    with writing(town.engine) as session:
        from workflow.access.scopes import actor_named
        from workflow.access.substitution import acting
        from workflow.engine.steps import take_step

        person = actor_named(session, "helper@330282", datetime(2026, 3, 2, 2, tzinfo=UTC))
        who, behalf = acting(session, person, "wish", ("reviewer",), town.units[COUNTY], "clerk")
        case_id = int(where.rsplit("/", 1)[1])
        now = datetime(2026, 3, 2, 2, tzinfo=UTC)
        result = take_step(
            session,
            "wish",
            "grant",
            [case_id],
            now=now,
            actor=who,
            on_behalf_of=f"clerk@{COUNTY}",
            inputs={"places": 1},
        )
        assert behalf == PRINCIPAL
        assert [verdict.guard for verdict in result.refused[case_id] if not verdict.holds] == ["took_no_part"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"substitute": "nobody@330282"}, "没有账号"),
        ({"substitute": PRINCIPAL}, "不能由本人代办"),
        ({"substitute": "reviewer@330203"}, "不在同一单位"),
        ({"substitute": "leader@330282"}, "不得兼办"),
        ({"role": "leader"}, "没有这一角色"),
        ({"until_on": "2026-03-01", "from_on": "2026-02-27"}, "已过"),
        ({"until_on": "2026-02-28"}, "不得早于"),
        ({"until_on": "2026-12-31"}, "最长 92 天"),
    ],
)
def test_an_unfit_application_is_refused_with_its_reason(
    reviewer: Visitor, helper: Visitor, more: dict[str, str], says: str
) -> None:
    where = applied(reviewer, **more)
    refused = reviewer.post(f"{where}/steps/ask_leader", {"version": "1"})
    assert (refused.status_code, says in refused.get_data(as_text=True)) == (422, True)


def test_a_unit_clerk_asks_the_head_and_nobody_approves_their_own(
    town: Town, now: datetime, clerk: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    with writing(town.engine) as session:
        unit = {"unit_id": town.units[COUNTY]}
        create_account(session, name="second@1", person_name="二某", password=SECRET, by="t", now=now, **unit)
        grant(session, account="second@1", role_name="unit_clerk", scope="unit", by="t", now=now, **unit)
    where = applied(clerk, substitute="second@1", role="unit_clerk")
    assert clerk.post(f"{where}/steps/ask_head", {"version": "1"}).status_code == 302
    assert clerk.post(f"{where}/steps/approve", {"version": "2"}).status_code == 403
    assert sign_in(f"head@{FAR}").post(f"{where}/steps/approve", {"version": "2"}).status_code == 404
    assert sign_in(f"head@{COUNTY}").post(f"{where}/steps/approve", {"version": "2"}).status_code == 302
    assert "代办中" in text(clerk, "/matters/substitution")


def test_the_header_says_nothing_when_nothing_is_lent(reviewer: Visitor, leader: Visitor, helper: Visitor) -> None:
    assert "正在代办" not in text(helper, "/tasks")
    in_force(reviewer, leader)
    assert re.search("正在代办 *严", text(helper, "/tasks"))
    assert "正在代办" not in text(reviewer, "/tasks")
