"""Large imports and exports of personal data wait for an approved request; what is approved is what is carried out (办法17)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.web.conftest import COUNTY, Town, Visitor
from workflow.db import writing
from workflow.registry import records
from workflow.registry.models import ImportBatch

PAPER = b"%PDF-1.7 order"


@pytest.fixture
def crowd(town: Town, now: Any) -> None:
    people = [{"name": "王某", "unit": town.units[COUNTY], "person_code": f"P1{n:07d}"} for n in range(60)]
    with writing(town.engine) as session:
        records.write(session, "person", people, by="reviewer", now=now, may_write_locked=True, may_create=True)


@pytest.fixture
def batch(town: Town, now: Any) -> int:
    with writing(town.engine) as session:
        made = ImportBatch(
            dataset="person", file_name="名册.xlsx", file_path="", sha256="0f" * 32, by=f"clerk@{COUNTY}", state="ready",
            uploaded_at=now, created=30, updated=0, rows=30,
        )  # fmt: skip
        session.add(made)
        session.flush()
        return int(made.id)


def ask(visitor: Visitor, path: str, **more: Any) -> Any:
    given = {"unit": COUNTY, "what": "按文件办理", "why": "年度核对", "papers": (io.BytesIO(PAPER), "批文.pdf")}
    return visitor.post(path, given | more)


def approve(case: str, sign_in: Callable[[str], Visitor]) -> None:
    assert sign_in("reviewer@330282").post(f"{case}/steps/endorse", {"version": "2"}).status_code == 302
    assert sign_in("leader@330282").post(f"{case}/steps/approve", {"version": "3"}).status_code == 302


def test_a_short_export_needs_nothing(clerk: Visitor) -> None:
    assert clerk.post(f"/roster/person/export?unit={COUNTY}").status_code == 200


def test_a_long_export_waits_for_its_request_and_uses_it_up(
    clerk: Visitor, crowd: None, sign_in: Callable[[str], Visitor]
) -> None:
    path = f"/roster/person/export?unit={COUNTY}"
    refused = clerk.post(path)
    assert refused.status_code == 422
    assert "须先请示批准" in refused.get_data(as_text=True)
    where = f"/reports/export/person?unit={COUNTY}"
    assert where.replace("&", "&amp;") in refused.get_data(as_text=True)
    assert "62 条" in clerk.get(where).get_data(as_text=True)
    case = ask(clerk, where).location
    assert clerk.get(where).location == case
    assert clerk.post(path).status_code == 422
    approve(case, sign_in)
    assert "去执行" in clerk.get(case).get_data(as_text=True)
    assert clerk.post("/roster/person/export").status_code == 422  # another list than the one approved
    assert sign_in("reviewer@330282").post(path).status_code == 422  # another person
    assert clerk.post(path).status_code == 200
    assert "已导出 62 条" in clerk.get(case).get_data(as_text=True)
    assert clerk.post(path).status_code == 422


def test_without_a_document_the_form_comes_back_as_typed(clerk: Visitor, crowd: None) -> None:
    answer = ask(clerk, "/reports/export/person", papers=(io.BytesIO(b""), ""))
    page = answer.get_data(as_text=True)
    assert (answer.status_code, "还须填写：依据文件" in page, "年度核对" in page) == (400, True, True)
    assert "没有这样的事项" in clerk.get("/matters/report_request").get_data(as_text=True)


def test_a_large_import_is_confirmed_only_when_approved(
    clerk: Visitor, batch: int, sign_in: Callable[[str], Visitor]
) -> None:
    page = clerk.get(f"/imports/{batch}").get_data(as_text=True)
    assert "提请批准" in page
    assert not re.search(r"确认导入</button>", page)
    assert clerk.post(f"/imports/{batch}/confirm").status_code == 422
    case = ask(clerk, f"/reports/batch/{batch}").location
    approve(case, sign_in)
    assert "确认导入</button>" in clerk.get(f"/imports/{batch}").get_data(as_text=True)
    assert clerk.post(f"/imports/{batch}/confirm").status_code == 302


def test_nobody_asks_for_anothers_import(batch: int, sign_in: Callable[[str], Visitor]) -> None:
    assert sign_in("reviewer@330282").get(f"/reports/batch/{batch}").status_code == 404
