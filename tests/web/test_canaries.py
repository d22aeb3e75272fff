"""ID numbers that went in by every door stand nowhere in the platform's files: database, log of it, uploads, exports, backups."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from openpyxl import Workbook
from sqlalchemy import Engine, inspect, text

from tests.drill.canaries import leaks, spellings
from tests.web.conftest import COUNTY, Town, Visitor
from workflow.backup.engines import make
from workflow.clock import present
from workflow.db import reading
from workflow.operations import imports
from workflow.registry.exporting import export
from workflow.registry.identity import id_check
from workflow.registry.models import ImportBatch

SignIn = Callable[[str], Visitor]


def number(n: int) -> str:
    """An invented number."""
    first = f"330282197{n % 10}0{1 + n % 9}1{n % 10}{n:03d}"
    return first + id_check(first)


NUMBERS = [number(n) for n in range(1000)]


def sheet(rows: list[tuple[str, str]]) -> bytes:
    """People as an import file: code and ID number."""
    book = Workbook()
    page = book.active
    page.append(["人员编码", "姓名", "所在单位", "身份证号"])
    for code, id_no in rows:
        page.append([code, "王某", COUNTY, id_no])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


@pytest.fixture
def handed_in(town: Town, app: Flask, reviewer: Visitor) -> list[int]:
    """1,000 numbers in two files: one that is written, one that is refused and marked."""
    settings = app.extensions["sandeng"]
    good = [(f"P{n:08d}", id_no) for n, id_no in enumerate(NUMBERS[:900], 100)]
    bad = [(f"P{n:08d}", id_no) for n, id_no in enumerate(NUMBERS[900:], 5000)] + [
        ("P00005000", NUMBERS[999])
    ]  # twice the same code
    batches = []
    for rows in (good, bad):
        content = sheet(rows)
        answer = reviewer.post("/imports", {"dataset": "person", "file": (io.BytesIO(content), "名册.xlsx")})
        assert answer.status_code == 302
        batches.append(int(answer.headers["Location"].rpartition("/")[2]))
    for batch_id in batches:
        for dry_run in (True, False):
            with reading(town.engine) as session:
                state = session.get_one(ImportBatch, batch_id).state
            if dry_run or state == "ready":
                imports.work_off(
                    town.engine, settings.folder(), batch_id, dry_run=dry_run, now=present(), progress=lambda *_: None
                )
    return batches


def written_out(engine: Engine, out: Path) -> None:
    """Every row of a server as text, since its files lie with the server; bytes come as hex, and as themselves."""
    with engine.connect() as connection, out.open("wb") as file:
        for table in inspect(engine).get_table_names():
            for (row,) in connection.execute(text(f'SELECT CAST(t AS text) FROM "{table}" t')):
                file.write(row.encode() + b"\n")
                for shown in re.findall(r"\\\\x([0-9a-f]+)", row):
                    file.write(bytes.fromhex(shown) + b"\n")
    assert out.stat().st_size > 100_000


def test_no_number_stands_in_any_file(
    town: Town, app: Flask, reviewer: Visitor, handed_in: list[int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = app.extensions["sandeng"]
    with reading(town.engine) as session:
        rows = [session.get_one(ImportBatch, batch_id) for batch_id in handed_in]
        assert [row.state for row in rows] == ["done", "refused"], (
            rows[0].says,
            [e["message"] for e in rows[0].errors[:4]],
        )
    marked = reviewer.get(f"/imports/{handed_in[1]}/annotated")
    assert marked.status_code == 200
    assert reviewer.post("/roster/person/export?text=P00000100").status_code == 200
    with reading(town.engine) as session:
        export(session, "person", settings.folder("exports") / "all.xlsx", units=None, by="reviewer", now=present())
    assert reviewer.get(f"/search?q={NUMBERS[0]}").status_code in (200, 302)
    evidence = {"text": "说明", "evidence": (io.BytesIO(b"%PDF-1.7 " + NUMBERS[1].encode()), f"{NUMBERS[2]}.pdf")}
    reviewer.post(f"/tickets/{town.tickets(COUNTY)[0].id}/explain", evidence)
    if town.engine.dialect.name == "sqlite":
        make(town.engine, settings, "full", present)
    else:
        written_out(town.engine, tmp_path / "rows.txt")
    assert leaks(NUMBERS, [tmp_path]) == []
    assert not any(id_no in caplog.text for id_no in NUMBERS)


def test_the_scan_finds_a_number_however_it_is_spelt(tmp_path: Path) -> None:
    for place, spelt in enumerate(spellings(NUMBERS[0])):
        (tmp_path / "f").write_bytes(b"x" * place + spelt + b"y")
        assert [found for _, found in leaks(NUMBERS, [tmp_path])] == [NUMBERS[0]], spelt
