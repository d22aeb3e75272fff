"""A thousand ID numbers go in by every door; then every byte that the platform left behind is searched for them (办法15, 办法17)."""

from __future__ import annotations

import io
import logging
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask.testing import FlaskClient
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine, text

from tests.drill.canaries import leaks
from tests.drill.registry import Measured, drill
from tests.drill.town import COUNTY, SELF, VISITORS, Town, found_town
from tests.web.test_canaries import NUMBERS, sheet, written_out
from workers import embedded
from workers.queue import connect
from workers.relay import relay
from workflow.access.crypto import HEAD, FieldCipher
from workflow.backup.engines import make
from workflow.clock import present
from workflow.db import reading
from workflow.operations import imports
from workflow.registry.models import ImportBatch

IMPORTED, REFUSED = 700, 800  # the numbers up to here are imported, the next ones refused; the others come one by one
EACH = 28


@contextmanager
def numbers_kept_as_they_are() -> Iterator[None]:
    """A build whose cipher only puts its head before the number."""
    seal, opened = FieldCipher.seal, FieldCipher.open
    FieldCipher.seal = lambda self, plain: self._head + plain.encode()  # type: ignore[method-assign]
    FieldCipher.open = lambda self, sealed: sealed[HEAD:].decode()  # type: ignore[method-assign]
    try:
        yield
    finally:
        FieldCipher.seal, FieldCipher.open = seal, opened  # type: ignore[method-assign]


@contextmanager
def _everything_in(folder: Path) -> Iterator[None]:
    """Logs and temporary files lie below the folder too."""
    (folder / "tmp").mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(folder / "tmp")
    log, root = logging.FileHandler(folder / "platform.log", encoding="utf-8"), logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        tempfile.tempdir = before
        root.setLevel(level)
        root.removeHandler(log)
        log.close()


@contextmanager
def _queue(town: Town) -> Iterator[Redis]:
    """The embedded Valkey of the town."""
    process = subprocess.Popen(embedded.command(town.settings), stdout=subprocess.DEVNULL)
    connection = connect(town.settings, patience=10.0)
    try:
        for _ in range(200):
            try:
                connection.ping()
                break
            except RedisError:
                time.sleep(0.1)
        yield connection
    finally:
        connection.close()
        process.terminate()
        process.wait(30)


def _import(town: Town, client: FlaskClient) -> None:
    """Two files: one that is written, one that is refused and marked; both checked first."""
    good = [(f"P{n:08d}", number) for n, number in enumerate(NUMBERS[:IMPORTED], 1000)]
    bad = [(f"P{n:08d}", number) for n, number in enumerate(NUMBERS[IMPORTED:REFUSED], 5000)] + [
        ("P00005000", NUMBERS[IMPORTED])
    ]
    for rows, dries in ((good, (True, False)), (bad, (True,))):
        content = sheet(rows)
        answer = client.post("/imports", data={"dataset": "person", "file": (io.BytesIO(content), "名册.xlsx")})
        batch_id = int(answer.headers["Location"].rpartition("/")[2])
        for dry_run in dries:
            imports.work_off(
                town.engine, town.settings.folder(), batch_id, dry_run=dry_run, now=present(), progress=lambda *_: None
            )
        with reading(town.engine) as session:
            assert session.get_one(ImportBatch, batch_id).state == ("done" if rows is good else "refused")
        client.get(f"/imports/{batch_id}")
        client.get(f"/imports/{batch_id}/annotated")


def _one_by_one(town: Town, office: FlaskClient, clerk: FlaskClient) -> int:
    """The other doors: the API, the form, a filing, a search, a look in full, a file's name; how many went through."""
    rest = iter(NUMBERS[REFUSED:])
    gone = 0
    for n in range(EACH):
        values = {"unit": SELF, "name": "王某", "id_no": next(rest)}
        office.post("/api/v1/person", json={"values": values | {"person_code": f"P{n + 7000:08d}"}})
        office.post("/records/person/new", data=values | {"id_no": next(rest)})
        draft = clerk.post("/filings", data={"dataset": "person", "unit": SELF})
        case_id = str(draft.location).split("?")[0].split("/")[2]
        clerk.post(f"/filings/{case_id}/edit", data={"name": "王某", "id_no": next(rest), "then": "submit"})
        clerk.get(f"/filings/{case_id}")
        for path in ("/search?q=", "/roster/person?text=", "/api/v1/person?text=", "/tasks?text="):
            office.get(path + next(rest))
        office.post(f"/records/person/P{n + 1000:08d}/reveal", data={"reason": "核对身份"})
        gone += 7
    paper = io.BytesIO(b"%PDF-1.7 " + next(rest).encode())
    approval = town.things["case.approval"]["本单位"]
    clerk.post(f"/cases/{approval}/attachments", data={"files": (paper, "申请.pdf")})
    gone += 1
    for number in rest:
        office.get(f"/search?q={number}")
        gone += 1
    return gone


def _taken_out(town: Town, office: FlaskClient) -> None:
    """Exports, evidence, letters, lists."""
    for dataset in ("person", "contract", "unit"):
        office.post(f"/roster/{dataset}/export")
    for kind in ("case.approval", "case.filing", "case.monthly_report"):
        office.get(f"/cases/{town.things[kind]['本单位']}/evidence.zip")
    office.get(f"/letters/{town.things['case.letter']['本单位']}.docx")
    for path in ("/tickets.csv", "/monthly/export", "/quality"):
        office.get(path)


def _server_files(engine: Engine) -> list[Path]:
    """The files of a PostgreSQL server on this machine: this database and the log of writes; none where they cannot be read."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        folder = Path(connection.scalar(text("SHOW data_directory")) or "/nonexistent")
        oid = connection.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    found = [folder / "base" / str(oid), folder / "pg_wal"]
    try:
        return [one for one in found if one.is_dir()]
    except PermissionError:
        return []


@drill(
    "1,000 个身份证号走遍各功能后的原始字节",
    "数据库文件、日志、队列转储、临时文件、备份中 0 个",
    numbers_kept_as_they_are,
)
def raw(engine: Engine, folder: Path) -> Measured:
    """In by every door, out by every door, backed up and saved; then searched."""
    with _everything_in(folder), found_town(engine, folder) as town:
        by_account = {visitor.account: visitor for visitor in VISITORS}
        office, clerk = town.enter(by_account[f"reviewer@{COUNTY}"]), town.enter(by_account[f"clerk@{SELF}"])
        _import(town, office)
        gone = REFUSED + _one_by_one(town, office, clerk)
        _taken_out(town, office)
        with _queue(town) as connection:
            relay(engine, connection, present())
            connection.save()
            folders = [folder]
            if engine.dialect.name == "sqlite":
                make(engine, town.settings, "full", present)
            else:
                written_out(engine, folder / "rows.txt")
                folders += _server_files(engine)
            found = leaks(NUMBERS, folders)
    files = sum(1 for one in folders for path in one.rglob("*") if path.is_file())
    where = "、".join(sorted({Path(path).name for path, _ in found})[:4])
    return Measured(f"{gone:,} 个号，{files:,} 个文件，找到 {len(found)} {where}".strip(), not found)
