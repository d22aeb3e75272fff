"""The import wizard from upload to the check that follows, with the real workers' work done in between; nothing is written before the confirmation."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter
from flask import Flask
from python_calamine import CalamineWorkbook

from tests.web.conftest import COUNTY, Town, Visitor, counted
from workers import jobs
from workflow.db import reading
from workflow.operations.models import JobRequest
from workflow.registry.queries import find_by_key

MINE = "P00000002"
HEADER = ["人员编码", "所在单位", "姓名", "籍贯", "毕业时间"]


def book(*rows: list[str]) -> bytes:
    """A workbook of text cells."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as made:
        sheet = made.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return content.getvalue()


@pytest.fixture
def work(town: Town, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function that has the workers do everything that was asked for."""
    settings = app.extensions["sandeng"]
    monkeypatch.setenv("SANDENG_DATABASE_URL", settings.database)
    monkeypatch.setenv("SANDENG_DATA_DIR", str(settings.data_dir))

    def go() -> None:
        with reading(town.engine) as session:
            waiting = [r.id for r in session.query(JobRequest).filter(JobRequest.state == "queued")]
        for request_id in waiting:
            jobs.run_request(request_id)

    return go


def upload(visitor: Visitor, content: bytes, name: str = "人员.xlsx", dataset: str = "person") -> str:
    """Hand a file in; the address of its batch."""
    sent = {"dataset": dataset, "file": (io.BytesIO(content), name), "basis": " 甬人调〔2026〕3号 "}
    answer = visitor.post("/imports", sent, content_type="multipart/form-data")
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return str(answer.location)


def native_place(town: Town) -> object:
    """What the register holds of the imported field."""
    with reading(town.engine) as session:
        found = find_by_key(session, "person", MINE)
        assert found is not None
        return found.values["native_place"]


def test_a_file_is_checked_previewed_confirmed_written_and_judged(
    clerk: Visitor, town: Town, work: Callable[[], None]
) -> None:
    place = upload(clerk, book(HEADER, [MINE, COUNTY, "张某某", "浙江余姚", "2031-01-01"]))
    assert "正在检查" in clerk.get(place).get_data(as_text=True)
    work()
    preview = clerk.get(place).get_data(as_text=True)
    assert "依据 甬人调〔2026〕3号" in preview
    assert "将更新" in preview
    assert "<ins>浙江余姚</ins>" in preview
    assert native_place(town) is None
    clerk.post(f"{place}/confirm")
    work()
    result = clerk.get(place).get_data(as_text=True)
    assert "已对变动的记录增量校验" in result
    assert f"/tickets?batch={place.rsplit('/', 1)[1]}" in result
    assert native_place(town) == "浙江余姚"
    assert any(t.rule_id == "T07" and t.present for t in town.tickets(COUNTY))


def test_the_page_refreshes_itself_only_while_the_workers_are_at_it(clerk: Visitor, work: Callable[[], None]) -> None:
    place = upload(clerk, book(HEADER, [MINE, COUNTY, "张某某", "浙江", ""]))
    assert "HX-Refresh" not in clerk.get(f"{place}/progress").headers
    work()
    assert clerk.get(f"{place}/progress").headers["HX-Refresh"] == "true"


def test_errors_are_told_by_row_and_field_and_marked_in_the_file(
    clerk: Visitor, town: Town, work: Callable[[], None]
) -> None:
    rows = [[MINE, COUNTY, "改名字", "浙江", ""], ["P00000003", COUNTY, "张某某", "浙江", "昨天"]]
    place = upload(clerk, book(HEADER, *rows))
    work()
    page = clerk.get(place).get_data(as_text=True)
    assert "第 3 行「毕业时间」" in page
    assert native_place(town) is None
    with clerk.get(f"{place}/annotated") as answer:
        cells = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0).to_python()
    assert cells[2][: len(HEADER)] == rows[1]
    assert any("昨天" in str(cell) for cell in cells[2][len(HEADER) :])


def test_a_clerk_may_not_change_a_locked_field_by_file(clerk: Visitor, town: Town, work: Callable[[], None]) -> None:
    place = upload(clerk, book(HEADER, [MINE, COUNTY, "改名字", "浙江", ""]))
    work()
    assert "为锁定字段" in clerk.get(place).get_data(as_text=True)
    assert clerk.post(f"{place}/confirm").status_code == 409


def test_a_wrong_header_is_refused_whole(clerk: Visitor, work: Callable[[], None]) -> None:
    place = upload(clerk, book(["编号", "名字"], ["1", "2"]))
    work()
    assert "有错误" in clerk.get("/imports").get_data(as_text=True)
    assert "flash-refused" in clerk.get(place).get_data(as_text=True)


def test_a_batch_belongs_to_who_handed_it_in(clerk: Visitor, reviewer: Visitor) -> None:
    place = upload(clerk, book(HEADER, [MINE, COUNTY, "张某某", "浙江", ""]))
    for path in (place, f"{place}/progress", f"{place}/annotated"):
        assert reviewer.get(path).status_code == 404
    assert reviewer.post(f"{place}/confirm").status_code == 404


def test_only_workbooks_and_csv_are_taken(clerk: Visitor) -> None:
    answer = clerk.post(
        "/imports", {"dataset": "person", "file": (io.BytesIO(b"x"), "a.exe")}, content_type="multipart/form-data"
    )
    assert answer.status_code == 400
    assert clerk.post("/imports", {"dataset": "person"}).status_code == 400
    assert clerk.post("/imports", {"dataset": "nothing"}).status_code == 400


def test_a_template_carries_the_dictionarys_labels(clerk: Visitor, tmp_path: Path) -> None:
    with clerk.get("/imports/template/person") as answer:
        first = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0).to_python()[0]
    assert first[:2] == ["人员编码", "所在单位"]
    assert clerk.get("/imports/template/nothing").status_code == 404


def test_a_marked_copy_is_offered_only_of_a_file_that_can_be_read(clerk: Visitor, work: Callable[[], None]) -> None:
    offer = "下载标注了错误的文件"
    whole = book(HEADER, [MINE, COUNTY, "张某某", "浙江", "昨天"])
    readable, truncated = upload(clerk, whole), upload(clerk, whole[:200])
    work()
    assert offer in clerk.get(readable).get_data(as_text=True)
    page = clerk.get(truncated).get_data(as_text=True)
    assert "flash-refused" in page
    assert offer not in page
    assert clerk.get(f"{truncated}/annotated").status_code == 404


def test_a_head_cannot_import(sign_in: Callable[[str], Visitor]) -> None:
    assert sign_in(f"head@{COUNTY}").get("/imports").status_code == 403


def test_the_pages_take_few_statements(app: Flask, clerk: Visitor, work: Callable[[], None]) -> None:
    place = upload(clerk, book(HEADER, [MINE, COUNTY, "张某某", "浙江", ""]))
    work()
    for path in ("/imports", place):
        with counted(app) as statements:
            clerk.get(path)
        assert len(statements) <= 12
