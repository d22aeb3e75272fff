"""What is out of scope does not exist: 404 on its page, no trace in lists, files and searches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tests.web.conftest import CITY, COUNTY, FAR, NEIGHBOUR, SCHOOL, UNITS, Town, Visitor
from tests.web.test_filing_pages import begun, steps_of
from tests.web.test_filing_pages import typed as fields_of
from workflow.access.scopes import actor_named, readable
from workflow.casework.handling_models import BulkRow
from workflow.casework.models import Filing
from workflow.db import reading, writing
from workflow.insight.editing import typed
from workflow.registry import records
from workflow.registry.dictionary import dictionary
from workflow.registry.queries import find_by_key
from workflow.registry.tables import TABLES

SEES = {
    f"clerk@{COUNTY}": {COUNTY, SCHOOL},
    f"head@{SCHOOL}": {SCHOOL},
    "reviewer@330282": {COUNTY, SCHOOL, NEIGHBOUR},
    "reviewer@330203": {FAR},
    "leader": set(UNITS),
    f"clerk@{CITY}": {CITY},
}


@pytest.mark.parametrize("account", SEES)
def test_a_ticket_out_of_scope_is_not_found(town: Town, sign_in: Callable[[str], Visitor], account: str) -> None:
    visitor = sign_in(account)
    for code in UNITS:
        ticket = town.tickets(code)[0]
        expected = 200 if code in SEES[account] else 404
        assert visitor.get(f"/tickets/{ticket.id}").status_code == expected, code
        if ticket.case_id and expected == 404:
            assert visitor.get(f"/cases/{ticket.case_id}").status_code == 404


@pytest.mark.parametrize("account", SEES)
@pytest.mark.parametrize(
    "path", ["/tickets?state=all", "/tasks", "/", "/search?q=示例单位", "/red", "/tickets.csv?state=all"]
)
def test_a_list_names_no_unit_out_of_scope(
    town: Town, sign_in: Callable[[str], Visitor], account: str, path: str
) -> None:
    answer = sign_in(account).get(path)
    assert answer.status_code in (200, 403)
    text = answer.get_data(as_text=True)
    for code in set(UNITS) - SEES[account]:
        assert f"示例单位{code}号" not in text, code


def test_a_filter_does_not_widen_the_scope(town: Town, clerk: Visitor) -> None:
    text = clerk.get(f"/tickets?unit={FAR}&state=all").get_data(as_text=True)
    assert "没有符合条件的问题工单" in text


def test_steps_on_cases_out_of_scope_are_not_found(town: Town, clerk: Visitor) -> None:
    far = town.tickets(FAR)[0]
    for path in (f"/tickets/{far.id}/recheck", f"/tickets/{far.id}/explain", f"/cases/{far.case_id}/hold"):
        assert clerk.post(path, {"reason": "不在范围"}).status_code == 404, path


def test_a_re_check_of_chosen_tickets_leaves_out_what_is_not_in_scope(town: Town, clerk: Visitor) -> None:
    ids = [town.tickets(FAR)[0].id, town.tickets(COUNTY)[0].id]
    page = clerk.post("/tickets/recheck", {"ids": ids}, follow_redirects=True).get_data(as_text=True)
    assert "已复核 1 条记录" in page


def test_a_list_narrowed_to_a_unit_out_of_scope_does_not_name_it(town: Town, clerk: Visitor) -> None:
    for code in (FAR, NEIGHBOUR, CITY):
        assert f"示例单位{code}号" not in clerk.get(f"/roster/person?unit={code}").get_data(as_text=True), code
    assert f"示例单位{SCHOOL}号" in clerk.get(f"/roster/person?unit={SCHOOL}").get_data(as_text=True)


def test_one_step_on_many_cases_begins_on_none_that_is_not_in_scope(town: Town, clerk: Visitor) -> None:
    mine, far = (town.tickets(code)[0].case_id for code in (COUNTY, FAR))
    for other in (far, 99_999_999):
        asked = {"step": "rectification.resolve", "versions": f"{mine}:1,{other}:1", "key": "0" * 32}
        assert clerk.post("/tasks/bulk/start", asked).status_code == 404, other
    with reading(town.engine) as session:
        assert session.scalars(select(BulkRow.case_id)).all() == []


def test_a_reference_names_nobody_out_of_scope(town: Town, clerk: Visitor, reviewer: Visitor) -> None:
    for key, there in (("P00000002", True), ("P00000003", True), ("P00000004", False), ("P00000005", False)):
        sent = {"person": key, "unit": COUNTY, "name": "副科长", "is_leader": "否", "counts_post": "否"}
        page = clerk.post("/records/position/new", sent).get_data(as_text=True)
        assert (f"没有编码为“{key}”的实有人员" in page) == (not there), key
        told = clerk.client.post("/api/v1/position", json={"values": sent}).get_json()
        assert (told.get("errors", [{}])[0].get("field") == "person") == (not there), (key, told)


def test_a_draft_knows_nobody_out_of_scope(town: Town, clerk: Visitor) -> None:
    for key in ("P00000004", "P00000005", "P99999999"):
        place = begun(clerk, dataset="position", unit=COUNTY, person=key)
        sent = fields_of(clerk, place, name="副科长")
        assert clerk.post(f"{place}/edit", sent).status_code == 302
        for page in (place, f"{place}/edit"):
            assert f"没有编码为“{key}”的实有人员" in clerk.get(page).get_data(as_text=True), page
        values = {"person": key, "name": "副科长"}
        sent = {"dataset": "position", "unit": COUNTY, "values": values}
        case = clerk.client.post("/api/v1/cases/filing", json=sent).get_json()["case"]
        with reading(town.engine) as session:
            told = session.get_one(Filing, case).findings
        assert [one["says"] for one in told] == [f"「人员」没有编码为“{key}”的实有人员"]


def test_a_transfer_names_only_people_of_the_drafters_own_units(clerk: Visitor) -> None:
    form = {"unit": COUNTY, "receiver": NEIGHBOUR}
    opened = clerk.post("/matters/transfer", form | {"person": "P00000002"})
    assert opened.status_code == 302
    api = f"/api/v1{opened.location}/steps/edit"
    for key in ("P00000004", "P00000005", "P99999999"):
        unknown, version = f"没有编码为 {key} 的实有人员", steps_of(clerk, opened.location)
        edited = clerk.post(f"{opened.location}/steps/edit", form | version | {"person": key})
        for answer in (clerk.post("/matters/transfer", form | {"person": key}), edited):
            assert (answer.status_code, unknown in answer.get_data(as_text=True)) == (400, True)
        told = clerk.client.post(api, json={"inputs": {"person": key, "receiver": NEIGHBOUR}})
        assert (told.status_code, told.get_json()["detail"]) == (400, f"「人员」{unknown}")
    kept = clerk.client.post(api, json={"inputs": {"person": "P00000003", "receiver": NEIGHBOUR}})
    assert kept.get_json()["data"]["form"]["person"] == "P00000003"


def test_a_reference_that_stands_there_already_stays(town: Town, now: datetime, reviewer: Visitor) -> None:
    office: dict[str, Any] = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
    with writing(town.engine) as session:
        far = session.scalars(select(TABLES["person"].c.id).where(TABLES["person"].c.person_code == "P00000005")).one()
        post = {"position_code": "Z1", "person": far, "unit": town.units[COUNTY], "name": "副局长"}
        records.write(session, "position", [post], **office)
        with_it = find_by_key(session, "position", "Z1")
        assert with_it is not None
        may_read = readable(session, actor_named(session, "reviewer@330282", now))
        fields = {"person": dictionary()["position"].fields["person"]}
        found = [
            typed(session, fields, {"person": "P00000005"}, may_name=may_read, held=held)
            for held in (None, with_it.values)
        ]
    assert [bool(one.faults) for one in found] == [True, False]
