"""What is out of scope does not exist: 404 on its page, no trace in lists, files and searches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.conftest import CITY, COUNTY, FAR, NEIGHBOUR, SCHOOL, UNITS, Town, Visitor

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
