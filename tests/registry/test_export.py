"""Proof that what goes out comes back unchanged, that nothing in it calculates, and that marked copies and templates can be handed in."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.registry.conftest import PERSON, counted, found_units
from workflow.db import reading, writing
from workflow.errors import BadInput
from workflow.registry import tree
from workflow.registry.dictionary import dictionary
from workflow.registry.exporting import export
from workflow.registry.importing.annotate import annotated
from workflow.registry.importing.report import ImportReport
from workflow.registry.importing.run import import_file
from workflow.registry.importing.template import note, template
from workflow.registry.records import write

Make = Callable[..., Path]
Bring = Callable[..., ImportReport]
ODD = [
    "=1+1",
    "+86",
    "-",
    "@sum",
    "'quoted",
    "'=1",
    "''",
    "a,b",
    'a"b',
    "王\n明",
    "𠮷",
    " 中 间 ",
    "00123",
    "1e5",
    "2019-01-05",
]


def _sheet(path: Path, index: int = 0) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(path).worksheets[index].iter_rows(values_only=True))


@pytest.fixture
def people(engine: Engine, units: dict[str, int], now: datetime) -> dict[str, int]:
    """Two people with odd texts in every field that holds some."""
    fill_with_people(engine, units, now)
    return units


def fill_with_people(engine: Engine, units: dict[str, int], now: datetime) -> None:
    """Write them into any database."""
    odd = {
        f"{name}": text.replace("\n", "")
        for name, text in zip(("position_name", "title", "major", "school", "native_place"), ODD, strict=False)
    }
    rows = [
        PERSON
        | {
            "unit": units["U2"],
            "remark": "=HYPERLINK(1)\n第二行",
            "phone": "13800001234",
            "probation": False,
            "absent_days_run": -3,
            **odd,
        },
        PERSON
        | {
            "unit": units["U3"],
            "id_no": "330205198808081233",
            "work_unit": units["U1"],
            "ethnic": "01",
            "phone": "+86574",
        },
    ]
    with writing(engine) as session:
        write(session, "person", rows, by="clerk", now=now)


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
@pytest.mark.parametrize("plain", [True, False])
def test_an_export_comes_back_unchanged(
    both_engines: Engine, now: datetime, tmp_path: Path, ending: str, plain: bool
) -> None:
    fill_with_people(both_engines, found_units(both_engines, now), now)
    for dataset, rows in (("person", 2), ("unit", 3)):
        path = tmp_path / f"{dataset}.{ending}"
        with reading(both_engines) as session:
            assert export(session, dataset, path, by="clerk@U1", now=now, with_plain_ids=plain) == rows
        before = counted(both_engines)
        report = import_file(both_engines, dataset, path, by="clerk@U1", now=now)
        assert (report.rows, report.unchanged, report.errors) == (rows, rows, [])
        assert counted(both_engines) == before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.sampled_from(ODD), st.text(max_size=30)), ending=st.sampled_from(["xlsx", "csv"]))
def test_any_text_that_came_in_goes_out_and_comes_back(
    engine: Engine, units: dict[str, int], now: datetime, tmp_path: Path, text: str, ending: str
) -> None:
    path = tmp_path / "remark.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["机构编码", "备注"], ["U1", text]])
    try:
        first = import_file(engine, "unit", path, by="office", now=now, may_write_locked=True)
    except (BadInput, UnicodeEncodeError):
        return
    out = tmp_path / f"out.{ending}"
    with reading(engine) as session:
        export(session, "unit", out, by="office", now=now)
    assert not first.errors or first.updated == 0
    again = import_file(engine, "unit", out, by="office", now=now, may_write_locked=True)
    assert (again.errors, again.updated, again.unchanged) == ([], 0, 3)


def test_numbers_go_out_masked_unless_whole_ones_are_asked_for(
    engine: Engine, people: dict[str, int], now: datetime, tmp_path: Path
) -> None:
    with reading(engine) as session:
        export(session, "person", tmp_path / "m.csv", by="a", now=now)
        export(session, "person", tmp_path / "p.csv", by="a", now=now, with_plain_ids=True)
    masked, plain = ((tmp_path / name).read_text(encoding="utf-8-sig") for name in ("m.csv", "p.csv"))
    assert "33020319650115001X" not in masked
    assert "13800001234" not in masked
    assert "33**************1X" in masked
    assert "33020319650115001X" in plain
    assert "13800001234" in plain


def test_nothing_in_an_export_is_a_formula(
    engine: Engine, people: dict[str, int], now: datetime, tmp_path: Path
) -> None:
    with reading(engine) as session:
        export(session, "person", tmp_path / "p.xlsx", by="a", now=now)
        export(session, "person", tmp_path / "p.csv", by="a", now=now)
    for row in openpyxl.load_workbook(tmp_path / "p.xlsx").worksheets[0].iter_rows():
        assert all(cell.data_type in ("s", "n") and (cell.value is None or isinstance(cell.value, str)) for cell in row)
    with (tmp_path / "p.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "@"))] == []
    assert [cell for cell in cells if cell.startswith("-")] == ["-3"]


def test_an_export_says_who_took_it_and_when(
    engine: Engine, people: dict[str, int], now: datetime, tmp_path: Path
) -> None:
    with reading(engine) as session:
        export(session, "unit", tmp_path / "u.xlsx", by="clerk@U1", now=now)
    assert "导出账号：clerk@U1　导出时间：2026-03-02 09:00" in _sheet(tmp_path / "u.xlsx", 1)[0][0]
    footer = openpyxl.load_workbook(tmp_path / "u.xlsx").worksheets[0].oddFooter.left.text
    assert "clerk@U1" in str(footer)


def test_an_export_holds_only_the_units_asked_for(
    engine: Engine, people: dict[str, int], now: datetime, tmp_path: Path
) -> None:
    with reading(engine) as session:
        for units, rows in (([people["U2"]], 1), (tree.subtree(people["U1"]), 2), ([], 0)):
            assert export(session, "person", tmp_path / "p.csv", by="a", now=now, units=units) == rows


def test_an_export_of_another_kind_is_refused(engine: Engine, now: datetime, tmp_path: Path) -> None:
    with reading(engine) as session, pytest.raises(BadInput, match=r"扩展名应为 \.xlsx 或 \.csv"):
        export(session, "unit", tmp_path / "u.pdf", by="a", now=now)


@pytest.mark.parametrize("dataset", sorted(dictionary().datasets))
def test_a_template_can_be_handed_in_as_it_is(dataset: str, bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    template(dataset, path, today=date(2026, 3, 2))
    assert list(_sheet(path)[0]) == [f.label for f in dictionary()[dataset].importable]
    report = bring(dataset, path)
    assert (report.rows, report.errors) == (0, [])


def test_a_template_offers_the_codes_of_the_day_and_explains_each_column(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    template("unit", path, today=date(2026, 3, 2))
    book = openpyxl.load_workbook(path)
    sheet, notes, codes = book.worksheets
    assert codes.sheet_state == "hidden"
    offered = {str(column[0].value): [cell.value for cell in column[1:] if cell.value] for column in codes.iter_cols()}
    assert "海曙区" in offered["所在政区"]
    assert "江东区" not in offered["所在政区"]
    coded = [f for f in dictionary()["unit"].importable if f.type in ("code", "bool")]
    assert len(sheet.data_validations.dataValidation) == len(coded)
    assert all(cell.comment for cell in sheet[1])
    assert {row[0] for row in notes.iter_rows(values_only=True)} >= {f.label for f in dictionary()["unit"].importable}
    told = note(dictionary()["person"].fields["id_no"])
    assert "必填" in told
    assert "锁定字段" in told
    assert sheet.column_dimensions["A"].width
    assert {cell.number_format for cell in sheet[1]} <= {"General", "@"}


def test_a_marked_copy_shows_each_error_and_can_be_corrected_and_handed_in(
    units: dict[str, int], xlsx: Make, bring: Bring, tmp_path: Path
) -> None:
    rows = [
        ["人员编码", "所在单位", "姓名", "性别"],
        ["P1", "U2", "王", "公"],
        [],
        ["P2", "U9", "李", "女"],
        ["P3", "U2", "赵", "男"],
    ]
    path, copy = xlsx(rows), tmp_path / "marked.xlsx"
    report = bring("person", path)
    annotated(path, copy, report.as_dict()["errors"], name="人员.xlsx")
    sheet = openpyxl.load_workbook(copy).worksheets[0]
    assert [cell.value for cell in sheet[1]] == [*rows[0], "错误说明"]
    assert "第 2 行「性别」“公”不在代码表" in str(sheet["E2"].value)
    assert "“U9”不存在" in str(sheet["E4"].value)
    assert [sheet[name].fill.fgColor.rgb for name in ("D2", "B4")] == ["FFF8C9C9"] * 2
    assert sheet["D2"].comment is not None
    assert (sheet["C5"].value, sheet["E5"].value, sheet["B5"].fill.fill_type) == ("赵", None, None)
    sheet["D2"].value, sheet["B4"].value = "男", "U3"
    sheet.parent.save(copy)
    corrected = bring("person", copy)
    assert (corrected.created, corrected.errors) == (3, [])


def test_a_marked_copy_of_a_wrong_header_says_so_there(xlsx: Make, bring: Bring, tmp_path: Path) -> None:
    path, copy = xlsx([["人员编码", "名字"], ["P1", "王"]]), tmp_path / "marked.xlsx"
    annotated(path, copy, bring("person", path).as_dict()["errors"])
    header = _sheet(copy)[0]
    assert header[:2] == ("人员编码", "名字")
    assert str(header[2]).startswith("错误说明：第 1 行第 2 列的表头「名字」不是")


def test_a_marked_copy_says_where_not_all_errors_are_in_it(
    units: dict[str, int], csv_file: Make, bring: Bring, tmp_path: Path
) -> None:
    path, copy = csv_file([["人员编码", "性别"], ["P1", "公"], ["P2", "母"]]), tmp_path / "marked.xlsx"
    errors = bring("person", path).as_dict()["errors"]
    annotated(path, copy, errors[:1], total=len(errors))
    assert _sheet(copy)[0][2] == f"错误说明（共 {len(errors)} 处，只标注了前 1 处）"


def test_a_marked_copy_of_a_csv_is_a_workbook(
    units: dict[str, int], csv_file: Make, bring: Bring, tmp_path: Path
) -> None:
    path, copy = csv_file([["人员编码", "性别"], ["P1", "公"]], "gb18030"), tmp_path / "marked.xlsx"
    annotated(path, copy, bring("person", path).as_dict()["errors"])
    assert "不在代码表" in str(_sheet(copy)[1][2])
