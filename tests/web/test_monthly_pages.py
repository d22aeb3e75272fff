"""月报 in the browser's words: items answered by the clerk, confirmed by the head, compared and locked by the office; each sees only its own."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import select

from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, Town, Visitor, counted
from workflow.audit.models import ROW
from workflow.clock import SHANGHAI
from workflow.db import reading, writing
from workflow.engine.timers import fire_due
from workflow.periodic.models import ITEM, REPORT
from workflow.periodic.monthly import open_month

MONTH = "2026-03"


@pytest.fixture(autouse=True)
def month(town: Town) -> None:
    """The reports of March, open since the 25th; it is the 26th."""
    with writing(town.engine) as session:
        open_month(session, MONTH, ["330200", "330203", "330282"], datetime(2026, 3, 25, 6, 30, tzinfo=SHANGHAI))
    town.set_clock(datetime(2026, 3, 26, 1, tzinfo=UTC))


def case_of(town: Town, code: str = COUNTY) -> int:
    with reading(town.engine) as session:
        return session.scalars(select(REPORT.c.case_id).where(REPORT.c.unit_id == town.units[code])).one()


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def version(visitor: Visitor, case_id: int) -> str:
    found = re.search(r'name="version" value="(\d+)"', text(visitor, f"/monthly/{case_id}"))
    assert found
    return found[1]


def answered(town: Town, clerk: Visitor, case_id: int) -> None:
    with reading(town.engine) as session:
        ids = session.scalars(select(ITEM.c.id).where(ITEM.c.case_id == case_id)).all()
    given = {f"answer-{id_}": "true" for id_ in ids} | {"version": version(clerk, case_id)}
    assert clerk.post(f"/monthly/{case_id}/answers", given).status_code == 302


def take(visitor: Visitor, case_id: int, do: str, **more: str) -> int:
    given = {"version": version(visitor, case_id), **more}
    return visitor.post(f"/cases/{case_id}/steps/{do}", given).status_code


@pytest.fixture
def confirmed(town: Town, clerk: Visitor, sign_in: Callable[[str], Visitor]) -> int:
    """The county bureau's report, confirmed."""
    case_id = case_of(town)
    answered(town, clerk, case_id)
    assert take(clerk, case_id, "submit") == 302
    assert take(sign_in(f"head@{COUNTY}"), case_id, "confirm") == 302
    return case_id


def test_a_month_goes_from_the_clerk_to_the_lock(
    town: Town, confirmed: int, reviewer: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    assert "待编办比对" in text(reviewer, f"/monthly/{confirmed}")
    assert reviewer.post("/monthly/steps/pass?month=2026-03", {"ids": [str(confirmed)]}).status_code == 302
    assert "尚未结束" in text(reviewer, f"/monthly/{confirmed}")
    town.set_clock(datetime(2026, 4, 7, 1, tzinfo=UTC))
    reviewer = sign_in("reviewer@330282")
    assert reviewer.post("/monthly/steps/lock?month=2026-03", {"ids": [str(confirmed)]}).status_code == 302
    page = text(reviewer, f"/monthly/{confirmed}")
    assert "校验一致" in page
    assert re.search("[0-9a-f]{64}", page)
    assert "SHA-256" in text(reviewer, f"/monthly/{confirmed}/print")


def test_what_is_refused_in_bulk_is_told_and_the_others_move(town: Town, confirmed: int, reviewer: Visitor) -> None:
    other = case_of(town, NEIGHBOUR)
    reviewer.post("/monthly/steps/pass?month=2026-03", {"ids": [str(confirmed), str(other)]})
    page = text(reviewer, "/monthly?month=2026-03")
    assert "1 个单位已办理“比对通过”" in page
    assert "1 个单位未办理：当前状态为“待单位核对”" in page
    assert reviewer.post("/monthly/steps/pass", {}).status_code == 400
    assert reviewer.post("/monthly/steps/confirm", {"ids": [str(other)]}).status_code == 400


def test_the_office_demands_the_correction_of_an_item(town: Town, confirmed: int, reviewer: Visitor) -> None:
    with reading(town.engine) as session:
        item = session.scalars(select(ITEM.c.id).where(ITEM.c.case_id == confirmed).limit(1)).one()
    given = {"ids": [str(item)], "reason": "与任免文件不符", "days": "3", "version": version(reviewer, confirmed)}
    assert reviewer.post(f"/monthly/{confirmed}/demand", given).status_code == 302
    page = text(reviewer, f"/monthly/{confirmed}")
    assert "期限 2026-03-31" in page
    assert "还有 1 项整改未办结" in page
    assert "1 项未办结" in text(reviewer, "/monthly?month=2026-03&matter=correcting")
    assert "没有这样的月报" in text(reviewer, "/monthly?month=2026-03&matter=overdue")


def test_an_explanation_without_words_is_refused(town: Town, clerk: Visitor) -> None:
    case_id = case_of(town)
    with reading(town.engine) as session:
        item = session.scalars(select(ITEM.c.id).where(ITEM.c.case_id == case_id).limit(1)).one()
    given = {f"answer-{item}": "explained", "version": version(clerk, case_id)}
    answer = clerk.post(f"/monthly/{case_id}/answers", given)
    assert (answer.status_code, "须写明情况" in answer.get_data(as_text=True)) == (400, True)
    assert clerk.post(f"/monthly/{case_id}/answers", {"version": "1"}).status_code == 400


def test_somebody_who_acted_meanwhile_is_named(town: Town, clerk: Visitor) -> None:
    case_id = case_of(town)
    old = version(clerk, case_id)
    answered(town, clerk, case_id)
    with reading(town.engine) as session:
        item = session.scalars(select(ITEM.c.id).where(ITEM.c.case_id == case_id).limit(1)).one()
    given = {f"answer-{item}": "true", "version": old}
    assert clerk.post(f"/monthly/{case_id}/answers", given).status_code == 409


def test_a_unit_sees_its_own_month_and_no_other(town: Town, clerk: Visitor, sign_in: Callable[[str], Visitor]) -> None:
    assert clerk.get(f"/monthly/{case_of(town, FAR)}").status_code == 404
    assert f"示例单位{FAR}号" not in text(clerk, "/monthly")
    assert sign_in("sysadmin").get("/monthly").status_code == 403
    assert clerk.get("/monthly/consistency").status_code == 403
    far = case_of(town, FAR)
    for path in ("print", "export"):
        assert clerk.get(f"/monthly/{far}/{path}").status_code == 404
    assert clerk.post(f"/monthly/{far}/answers", {}).status_code == 404
    assert clerk.post("/monthly/steps/pass", {"ids": [str(far)]}).status_code == 404


def test_the_list_is_narrowed_counted_and_exported(town: Town, confirmed: int, reviewer: Visitor) -> None:
    page = text(reviewer, "/monthly?month=2026-03&state=comparing")
    assert f"示例单位{COUNTY}号" in page
    assert f"示例单位{NEIGHBOUR}号" not in page
    with reviewer.get("/monthly/export?month=2026-03") as sent:
        rows = list(openpyxl.load_workbook(io.BytesIO(sent.data)).active.values)
    assert [row[4] for row in rows[1:4]] == ["待编办比对", "待单位核对", "待单位核对"]
    with reviewer.get(f"/monthly/{confirmed}/export") as sent:
        cells = list(openpyxl.load_workbook(io.BytesIO(sent.data)).active.values)
    assert cells[1][3] == "属实"
    with reading(town.engine) as session:
        taken = select(ROW.c.object_kind).where(ROW.c.action == "export.run", ROW.c.result == "done")
        assert session.scalars(taken).all() == ["monthly_report", "monthly_report"]
    assert reviewer.get("/monthly?month=2026-13").status_code == 400


def test_consistency_shows_the_sums_of_ones_own_district(reviewer: Visitor, sign_in: Callable[[str], Visitor]) -> None:
    assert "全部一致" in text(reviewer, "/monthly/consistency?month=2026-03")
    assert "市县数据贯通校验" in text(sign_in("leader"), "/monthly/consistency?month=2026-03")


def test_the_pages_keep_to_their_statements(
    app: Flask, town: Town, confirmed: int, reviewer: Visitor, sign_in: Callable[[str], Visitor]
) -> None:
    def counts(visitor: Visitor, *paths: str) -> dict[str, int]:
        found = {}
        for path in paths:
            text(visitor, path)
            with counted(app) as statements:
                text(visitor, path)
            found[path] = len(statements)
        return found

    one = f"/monthly/{confirmed}"
    taken = [counts(reviewer, "/monthly?month=2026-03", one, "/monthly/consistency?month=2026-03")]
    reviewer.post("/monthly/steps/pass", {"ids": [str(confirmed)]})
    town.set_clock(datetime(2026, 4, 7, 1, tzinfo=UTC))
    reviewer = sign_in("reviewer@330282")
    taken.append(counts(reviewer, one))
    reviewer.post("/monthly/steps/lock", {"ids": [str(confirmed)]})
    assert "SHA-256" in text(reviewer, one)
    taken.append(counts(reviewer, one, f"{one}/print"))
    assert max(number for each in taken for number in each.values()) <= 12, taken


def test_a_report_that_nobody_confirmed_counts_visibly(town: Town, sign_in: Callable[[str], Visitor]) -> None:
    town.set_clock(datetime(2026, 4, 1, 1, tzinfo=UTC))
    fire_due(town.engine, datetime(2026, 4, 1, 1, tzinfo=UTC))
    page = text(sign_in("reviewer@330282"), "/monthly?month=2026-03&matter=late")
    assert f"示例单位{NEIGHBOUR}号" in page
    assert "逾期" in page
    with reading(town.engine) as session:
        assert set(session.scalars(select(REPORT.c.late_on))) == {date(2026, 4, 1)}
