"""Proof of the importer's bad days: for each kind of bad file one Chinese sentence that names row and column, and nothing written."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.registry.conftest import counted
from workflow.errors import BadInput
from workflow.registry.importing.report import ImportReport

Make = Callable[..., Path]
Bring = Callable[..., ImportReport]
HEADER = ["人员编码", "所在单位", "姓名", "性别", "身份证号", "出生日期"]
GOOD = ["P1", "U2", "王小明", "男", "33020319650115001X", "1965-01-15"]


@pytest.fixture(autouse=True)
def nothing_is_written(engine: Engine, units: dict[str, int]) -> Any:
    """Whatever a test of this file hands in, the database stays as it was."""
    before = counted(engine)
    yield
    assert counted(engine) == before


def _changed(**cells: Any) -> list[Any]:
    return [cells.get(label, cell) for label, cell in zip(HEADER, GOOD, strict=True)]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (_changed(身份证号=330203196501150000.0), "第 2 行「身份证号」以数字格式存放，末位数字已丢失"),
        (_changed(性别="公"), "第 2 行「性别」“公”不在代码表"),
        (_changed(出生日期="1965-02-30"), "第 2 行「出生日期」“1965-02-30”不是真实存在的日期"),
        (_changed(出生日期="六五年"), "第 2 行「出生日期」“六五年”不是日期"),
        (_changed(所在单位="U9"), "第 2 行「所在单位」“U9”不存在"),
        (_changed(姓名="王" * 51), "第 2 行「姓名」有 51 个字，最多 50 个字"),
        (_changed(姓名="王\n明"), "第 2 行「姓名」含有换行、制表符等不可见字符"),
        (_changed(姓名="王\x01明"), "第 2 行「姓名」含有换行、制表符等不可见字符"),
        (_changed(人员编码=1234567890123456.0), "第 2 行「人员编码」以数字格式存放且超过 15 位"),
        (_changed(人员编码=None, 身份证号=None), "第 2 行「人员编码」为空时，「所在单位」、「身份证号」都须填写"),
        (_changed(人员编码="P" * 21), "第 2 行「人员编码」有 21 个字，最多 20 个字"),
    ],
)
def test_a_cell_that_cannot_be_kept_is_named(xlsx: Make, bring: Bring, row: list[Any], says: str) -> None:
    report = bring("person", xlsx([HEADER, row]))
    assert (report.created, report.error_count) == (0, 1)
    assert report.errors[0].message.startswith(says)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (["人员编码", "所在单位", "名字"], "第 1 行第 3 列的表头「名字」不是实有人员的字段"),
        (["人员编码", "所在单位", "身份证"], "是否应为「身份证号」"),
        (["人员编码", "姓名", "姓名"], "第 1 行第 3 列的表头「姓名」与第 2 列重复"),
        (["所在单位", "姓名", "性别"], "第 1 行缺少列「人员编码」（或「所在单位」、「身份证号」），请使用模板的表头"),
        (["人员编码", "法定退休年月", "姓名"], "第 1 行第 2 列的「法定退休年月」由平台计算，不能导入"),
        (["人员编码", "姓名 ", "性 别"], "第 1 行第 3 列的表头「性 别」不是实有人员的字段，是否应为「性别」"),
    ],
)
def test_a_wrong_header_is_told_column_by_column(xlsx: Make, bring: Bring, header: list[str], says: str) -> None:
    report = bring("person", xlsx([header, ["P1", "a", "b"]]))
    assert [error.row for error in report.errors] == [1]
    assert says in report.errors[0].message


def test_content_without_a_header_is_told(xlsx: Make, bring: Bring) -> None:
    report = bring("person", xlsx([[*HEADER, None, "联系电话"], [*GOOD, "多余", "1"]]))
    assert report.errors[0].message == "第 2 行第 7 列有内容，但第 1 行没有表头"


def test_a_key_twice_in_a_file_is_told_with_both_rows(xlsx: Make, bring: Bring) -> None:
    report = bring("person", xlsx([HEADER, GOOD, _changed(人员编码="P2"), GOOD]))
    assert report.errors[0].message == "第 4 行「人员编码」“P1”与第 2 行重复"


def test_a_person_twice_without_code_is_told(xlsx: Make, bring: Bring) -> None:
    report = bring("person", xlsx([HEADER, _changed(人员编码=None), _changed(人员编码=None, 姓名="王大明")]))
    assert report.errors[0].message == "第 3 行「人员编码」为空，而所填内容与第 2 行是同一条记录"
    assert "330203" not in str(report.as_dict()["errors"])


def test_a_unit_without_code_is_told(xlsx: Make, bring: Bring) -> None:
    report = bring("unit", xlsx([["机构编码", "机构全称"], [None, "新所"]]))
    assert report.errors[0].message == "第 2 行「机构编码」不能为空"


def test_a_parent_that_is_nowhere_is_told(xlsx: Make, bring: Bring) -> None:
    report = bring("unit", xlsx([["机构编码", "机构全称", "隶属"], ["U7", "新所", "U8"]]))
    assert report.errors[0].message == "第 2 行「隶属」“U8”不存在，库中和本文件中都没有此编码"


def test_a_cycle_within_the_file_or_with_what_is_stored_is_told(xlsx: Make, bring: Bring) -> None:
    inside = bring("unit", xlsx([["机构编码", "机构全称", "隶属"], ["U7", "甲", "U8"], ["U8", "乙", "U7"]]))
    assert "第 2 行「隶属」形成循环：U7 → U8 → U7" in inside.errors[0].message
    outside = bring("unit", xlsx([["机构编码", "隶属"], ["U1", "U3"]]))
    assert "「隶属」形成循环" in outside.errors[0].message
    itself = bring("unit", xlsx([["机构编码", "隶属"], ["U1", "U1"]]))
    assert "形成循环：U1 → U1" in itself.errors[0].message


def test_a_foreign_unit_is_told(units: dict[str, int], xlsx: Make, bring: Bring) -> None:
    report = bring("person", xlsx([HEADER, GOOD]), writable_units={units["U3"]})
    assert report.errors[0].message == "第 2 行「所在单位」不在您可维护的单位范围内"


def test_a_clerk_brings_no_new_units(xlsx: Make, bring: Bring) -> None:
    report = bring("unit", xlsx([["机构编码", "机构全称"], ["U7", "新所"]]), may_write_locked=False)
    assert "机构只能由编办新增" in report.errors[0].message


def test_every_error_of_a_file_is_counted_and_the_first_thousand_told(xlsx: Make, bring: Bring) -> None:
    report = bring("person", xlsx([HEADER, *([f"P{i}", "U9", "王", "公", None, "x"] for i in range(400))]))
    assert (report.error_count, len(report.errors)) == (1200, 1000)
    assert [error.row for error in report.errors] == sorted(error.row for error in report.errors)


def test_merged_cells_are_told(tmp_path: Path, bring: Bring) -> None:
    path = tmp_path / "merged.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (HEADER, GOOD, _changed(人员编码="P2")):
        sheet.append(row)
    sheet.merge_cells("C2:C3")
    book.save(path)
    report = bring("person", path)
    assert report.errors[0].message == "第 2 至 3 行「姓名」列有合并单元格，请取消合并并逐行填写"


def _refused(bring: Bring, path: Path, name: str = "") -> str:
    with pytest.raises(BadInput) as refused:
        bring("person", path, name=name or path.name)
    return str(refused.value)


def _archive(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return path


def test_a_bomb_is_refused_before_it_grows(tmp_path: Path, bring: Bring) -> None:
    path = _archive(tmp_path / "bomb.xlsx", xl__workbook_xml=b"<x/>", xl__worksheets__sheet1_xml=b"0" * (64 << 20))
    assert path.stat().st_size < 100_000
    assert "解压后过大" in _refused(bring, path)


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path, bring: Bring) -> None:
    path = _archive(tmp_path / "liar.xlsx", xl__workbook_xml=b"<x/>", xl__worksheets__sheet1_xml=b"0" * (1 << 20))
    raw = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(raw)
    assert "已损坏" in _refused(bring, path)


def test_too_many_parts_are_refused(tmp_path: Path, bring: Bring) -> None:
    path = _archive(tmp_path / "many.xlsx", **{f"part{i}": b"" for i in range(2001)})
    assert "超过上限" in _refused(bring, path)


def test_an_entity_is_refused(tmp_path: Path, bring: Bring) -> None:
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    assert "实体声明" in _refused(bring, _archive(tmp_path / "entity.xlsx", xl__workbook_xml=entity))


def test_a_cell_far_out_is_refused(tmp_path: Path, bring: Bring) -> None:
    path = tmp_path / "far.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write(1, 16_000, "x")
    assert "列数超过" in _refused(bring, path)
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write(1_000_000, 0, "P1")
    assert "超过 500000 行" in _refused(bring, path)


def test_a_truncated_workbook_is_refused(xlsx: Make, bring: Bring) -> None:
    path = xlsx([HEADER, GOOD])
    whole = path.read_bytes()
    for size in (4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "已损坏" in _refused(bring, path)


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "a.xlsx", "文件是空的"),
        (b"\xd0\xcf\x11\xe0" + b"0" * 100, "a.xls", "旧版 xls"),
        (b"%PDF-1.7", "a.xlsx", "内容却不是 xlsx"),
        (b"\xff\xfe\x01\x4e", "a.csv", "UTF-16"),
        (b"\xff\xff\xff\xff", "a.csv", "既不是 UTF-8 也不是 GB 18030"),
        (b"a\x00b", "a.csv", "既不是 UTF-8 也不是 GB 18030"),
        ('人员编码,姓名\nP1,"王'.encode(), "a.csv", "第 2 行不是规范的 CSV"),
        ("人员编码,姓名\nP1,王,男\n".encode(), "a.csv", "第 2 行有 3 列，比表头多出 1 列"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, bring: Bring, content: bytes, name: str, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert says in _refused(bring, path)


def test_a_document_that_is_no_workbook_is_refused(tmp_path: Path, bring: Bring) -> None:
    assert "不是 xlsx 工作簿" in _refused(bring, _archive(tmp_path / "a.xlsx", word__document_xml=b"<x/>"))


def test_a_sheet_that_begins_below_is_refused(xlsx: Make, bring: Bring) -> None:
    assert "第 1 行应为表头，文件却从第 2 行开始" in _refused(bring, xlsx([[], HEADER, GOOD]))


def test_an_empty_workbook_is_refused(xlsx: Make, bring: Bring) -> None:
    assert "工作表是空的" in _refused(bring, xlsx([]))


def _workbook_bytes() -> bytes:
    held = io.BytesIO()
    with xlsxwriter.Workbook(held) as book:
        sheet = book.add_worksheet()
        for r, row in enumerate((HEADER, GOOD)):
            sheet.write_row(r, 0, row)
    return held.getvalue()


WORKBOOK = _workbook_bytes()
CSV = "\n".join(",".join(row) for row in (HEADER, GOOD)).encode()
EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 6)), min_size=1, max_size=5)


def _edited(whole: bytes, edits: list[tuple[float, bytes, int]]) -> bytes:
    for where, new, gone in edits:
        at = int(where * len(whole))
        whole = whole[:at] + new + whole[at + gone :]
    return whole


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, is_csv=st.booleans())
def test_a_mangled_file_is_read_or_refused_in_words(
    tmp_path: Path, bring: Bring, edits: list[Any], is_csv: bool
) -> None:
    """Dry runs only: what can still be read may be a right file; nothing else than BadInput ever comes out."""
    path = tmp_path / ("m.csv" if is_csv else "m.xlsx")
    path.write_bytes(_edited(CSV if is_csv else WORKBOOK, edits))
    try:
        report = bring("person", path, dry_run=True)
    except BadInput as refused:
        assert any("一" <= letter <= "鿿" for letter in str(refused))  # noqa: PT017
    else:
        assert all(error.message for error in report.errors)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    part=st.sampled_from(
        ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "[Content_Types].xml"]
    ),
    edits=EDITS,
)
def test_a_workbook_with_a_mangled_part_is_read_or_refused_in_words(
    tmp_path: Path, bring: Bring, part: str, edits: list[Any]
) -> None:
    path = tmp_path / "part.xlsx"
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, _edited(old.read(name), edits) if name == part else old.read(name))
    try:
        report = bring("person", path, dry_run=True)
    except BadInput as refused:
        assert str(refused)  # noqa: PT017
    else:
        assert all(error.message for error in report.errors)
