"""证据包: from the page of any case, for whoever may see it there, told in the audit chain, readable and verifiable without the platform."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.casework.matter_room import wish_book
from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, Town, Visitor, counted
from web.cli import sandeng
from workflow.audit.models import ROW
from workflow.db import reading, writing
from workflow.engine.models import HISTORY, CaseHistory
from workflow.engine.registry import using
from workflow.evidence.bundle import DOCUMENT, MANIFEST, SHEET, verified
from workflow.settings import Settings

GOOD = {"unit": COUNTY, "kind": "one", "why": "人手不足"}
PDF = b"%PDF-1.7 paper"
NUMBER = "330282199003071234"


@pytest.fixture(autouse=True)
def wishes() -> Iterator[None]:
    with using(wish_book()):
        yield


@pytest.fixture
def case(clerk: Visitor) -> str:
    """The address of a wish with a file, a word about somebody's number, and one step taken."""
    sent = {**GOOD, "papers": (io.BytesIO(PDF), "批复.pdf")}
    where = clerk.post("/matters/wish", sent).location
    assert clerk.post(f"{where}/comments", {"text": f"号码 {NUMBER} 请核"}).status_code == 302
    assert clerk.post(f"{where}/attachments", {"files": (io.BytesIO(PDF + b"2"), "附图.pdf")}).status_code == 302
    assert clerk.post(f"{where}/steps/submit", {"version": "1"}).status_code == 302
    return where


def fetched(visitor: Visitor, where: str, tmp_path: Path) -> Path:
    with visitor.get(f"{where}/evidence.zip") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "application/zip"), answer.get_data(as_text=True)[:500]
        path = tmp_path / "case.zip"
        path.write_bytes(answer.data)
    return path


def content(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def exports(town: Town) -> list[Any]:
    with reading(town.engine) as session:
        rows = session.execute(select(ROW).where(ROW.c.action == "evidence.export").order_by(ROW.c.seq))
        return [(row.actor, row.case_id, orjson.loads(row.summary)) for row in rows]


def test_a_bundle_holds_document_sheet_files_and_manifest_and_is_judged_the_same(
    case: str, clerk: Visitor, tmp_path: Path
) -> None:
    path = fetched(clerk, case, tmp_path)
    files = content(path)
    assert set(files) == {DOCUMENT, SHEET, MANIFEST, "attachments/001-批复.pdf", "attachments/002-附图.pdf"}
    assert files["attachments/001-批复.pdf"] == PDF
    kept = orjson.loads(files[DOCUMENT])
    assert (kept["case"]["process"], kept["made"]["by"], kept["rejudged"]["different"]) == (
        "wish",
        f"clerk@{COUNTY}",
        0,
    )
    assert [act["do"] for act in kept["history"]] == ["open", "submit"]
    found, _ = verified(path)
    assert found.ok
    assert found.count("cannot") == 0


def test_the_manifest_is_what_sha256sum_reads(case: str, clerk: Visitor, tmp_path: Path) -> None:
    files = content(fetched(clerk, case, tmp_path))
    lines = [line.split("  ", 1) for line in files[MANIFEST].decode().splitlines()]
    assert {name: digest for digest, name in lines} == {
        name: hashlib.sha256(one).hexdigest() for name, one in files.items() if name != MANIFEST
    }


def test_the_sheet_needs_nothing_from_elsewhere(case: str, clerk: Visitor, tmp_path: Path) -> None:
    sheet = content(fetched(clerk, case, tmp_path))[SHEET].decode()
    assert "<script" not in sheet
    assert not re.search(r"""(src|href)=|url\(|@import""", sheet)
    assert "重判：没有不同" in sheet
    assert "批复.pdf" in sheet


def test_no_number_leaves_in_the_clear_and_no_name_on_disk(case: str, clerk: Visitor, tmp_path: Path) -> None:
    for name, one in content(fetched(clerk, case, tmp_path)).items():
        assert NUMBER.encode() not in one, name
        assert b".sealed" not in one, name
    assert "33**************34" in content(tmp_path / "case.zip")[SHEET].decode()


def test_each_export_is_told_with_the_digest_of_its_manifest(
    town: Town, case: str, clerk: Visitor, tmp_path: Path
) -> None:
    path = fetched(clerk, case, tmp_path)
    ((who, case_id, summary),) = exports(town)
    assert (who, str(case_id)) == (f"clerk@{COUNTY}", case.rpartition("/")[2])
    assert summary["sha256"] == hashlib.sha256(content(path)[MANIFEST]).hexdigest()


def test_whoever_may_not_see_the_case_or_holds_no_such_role_gets_nothing(
    town: Town, case: str, sign_in: Callable[[str], Visitor]
) -> None:
    for account, status in (
        (f"clerk@{FAR}", 404),
        (f"clerk@{NEIGHBOUR}", 404),
        ("auditor", 403),
        ("security", 403),
        ("sysadmin", 403),
    ):
        assert sign_in(account).get(f"{case}/evidence.zip").status_code == status, account
    assert exports(town) == []


def test_a_file_that_is_gone_is_told_as_missing(
    case: str, clerk: Visitor, settings_of: Settings, tmp_path: Path
) -> None:
    for kept in settings_of.folder("uploads", "evidence").glob("*"):
        kept.unlink()
    path = fetched(clerk, case, tmp_path)
    files = content(path)
    assert [one["included"] for one in orjson.loads(files[DOCUMENT])["attachments"]] == [False, False]
    assert "文件已不在" in files[SHEET].decode()
    assert verified(path)[0].ok


@pytest.fixture
def settings_of(app: Any) -> Settings:
    return app.extensions["sandeng"]  # type: ignore[no-any-return]


def test_the_button_stands_on_the_pages_of_cases_and_tickets(town: Town, case: str, clerk: Visitor) -> None:
    assert f'href="{case}/evidence.zip"' in clerk.get(case).get_data(as_text=True)
    ticket = next(one for one in town.tickets(COUNTY) if one.case_id)
    page = clerk.get(f"/tickets/{ticket.id}").get_data(as_text=True)
    assert f'href="/cases/{ticket.case_id}/evidence.zip"' in page


def test_a_ticket_is_judged_again_too(town: Town, clerk: Visitor, tmp_path: Path) -> None:
    ticket = next(one for one in town.tickets(COUNTY) if one.case_id)
    path = fetched(clerk, f"/cases/{ticket.case_id}", tmp_path)
    found, about = verified(path)
    assert (found.ok, about["process"]) == (True, "rectification")
    kept = orjson.loads(content(path)[DOCUMENT])
    assert kept["grounds"]["ticket"]["rule"]["text"]
    assert kept["grounds"]["versions"][0]["changes"]["姓名"] == ["", "张某某"]
    assert any(entry["summary"].get("n") for entry in kept["audit"]) or kept["audit"]


def test_a_history_changed_in_the_database_is_told_on_the_sheet(
    town: Town, case: str, clerk: Visitor, tmp_path: Path
) -> None:
    case_id = int(case.rpartition("/")[2])
    with writing(town.engine) as session:
        facts = session.scalar(select(HISTORY.c.facts).where(HISTORY.c.case_id == case_id, HISTORY.c.do == "submit"))
        facts["read"]["form_is_complete"]["facts"]["fields"][0][2] = False
        session.execute(
            update(CaseHistory).where(CaseHistory.case_id == case_id, CaseHistory.do == "submit").values(facts=facts)
        )
    sheet = content(fetched(clerk, case, tmp_path))[SHEET].decode()
    assert "重判：有不同" in sheet
    assert "还须填写：种类" in sheet


def test_the_command_tells_each_step_and_leaves_with_one_for_a_difference(
    case: str, clerk: Visitor, tmp_path: Path, capsys: Any
) -> None:
    path = fetched(clerk, case, tmp_path)
    assert sandeng.main(["evidence", "verify", str(path), "--json"], standalone_mode=False) == 0
    told = capsys.readouterr()
    assert orjson.loads(told.out)["ok"] is True
    assert "相同  办理条件  第 2 步 提交 · " in told.err
    files = content(path)
    with zipfile.ZipFile(path, "w") as bundle:
        for name, one in files.items():
            bundle.writestr(name, one.replace("人手不足".encode(), "人手富余".encode()))
    assert sandeng.main(["evidence", "verify", str(path)], standalone_mode=False) == 1
    assert "有不同" in capsys.readouterr().out


def test_a_bundle_takes_a_bounded_number_of_statements(app: Flask, case: str, clerk: Visitor, tmp_path: Path) -> None:
    with counted(app) as statements:
        fetched(clerk, case, tmp_path)
    assert len(statements) <= 40, len(statements)
