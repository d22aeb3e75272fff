"""代办 on every page that takes a step: filings, tickets, explanations, the negative list, bulk steps; noted each time, never past four eyes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from tests.casework.matter_room import wish_book
from tests.web.conftest import COUNTY, Town, Visitor
from tests.web.test_filing_pages import MINE, begun, steps_of, ticket_of, typed
from tests.web.test_judging_pages import red
from tests.web.test_substitution import PRINCIPAL, SECRET, applied, helper, in_force, text
from tests.web.test_task_pages import begin, bulk_id, chosen, idle
from tests.web.test_ticket_page import PDF
from workflow.access.accounts import create_account, grant
from workflow.access.substitution import lendable
from workflow.casework.bulk import work_off
from workflow.casework.models import Filing
from workflow.db import reading, writing
from workflow.engine.models import CASE, HISTORY
from workflow.engine.registry import book, using
from workflow.quality.models import ENTRY
from workflow.registry.models import RecordVersion

__all__ = ["helper", "red"]
CLERK, SECOND = f"clerk@{COUNTY}", "second@1"


@pytest.fixture
def second(town: Town, now: datetime, sign_in: Callable[..., Visitor], clerk: Visitor) -> Visitor:
    """A head of the county bureau who stands in for its clerk until 4 March; the other head agreed."""
    with writing(town.engine) as session:
        unit = {"unit_id": town.units[COUNTY]}
        create_account(session, name=SECOND, person_name="二某", password=SECRET, by="t", now=now, **unit)
        grant(session, account=SECOND, role_name="unit_head", scope="unit", by="t", now=now, **unit)
    where = applied(clerk, substitute=SECOND, role="unit_clerk")
    assert clerk.post(f"{where}/steps/ask_head", {"version": "1"}).status_code == 302
    assert sign_in(f"head@{COUNTY}").post(f"{where}/steps/approve", {"version": "2"}).status_code == 302
    return sign_in(SECOND, SECRET)


def acts(town: Town, case_id: int) -> list[tuple[str, str, str | None]]:
    """What people did in a case, by whom, on whose behalf."""
    told = select(HISTORY.c.do, HISTORY.c.actor, HISTORY.c.on_behalf_of).where(HISTORY.c.case_id == case_id)
    with reading(town.engine) as session:
        return [tuple(row) for row in session.execute(told.order_by(HISTORY.c.version))]


def test_a_filing_is_drafted_and_sent_on_behalf_and_confirmed_by_neither_of_the_two(
    town: Town, second: Visitor, clerk: Visitor, reviewer: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    ticket = ticket_of(town, "birth_date")
    assert f"代 {CLERK}" in text(second, f"/tickets/{ticket}")
    place = begun(second, ticket=str(ticket))
    assert f"代 {CLERK} 起草" in text(second, f"{place}/edit")
    sent = typed(second, place, birth_date="1985-06-15") | {"then": "submit"}
    assert second.post(f"{place}/edit", sent).status_code == 302
    case_id = int(place.rsplit("/", 1)[1])
    with reading(town.engine) as session:
        assert session.get_one(Filing, case_id).authors == [CLERK, SECOND]
    assert second.post(f"{place}/steps/confirm", steps_of(second, place)).status_code == 422
    assert sign_in(f"head@{COUNTY}").post(f"{place}/steps/confirm", steps_of(second, place)).status_code == 302
    assert reviewer.post(f"{place}/steps/accept", steps_of(reviewer, place)).status_code == 302
    assert [act for act in acts(town, case_id) if act[0] in ("open", "submit")] == [
        ("open", SECOND, CLERK), ("submit", SECOND, CLERK),
    ]  # fmt: skip
    written = select(RecordVersion.by, RecordVersion.on_behalf_of).where(RecordVersion.case_id == case_id)
    with reading(town.engine) as session:
        assert set(map(tuple, session.execute(written))) == {(SECOND, CLERK)}
    assert f"（代 {CLERK}）" in text(clerk, f"/records/person/{MINE}")


def test_a_draft_of_the_clerk_is_gone_on_with_and_taken_back_on_behalf(
    town: Town, second: Visitor, clerk: Visitor
) -> None:
    place = begun(clerk)
    assert second.post(f"{place}/edit", typed(second, place, name="张三丰") | {"then": "submit"}).status_code == 302
    assert f"代 {CLERK} 办理" in text(second, place)
    assert second.post(f"{place}/steps/recall", steps_of(second, place)).status_code == 302
    assert acts(town, int(place.rsplit("/", 1)[1]))[-1] == ("recall", SECOND, CLERK)


def test_once_the_days_are_over_no_page_offers_it(
    town: Town, now: datetime, second: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    place = begun(second)
    town.set_clock(now + timedelta(days=3))
    later, ticket = sign_in(SECOND, SECRET), ticket_of(town, "birth_date")
    assert "代 " not in text(later, f"/tickets/{ticket}")
    assert "通过填报更正" not in text(later, f"/tickets/{ticket}")
    assert later.get(f"{place}/edit").status_code == 403
    assert later.post("/filings", {"dataset": "person", "key": MINE}).status_code == 403


def test_a_substitution_for_other_matters_only_begins_no_filing(
    town: Town, now: datetime, clerk: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    with writing(town.engine) as session:
        unit = {"unit_id": town.units[COUNTY]}
        create_account(session, name=SECOND, person_name="二某", password=SECRET, by="t", now=now, **unit)
        grant(session, account=SECOND, role_name="unit_head", scope="unit", by="t", now=now, **unit)
    where = applied(clerk, substitute=SECOND, role="unit_clerk", process="approval")
    clerk.post(f"{where}/steps/ask_head", {"version": "1"})
    sign_in(f"head@{COUNTY}").post(f"{where}/steps/approve", {"version": "2"})
    other = sign_in(SECOND, SECRET)
    assert other.post("/filings", {"dataset": "person", "key": MINE}).status_code == 403
    assert other.get("/matters/approval/new").status_code == 200


def test_a_doubt_is_explained_on_behalf_and_not_approved_by_who_wrote_it(
    town: Town, second: Visitor, reviewer: Visitor
) -> None:
    doubtful = next(t for t in town.tickets(COUNTY) if t.level == "W")
    assert f"代 {CLERK}" in text(second, f"/tickets/{doubtful.id}")
    given = {"text": "档案认定与证件不同", "evidence": (io.BytesIO(PDF), "认定.pdf")}
    assert second.post(f"/tickets/{doubtful.id}/explain", given).status_code == 302
    with reading(town.engine) as session:
        case_id = session.scalars(select(CASE.c.id).where(CASE.c.process == "explanation")).one()
    assert acts(town, case_id) == [("open", SECOND, CLERK), ("submit", SECOND, CLERK)]
    assert re.search(rf"代 \S+（{CLERK}）", text(reviewer, f"/cases/{case_id}"))


def test_an_entry_of_the_negative_list_is_acted_on_on_behalf(
    red: Town, reviewer: Visitor, leader: Visitor, helper: Visitor, sign_in: Callable[..., Visitor]
) -> None:
    days = {"from_on": "2026-03-13", "until_on": "2026-03-16"}
    in_force(reviewer, leader, **days)
    with reading(red.engine) as session:
        ours = select(ENTRY.c.id).where(ENTRY.c.unit_id == red.units[COUNTY])
        entry = session.scalars(ours.order_by(ENTRY.c.id)).first()
    assert f"代 {PRINCIPAL} 办理" in text(helper, "/negative?which=listed")
    assert helper.post(f"/negative/{entry}/ask_reversal", {"reason": "文件缓发"}).status_code == 302
    with reading(red.engine) as session:
        case_id = session.scalars(select(CASE.c.id).where(CASE.c.process == "negative_list")).one()
    assert acts(red, case_id)[-1] == ("ask_reversal", "helper@330282", PRINCIPAL)
    assert leader.post(f"/negative/{entry}/reverse").status_code == 302


@pytest.fixture
def wishes() -> Iterator[None]:
    with using(wish_book()):
        yield


def test_many_cases_are_taken_together_on_behalf_and_the_preview_says_so(
    wishes: None, town: Town, now: datetime, clerk: Visitor, reviewer: Visitor, leader: Visitor, helper: Visitor
) -> None:
    ids = [begin(clerk) for _ in range(2)]
    in_force(reviewer, leader)
    preview = helper.post("/tasks/bulk", {"ids": ids, "step": "wish.grant"}).get_data(as_text=True)
    assert ("可以办理 2 件" in preview, f"代 {PRINCIPAL} 办理" in preview) == (True, True)
    made = bulk_id(helper.post("/tasks/bulk/start", chosen(helper, ids) | {"places": "2"}))
    work_off(town.engine, made, progress=idle, clock=lambda: now + timedelta(hours=1))
    assert [acts(town, case_id)[-1] for case_id in ids] == [("grant", "helper@330282", PRINCIPAL)] * 2


def test_a_substitution_may_be_limited_to_every_process_in_which_people_act(reviewer: Visitor) -> None:
    page = text(reviewer, "/matters/substitution/new")
    people = {"unit_clerk", "unit_head", "reviewer", "leader"}
    taken = {name for name, found in book().current.items() if any(people & {*step.by} for step in found.steps)}
    assert set(lendable()) == taken - {"substitution"}
    assert {"transfer", "approval", "violation", "letter"} <= set(lendable())
    assert all(f'<option value="{name}">{title}</option>' in page for name, title in lendable().items())
    assert "不是可以代办的事项" in reviewer.post(
        "/matters/substitution", {"unit": COUNTY, "process": "rectifcation"}
    ).get_data(as_text=True)
