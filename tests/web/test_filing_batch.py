"""One change for many records: a draft for each, or for none with every reason; beyond twenty the import on request is the way."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web.conftest import COUNTY, FAR, Town, Visitor
from workflow.db import writing
from workflow.registry import records


@pytest.fixture
def crowd(town: Town, now: Any) -> list[str]:
    keys = [f"P1{n:07d}" for n in range(25)]
    people = [{"name": "王某", "unit": town.units[COUNTY], "person_code": key} for key in keys]
    with writing(town.engine) as session:
        records.write(session, "person", people, by="reviewer", now=now, may_write_locked=True, may_create=True)
    return keys


def send(visitor: Visitor, keys: list[str], **more: str) -> Any:
    given = {"dataset": "person", "keys": "\n".join(keys), "field": "remark", "value": "已核对", "_reason": "年度核对"}
    return visitor.post("/filings/batch", given | more)


def test_every_record_gets_a_draft_of_its_own(clerk: Visitor, crowd: list[str]) -> None:
    page = send(clerk, crowd[:3]).get_data(as_text=True)
    cases = re.findall(r"/filings/([0-9]+)\"", page)
    assert len(set(cases)) == 3
    assert "已核对" in clerk.get(f"/filings/{cases[0]}").get_data(as_text=True)


def test_a_record_with_an_open_filing_stops_the_whole_batch_by_name(clerk: Visitor, crowd: list[str]) -> None:
    send(clerk, crowd[1:2])
    answer = send(clerk, crowd[:3])
    page = answer.get_data(as_text=True)
    assert (answer.status_code, f"第 2 条 {crowd[1]}：已有未办结的填报" in page, "年度核对" in page) == (
        400,
        True,
        True,
    )
    assert crowd[0] not in clerk.get("/filings").get_data(as_text=True)


@pytest.mark.parametrize(
    ("keys", "more", "says"),
    [
        (["P99999999"], {}, "第 1 条 P99999999：没有这条记录"),
        ([], {}, "每行一个"),
        (None, {"field": ""}, "请选择要变更的字段"),
        (None, {"field": "id_no"}, "不能批量填报"),
        (None, {"dataset": "nothing"}, "请选择数据集"),
    ],
)
def test_what_cannot_be_drafted_is_told(
    clerk: Visitor, crowd: list[str], keys: list[str] | None, more: dict[str, str], says: str
) -> None:
    answer = send(clerk, crowd[:1] if keys is None else keys, **more)
    assert (answer.status_code, says in answer.get_data(as_text=True)) == (400, True)


def test_more_than_twenty_go_by_import(clerk: Visitor, crowd: list[str]) -> None:
    assert "一次最多 20 条" in send(clerk, crowd).get_data(as_text=True)


def test_a_stranger_drafts_nothing_here(sign_in: Any, crowd: list[str]) -> None:
    assert "没有这条记录" in send(sign_in(f"clerk@{FAR}"), crowd[:1]).get_data(as_text=True)
    assert send(sign_in("reviewer"), crowd[:1]).status_code == 403
