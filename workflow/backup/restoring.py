"""Restoring: the chain, then the log up to the moment asked for; proved page by page; old notices are not sent again.

A restore goes into an empty folder, or over the live one only while nothing runs there; what stood there is put aside, not deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from workflow.access.sealing import sealed_records
from workflow.backup import log, pages, uploads
from workflow.backup.log import Place
from workflow.backup.making import DATABASE_INDEX, DATABASE_PAGES, FILES, FILES_INDEX
from workflow.backup.quieting import quiet
from workflow.backup.repository import Backup, Repository, as_text
from workflow.backup.sqlite_files import integrity, row_counts
from workflow.clock import SHANGHAI
from workflow.errors import BadInput

DATABASE = "sandeng.db"


class Reached(NamedTuple):
    """What a record of the log brings a restore to."""

    place: Place
    at: datetime
    size: int  # pages of the database


@dataclass
class Restored:
    """What a restore brought back, and what it could not."""

    into: str
    backup: str
    chain: list[str]
    restored_to: str  # everything committed up to then is there, ISO 8601
    log_records: int
    rows: int
    files: int
    suppressed: int  # effects of before that are not carried out again
    sessions_ended: int
    lost: str  # a sentence: what is not there

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def chosen(backups: Sequence[Backup], to: datetime | None) -> Backup:
    """The newest backup not after that moment (None: the newest). Raises BadInput where there is none."""
    fit = [backup for backup in backups if to is None or backup.moment <= to]
    if not fit:
        earliest = f"，最早的备份为 {local(backups[0].moment)}" if backups else ""
        raise BadInput(f"没有{'可用的备份' if to is None else f'{local(to)} 之前的备份'}{earliest}")
    return fit[-1]


def restore(repository: Repository, to: datetime | None, into: Path, now: datetime) -> Restored:
    """Restore the database and the uploads up to a moment (None: the last that is known) into an empty folder.

    Raises BadInput for a folder with files, a moment before every backup or a missing key; Damaged for changed files.
    """
    if into.exists() and any(into.iterdir()):
        raise BadInput(f"{into} 不是空文件夹，为免覆盖，请另选一个")
    backup = chosen(repository.backups(), to)
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    chain = repository.chain(backup)
    building = into / f".{DATABASE}.restoring"
    rebuild(repository, chain, building)
    records = replay(repository, backup, to, building)
    restored_to = records[-1].at if records else backup.moment
    rows = _prove(building, backup, exact=not records)
    files = put_uploads(repository, chain, into)
    told = quiet(building, restored_to, now)
    os.replace(building, into / DATABASE)
    return Restored(
        into=str(into),
        backup=backup.id,
        chain=[link.id for link in chain],
        restored_to=as_text(restored_to),
        log_records=len(records),
        rows=rows,
        files=files,
        suppressed=told["suppressed"],
        sessions_ended=told["sessions_ended"],
        lost=_lost(backup, records, to, restored_to),
    )


def rebuild(repository: Repository, chain: Sequence[Backup], out: Path) -> None:
    """The database as the last backup of a chain holds it. Raises Damaged."""
    out.touch(mode=0o600)
    with out.open("r+b") as file:
        for backup in chain:
            repository.prove_files(backup)
            for payload in _payloads(repository, backup, DATABASE_PAGES):
                pages.put_pages(file, pages.unpacked(payload))
            file.truncate(backup.page_size * backup.pages)
    page_size, digests = pages.read_index(b"".join(_payloads(repository, chain[-1], DATABASE_INDEX)))
    pages.prove_pages(out, page_size, digests)


def replay(repository: Repository, backup: Backup, to: datetime | None, out: Path) -> list[Reached]:
    """Bring in what the log holds after a backup, up to a moment; returns what each record reached.

    None are brought in where they do not reach past the copy: part of them would be older than the copy.
    """
    if backup.log is None:
        return []
    start, reached = Place(*backup.log["from"]), []
    for record in log.records_from(repository, start):
        if to is not None and record.at > to:
            break
        reached.append(Reached(record.place, record.at, record.size))
    if not reached or reached[-1].place < Place(*backup.log["to"]):
        return []
    with out.open("r+b") as file:
        for record in islice(log.records_from(repository, start), len(reached)):
            pages.put_pages(file, record.pages())
        file.truncate(backup.page_size * reached[-1].size)
    return reached


def put_uploads(repository: Repository, chain: Sequence[Backup], into: Path) -> int:
    """Write the uploads, and the definitions then in force, as the last backup lists them; returns how many."""
    index = uploads.read_index(b"".join(_payloads(repository, chain[-1], FILES_INDEX)))
    for backup in chain:
        uploads.put_files(_payloads(repository, backup, FILES), index, into)
    if gone := uploads.missing(index, into):
        raise BadInput(f"备份缺少 {len(gone)} 个文件，例如 {gone[0]}")
    return len(index)


def put_aside(data_dir: Path, now: datetime) -> Path:
    """Move database and uploads of the live folder aside, so that they can be looked at again; returns where."""
    aside = data_dir / f"before-restore-{now.astimezone(SHANGHAI):%Y%m%d-%H%M%S}"
    aside.mkdir(mode=0o700)
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", uploads.UPLOADS, uploads.DEFINITIONS):
        if (data_dir / name).exists():
            os.rename(data_dir / name, aside / name)
    return aside


def move_in(restored: Path, data_dir: Path) -> None:
    """Move a restored folder's files into the live one; the database last."""
    for name in (uploads.UPLOADS, uploads.DEFINITIONS, DATABASE):
        if (restored / name).exists():
            os.rename(restored / name, data_dir / name)
    shutil.rmtree(restored, ignore_errors=True)


def _payloads(repository: Repository, backup: Backup, name: str) -> Any:
    with repository.path(backup, name).open("rb") as file:
        yield from sealed_records(file, repository.data_key(backup), name)


def _prove(database: Path, backup: Backup, *, exact: bool) -> int:
    """Rows of the restored database. Raises BadInput where it is not whole, or (without log) not what the manifest counted."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        wrong, counts = integrity(connection), row_counts(connection)
    if wrong or (exact and counts != backup.counts):
        raise BadInput(f"恢复出的数据库未通过检查：{wrong[0] if wrong else '行数与备份清单不符'}")
    return sum(counts.values())


def _lost(backup: Backup, records: list[Reached], to: datetime | None, restored_to: datetime) -> str:
    if to is not None and records:
        return f"已恢复到 {local(restored_to)}；其后到 {local(to)} 之间没有已记录的写入，最多缺最后1秒"
    silent = (
        backup.log is not None and backup.log["from"] == backup.log["to"]
    )  # followed by the log, nothing written since
    if records or (to is None and silent):
        return f"已恢复到 {local(restored_to)}；此后最多1秒内的写入可能丢失"
    return f"已恢复到 {local(restored_to)} 的备份 {backup.id}；此后没有可用的连续日志，其后的写入均未恢复"


def local(moment: datetime) -> str:
    """A moment as a person in Ningbo reads it."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
