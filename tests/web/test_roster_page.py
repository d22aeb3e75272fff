"""The roster on the web: search, tree, lamps, paging, scope, few statements; exports carry the list as it is narrowed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from python_calamine import CalamineWorkbook

from tests.web.conftest import CITY, COUNTY, FAR, NEIGHBOUR, SCHOOL, Town, Visitor, counted
from web.paging import encode
from workflow.db import writing
from workflow.insight.columns import LISTED, NARROWED, ORDER
from workflow.operations.models import JobRequest
from workflow.registry import records
from workflow.registry.dictionary import dictionary

KEYS = re.compile(r'data-open href="/records/person/([^"]+)"')
NUMBER = "330282198506150011"


@pytest.fixture
def crowd(town: Town, now: datetime) -> list[str]:
    """A hundred and twenty more people of the county bureau, the first with an ID number."""
    rows = [
        {"person_code": f"P9{n:07d}", "name": f"{'王' if n % 2 else '李'}{n:03d}", "unit": town.units[COUNTY]}
        for n in range(120)
    ]
    rows[0]["id_no"] = NUMBER
    with writing(town.engine) as session:
        records.write(session, "person", rows, by="reviewer", now=now, may_write_locked=True, may_create=True)
    return [str(row["person_code"]) for row in rows]


def keys(visitor: Visitor, path: str) -> list[str]:
    """The people that a page lists."""
    answer = visitor.get(path)
    assert answer.status_code == 200
    return KEYS.findall(answer.get_data(as_text=True))


def test_every_listed_and_narrowed_field_stands_in_the_dictionary() -> None:
    assert set(LISTED) == set(NARROWED) == set(ORDER) == set(dictionary().datasets)
    for name in ORDER:
        assert set(LISTED[name]) <= set(dictionary()[name].fields)
        assert all(dictionary()[name].fields[f].type == "code" for f in NARROWED[name])


def test_a_clerk_sees_the_own_unit_and_its_subordinates_only(clerk: Visitor, town: Town) -> None:
    page = clerk.get("/roster/unit").get_data(as_text=True)
    assert f"/records/unit/{COUNTY}" in page
    assert f"/records/unit/{SCHOOL}" in page
    assert NEIGHBOUR not in page
    assert FAR not in page
    assert f"/records/unit/{CITY}" not in page
    assert keys(clerk, "/roster") == ["P00000002", "P00000003"]
    assert keys(clerk, f"/roster?unit={NEIGHBOUR}") == []


def test_a_county_reviewer_sees_the_county(reviewer: Visitor) -> None:
    assert keys(reviewer, "/roster") == ["P00000002", "P00000003", "P00000004"]


def test_pages_follow_each_other_without_a_gap(reviewer: Visitor, crowd: list[str]) -> None:
    first = reviewer.get("/roster").get_data(as_text=True)
    assert "共 123 条" in first
    found, path = [], "/roster"
    while True:
        page = reviewer.get(path).get_data(as_text=True)
        found += KEYS.findall(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if not following:
            break
        path = following[1].replace("&amp;", "&")
    assert found == ["P00000002", "P00000003", "P00000004", *crowd]


def test_search_finds_by_beginning_of_name_by_key_and_by_whole_id_number(reviewer: Visitor, crowd: list[str]) -> None:
    assert keys(reviewer, "/roster?text=李000") == [crowd[0]]
    assert keys(reviewer, f"/roster?text={crowd[7]}") == [crowd[7]]
    assert keys(reviewer, f"/roster?text={NUMBER}") == [crowd[0]]
    assert keys(reviewer, "/roster?text=330282198506150012") == []
    assert NUMBER not in reviewer.get(f"/roster?unit={COUNTY}").get_data(as_text=True)


def test_a_unit_is_listed_with_or_without_its_subordinates(reviewer: Visitor) -> None:
    assert keys(reviewer, f"/roster?unit={COUNTY}") == ["P00000002", "P00000003"]
    assert keys(reviewer, f"/roster?unit={COUNTY}&own=1") == ["P00000002"]


def test_records_with_open_problems_can_be_asked_for(reviewer: Visitor, crowd: list[str]) -> None:
    assert keys(reviewer, "/roster?light=yellow") == ["P00000002", "P00000003", "P00000004"]
    assert keys(reviewer, "/roster?light=red") == []


def test_a_forged_cursor_is_refused_in_words(reviewer: Visitor) -> None:
    assert reviewer.get(f"/roster?after={encode(1, 2)}").status_code == 400


def test_an_unknown_data_set_is_not_there(reviewer: Visitor) -> None:
    assert reviewer.get("/roster/secrets").status_code == 404


@pytest.mark.parametrize(
    "path", ["/roster", "/roster/unit", f"/roster?unit={COUNTY}&light=lit&text=张", "/units", "/roster/ledger"]
)
def test_a_list_takes_at_most_twelve_statements(app: Flask, reviewer: Visitor, path: str) -> None:
    with counted(app) as statements:
        assert reviewer.get(path).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


def test_the_tree_opens_step_by_step_and_finds_by_name(reviewer: Visitor) -> None:
    assert COUNTY in reviewer.get("/units/tree").get_data(as_text=True)
    below = reviewer.get(f"/units/tree?under={COUNTY}").get_data(as_text=True)
    assert SCHOOL in below
    assert NEIGHBOUR not in below
    assert NEIGHBOUR in reviewer.get("/units/tree?text=示例单位330282102").get_data(as_text=True)
    assert FAR not in reviewer.get("/units/tree?text=示例单位").get_data(as_text=True)
    assert reviewer.get(f"/units/tree?under={FAR}").status_code == 404


@pytest.fixture
def approved(sign_in: Callable[[str], Visitor]) -> Callable[[str], None]:
    """A function that has the county reviewer's export of a list approved by two others (办法17)."""

    def ask(query: str = "") -> None:
        given = {"unit": COUNTY, "what": "导出名册", "why": "核对", "papers": (io.BytesIO(b"%PDF-1.7"), "批文.pdf")}
        case = sign_in("reviewer@330282").post(f"/reports/export/person{query}", given).location
        assert sign_in("reviewer").post(f"{case}/steps/endorse", {"version": "2"}).status_code == 302
        assert sign_in("leader@330282").post(f"{case}/steps/approve", {"version": "3"}).status_code == 302

    return ask


def test_an_export_holds_the_list_as_it_is_narrowed(
    reviewer: Visitor, crowd: list[str], approved: Callable[[str], None]
) -> None:
    approved(f"?unit={COUNTY}&text=王")
    answer = reviewer.post(f"/roster/person/export?unit={COUNTY}&text=王")
    assert answer.status_code == 200
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0).to_python()
    assert rows[0][0] == "人员编码"
    exported = [row[0] for row in rows[1:] if str(row[0]).startswith("P")]
    assert exported == keys(reviewer, f"/roster?unit={COUNTY}&text=王") + crowd[101::2]


def test_a_long_export_is_asked_of_the_workers(
    reviewer: Visitor, town: Town, crowd: list[str], approved: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    approved()
    monkeypatch.setattr("web.pages.exports.COUNTED", 100)
    answer = reviewer.post("/roster/person/export")
    assert answer.status_code == 302
    with writing(town.engine) as session:
        asked = session.query(JobRequest).one()
        assert asked.kind == "export"
        assert asked.params["filter"]["dataset"] == "person"
    assert "排队中" in reviewer.get(answer.location).get_data(as_text=True)


def test_nobody_sees_anothers_export(
    reviewer: Visitor,
    sign_in: Callable[[str], Visitor],
    crowd: list[str],
    approved: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    approved()
    monkeypatch.setattr("web.pages.exports.COUNTED", 100)
    place = reviewer.post("/roster/person/export").location
    assert sign_in("reviewer").get(place).status_code == 404
