"""Proof of the importer's good days: what comes in, in whatever order and spelling, comes in once and whole."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.registry.conftest import PERSON, counted, found_units
from workflow.db import reading, writing
from workflow.registry.history import versions
from workflow.registry.importing.report import ImportReport
from workflow.registry.importing.run import import_file
from workflow.registry.queries import find_by_key
from workflow.registry.records import remove, write
from workflow.registry.tables import TABLES

Make = Callable[..., Path]
Bring = Callable[..., ImportReport]
HEADER = ["人员编码", "所在单位", "姓名", "性别", "民族", "身份证号", "出生日期"]
WANG = [None, "U2", "王小明", "男", "汉族", "33020319650115001X", "1965-01-15"]
LI = ["P900", "U3", "李红", "女", 1, "330212197004010025", datetime(1970, 4, 1)]  # noqa: DTZ001


def test_a_workbook_comes_in_and_a_second_time_changes_nothing(both_engines: Engine, xlsx: Make, now: datetime) -> None:
    found_units(both_engines, now)
    path = xlsx([HEADER, WANG, LI])
    first = import_file(both_engines, "person", path, by="office", now=now)
    assert (first.rows, first.created, first.updated, first.unchanged, first.errors) == (2, 2, 0, 0, [])
    after = counted(both_engines)
    second = import_file(both_engines, "person", path, by="office", now=now)
    assert (second.rows, second.created, second.updated, second.unchanged, second.errors) == (2, 0, 0, 2, [])
    assert counted(both_engines) == after
    assert first.file_sha256 == second.file_sha256


def test_a_csv_comes_in_like_a_workbook(engine: Engine, units: dict[str, int], csv_file: Make, bring: Bring) -> None:
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        text = [[str(cell) if cell is not None else "" for cell in row] for row in (HEADER, WANG)]
        report = bring("person", csv_file(text, encoding))
        assert (report.rows, report.created + report.unchanged, report.errors) == (1, 1, [])
    with reading(engine) as session:
        record = find_by_key(session, "person", "P00000001")
        assert record
        assert record.values["name"] == "王小明"


def test_units_may_name_their_parents_in_any_order(both_engines: Engine, xlsx: Make, now: datetime) -> None:
    path = xlsx([["机构编码", "机构全称", "隶属"], ["C", "丙", "B"], ["A", "甲", None], ["B", "乙", "A"]])
    report = import_file(both_engines, "unit", path, by="office", now=now, may_write_locked=True)
    assert (report.created, report.errors) == (3, [])
    with Session(both_engines) as session:
        ids = dict(session.execute(select(TABLES["unit"].c.unit_code, TABLES["unit"].c.id)).all())
        parents = dict(session.execute(select(TABLES["unit"].c.unit_code, TABLES["unit"].c.parent_id)).all())
    assert parents == {"A": None, "B": ids["A"], "C": ids["B"]}
    again = import_file(both_engines, "unit", path, by="office", now=now, may_write_locked=True)
    assert (again.unchanged, again.updated) == (3, 0)


def test_columns_that_a_file_leaves_out_keep_their_values(
    engine: Engine, units: dict[str, int], xlsx: Make, bring: Bring
) -> None:
    bring("person", xlsx([HEADER, LI]))
    report = bring("person", xlsx([["姓名", "人员编码"], ["李虹", "P900"]]))
    assert (report.updated, report.errors) == (1, [])
    with reading(engine) as session:
        record = find_by_key(session, "person", "P900")
        assert record
        assert (record.values["name"], record.text("sex"), record.unit_id) == ("李虹", "女", units["U3"])


def test_an_empty_cell_empties_the_field(engine: Engine, units: dict[str, int], xlsx: Make, bring: Bring) -> None:
    bring("person", xlsx([HEADER, LI]))
    assert bring("person", xlsx([["人员编码", "出生日期"], ["P900", None]])).updated == 1
    with reading(engine) as session:
        record = find_by_key(session, "person", "P900")
        assert record
        assert record.values["birth_date"] is None
        assert record.columns["id_birth_matches"] is None


def test_people_without_code_are_found_by_number_within_the_unit(
    engine: Engine, units: dict[str, int], xlsx: Make, bring: Bring
) -> None:
    bring("person", xlsx([HEADER, WANG]))
    moved = [*WANG[:2], "王晓明", *WANG[3:]]
    assert bring("person", xlsx([HEADER, moved])).updated == 1
    elsewhere = [None, "U3", *WANG[2:]]
    assert bring("person", xlsx([HEADER, elsewhere])).created == 1


def test_drawn_codes_avoid_those_that_the_file_brings(units: dict[str, int], xlsx: Make, bring: Bring) -> None:
    report = bring("person", xlsx([HEADER, WANG, ["P00000001", *LI[1:]]]))
    assert (report.created, report.errors) == (2, [])


def test_somebody_removed_comes_back_as_the_same_record(
    engine: Engine, units: dict[str, int], now: datetime, xlsx: Make, bring: Bring
) -> None:
    with writing(engine) as session:
        record_id = write(session, "person", [PERSON | {"unit": units["U2"]}], by="clerk", now=now).ids[0]
        remove(session, "person", [record_id], by="office", now=now)
    report = bring("person", xlsx([HEADER, WANG]))
    assert (report.created, report.updated) == (0, 1)
    with reading(engine) as session:
        assert [v.kind for v in versions(session, "person", record_id)] == ["create", "remove", "revive"]


def test_a_mask_in_a_file_means_the_number_that_is_stored(units: dict[str, int], xlsx: Make, bring: Bring) -> None:
    bring("person", xlsx([HEADER, LI]))
    masked = xlsx([["人员编码", "身份证号"], ["P900", "33**************25"]])
    assert (bring("person", masked).unchanged, bring("person", masked).errors) == (1, [])
    wrong = bring("person", xlsx([["人员编码", "身份证号"], ["P900", "33**************26"]]))
    assert "第 2 行「身份证号」是掩码，与原号码不符" in wrong.errors[0].message
    new = bring("person", xlsx([["人员编码", "身份证号"], ["P901", "33**************26"]]))
    assert "新增记录须填写完整内容" in new.errors[0].message


def test_a_dry_run_tells_everything_and_writes_nothing(
    engine: Engine, units: dict[str, int], xlsx: Make, bring: Bring
) -> None:
    bring("person", xlsx([HEADER, LI]))
    before = counted(engine)
    report = bring("person", xlsx([HEADER, WANG, [*LI[:2], "李虹", *LI[3:]]]), dry_run=True)
    assert (report.created, report.updated, report.dry_run) == (1, 1, True)
    assert counted(engine) == before
    created, updated = report.preview
    assert (created["row"], created["kind"], updated["row"], updated["key"]) == (2, "created", 3, "P900")
    assert {"field": "unit", "label": "所在单位", "old": "", "new": "U2"} in created["changes"]
    assert {"field": "id_no", "label": "身份证号", "old": "", "new": "33**************1X"} in created["changes"]
    assert updated["changes"] == [{"field": "name", "label": "姓名", "old": "李红", "new": "李虹"}]


def test_progress_is_told_phase_by_phase(units: dict[str, int], xlsx: Make, bring: Bring) -> None:
    told: list[tuple[str, int, int]] = []
    bring("person", xlsx([HEADER, WANG, LI]), progress=lambda *step: told.append(step))
    assert told == [("checking", 2, 2), ("writing", 2, 2)]


def test_the_versions_name_the_batch_and_who_brought_it(
    engine: Engine, units: dict[str, int], xlsx: Make, bring: Bring
) -> None:
    bring("person", xlsx([HEADER, LI]), batch_id=7, by="clerk@U3", on_behalf_of="李红")
    with reading(engine) as session:
        record = find_by_key(session, "person", "P900")
        assert record
        [version] = versions(session, "person", record.id)
        assert (version.source, version.source_ref, version.by, version.on_behalf_of) == (
            "import",
            "batch:7",
            "clerk@U3",
            "李红",
        )
        assert record.columns["batch_id"] == 7


def test_an_error_in_the_last_row_leaves_nothing_of_the_first(
    engine: Engine, units: dict[str, int], xlsx: Make, bring: Bring
) -> None:
    bring("person", xlsx([HEADER, LI]))
    before = counted(engine)
    rows: list[list[Any]] = [[f"Q{i}", "U2", f"人{i}"] for i in range(5200)]
    report = bring(
        "person", xlsx([["人员编码", "所在单位", "姓名"], *rows, ["P900", "U3", "李虹"]]), may_write_locked=False
    )
    assert (report.created, report.updated, report.error_count) == (0, 0, 1)
    assert report.errors[0].row == 5202
    assert "「姓名」为锁定字段，只能由编办修改" in report.errors[0].message
    assert counted(engine) == before


def test_empty_rows_are_passed_over_and_rows_keep_their_numbers(
    units: dict[str, int], xlsx: Make, bring: Bring
) -> None:
    report = bring("person", xlsx([HEADER, [], ["", "  ", ""], WANG, [], [None, "U9", *LI[2:]]]))
    assert (report.rows, [error.row for error in report.errors]) == (2, [6])


@pytest.mark.slow
def test_a_million_empty_rows_take_no_time(units: dict[str, int], tmp_path: Path, bring: Bring) -> None:
    short, path = tmp_path / "short.xlsx", tmp_path / "long.xlsx"
    with xlsxwriter.Workbook(str(short)) as book:
        sheet, painted = book.add_worksheet(), book.add_format({"bg_color": "#FFFFCC"})
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, [cell if isinstance(cell, str) else "" for cell in WANG])
        sheet.write_blank(2, 0, None, painted)
    with zipfile.ZipFile(short) as given, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name in given.namelist():
            part = given.read(name).decode()
            if name.endswith(
                "sheet1.xml"
            ):  # the painted row again and again, as a sheet has it whose column was painted
                start = part.index('<row r="3"')
                row = part[start : part.index("</row>", start) + 6]
                more = row.replace('r="3"', 'r="{0}"').replace("A3", "A{0}").format
                part = part.replace(row, row + "".join(map(more, range(4, 1_000_001))))
                part = re.sub(r'(<dimension ref="A1:[A-Z]+)3"', r'\g<1>1000000"', part)
            made.writestr(name, part)
    report = bring("person", path)
    assert (report.rows, report.created, report.errors) == (1, 1, [])
    assert report.seconds < 20
