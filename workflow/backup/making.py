"""Making a backup (办法18): a consistent copy, what differs from the backup before, sealed, with a manifest. An edge: reads and writes files.

1. Note where the log is. 2. Copy the database. 3. Note how far the log must have come so that it can go on from this copy.
4. Write pages, index and uploads. 5. Sign the manifest and give the folder its name. 6. Delete what nobody needs any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from workflow import migrations
from workflow.access.sealing import SealedWriter, new_key, sealed_records, wrap
from workflow.backup import log, pages, uploads
from workflow.backup.keeping import expired
from workflow.backup.repository import MAKING, Backup, Repository, StoredFile, as_text, stored_file
from workflow.backup.sqlite_files import copy_database, log_state, row_counts
from workflow.errors import BadInput, Conflict
from workflow.keys import fingerprint
from workflow.settings import Settings

DEFINITIONS = Path(__file__).resolve().parents[2] / "definitions"
DATABASE_PAGES, DATABASE_INDEX, FILES, FILES_INDEX = "database.pages", "database.index", "files.pack", "files.index"
SHIPPED_WITHIN = 5.0  # seconds that the log gets to come up to the copy
TRY_EVERY = 0.1  # seconds
ALIVE = 5.0  # seconds since the last look of a copier that lives

Progress = Callable[[int, int], None]  # steps done, steps in all
Clock = Callable[[], datetime]


def repository(settings: Settings) -> Repository:
    """The repository of this installation."""
    return Repository(settings.backups(), settings.backup_keys, settings.cipher)


def archives(settings: Settings) -> Repository:
    """Where archives are kept for good: a repository of its own, on another medium where SANDENG_ARCHIVE_DIR names one."""
    return Repository(settings.archives(), settings.backup_keys, settings.cipher)


@dataclass
class Draft:
    """A backup as it is being made: its folder, its key, the files that are finished."""

    repository: Repository
    folder: Path
    key: bytes
    files: list[StoredFile]

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[SealedWriter]:
        """Write one sealed file; it is on disk when the block ends."""
        path = self.folder / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            writer = SealedWriter(opened, self.key, name, self.repository.algorithm)
            yield writer
            writer.close()
            opened.flush()
            os.fsync(opened.fileno())
        self.files.append(stored_file(path, name))

    def read(self, backup: Backup, name: str) -> bytes:
        """The one payload of a file of an earlier backup."""
        with self.repository.path(backup, name).open("rb") as file:
            return b"".join(sealed_records(file, self.repository.data_key(backup), name))


@contextlib.contextmanager
def drafted(repository: Repository, began: datetime) -> Iterator[Draft]:
    """A folder for a new backup; removed unless it was finished. What a killed run left goes first."""
    repository.sweep()
    folder = repository.folder / f"{MAKING}{began:%Y%m%dT%H%M%S}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield Draft(repository, folder, new_key(), [])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make(
    engine: Engine,
    settings: Settings,
    kind: str,
    clock: Clock,
    progress: Progress = lambda _d, _t: None,
    patience: float = 0.0,
) -> Backup:
    """Make a `full` or `incremental` backup of an embedded database; an increment without a full one before it becomes one.

    `clock` gives the present. Raises Conflict where another backup is still being made after `patience` seconds.
    """
    held = repository(settings)
    with one_at_a_time(held, patience):
        made = _make(engine, settings, held, kind, clock, progress)
        old = expired(held.backups(), made.moment)
        held.remove(old)
        log.forget_before(held, needed_log(held.backups()))
    return made


def archive(engine: Engine, settings: Settings, clock: Clock) -> Backup:
    """A full copy that is kept for good (办法18: 涉及系统更新迭代的), beside the others' chain."""
    held = archives(settings)
    with one_at_a_time(held):
        return _make(engine, settings, held, "archive", clock, lambda _d, _t: None)


def needed_log(backups: list[Backup]) -> int:
    """The first file of the log that a kept backup goes on with; 0 where none does."""
    return min((backup.log["from"][0] for backup in backups if backup.log), default=0)


@contextlib.contextmanager
def one_at_a_time(held: Repository, patience: float = 0.0) -> Iterator[None]:
    """Raises Conflict where another backup is still being made here after `patience` seconds."""
    until = time.monotonic() + patience
    with (held.folder / ".lock").open("w") as file:
        while not _locked(file.fileno()):
            if time.monotonic() >= until:
                raise Conflict("另一个备份正在进行，请稍后再试")
            time.sleep(TRY_EVERY)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def database_file(engine: Engine) -> Path:
    """The file of an embedded database. Raises BadInput for another."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        raise BadInput("这种备份只用于内置数据库")
    return Path(engine.url.database).resolve()


def _make(engine: Engine, settings: Settings, held: Repository, kind: str, clock: Clock, progress: Progress) -> Backup:
    began, known = clock(), held.backups()
    parent = known[-1] if kind == "incremental" and known else None
    with drafted(held, began) as draft:
        copy = working_folder(settings) / f"{draft.folder.name}.db"
        try:
            going_on = _copied(engine, database_file(engine), copy, held if kind != "archive" else None)
            progress(1, 4)
            about = _write_database(draft, copy, parent)
            progress(2, 4)
        finally:
            copy.unlink(missing_ok=True)
        write_files(draft, settings, parent)
        progress(3, 4)
        at = clock()
        values = about | {"log": going_on, "revision": migrations.current(engine) or ""}
        made = describe(draft, settings, kind if parent or kind == "archive" else "full", began, at, parent, values)
        done = held.finish(draft.folder, made, draft.key)
    progress(4, 4)
    return done


def describe(
    draft: Draft,
    settings: Settings,
    kind: str,
    began: datetime,
    at: datetime,
    parent: Backup | None,
    values: dict[str, Any],
) -> Backup:
    """The manifest of a draft, not yet signed."""
    known = draft.repository.backups()
    number, key = draft.repository.newest_key()
    name = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{kind}"
    taken = {backup.id for backup in known}
    names = [name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))]
    return Backup(
        id=next(free for free in names if free not in taken),
        seq=1 + max((backup.seq for backup in known), default=0),
        kind=kind,
        engine=values.pop("engine", "sqlite"),
        at=as_text(at),
        began_at=as_text(began),
        parent=parent.id if parent else None,
        wrapped=wrap(draft.key, key, draft.repository.algorithm),
        backup_key=number,
        backup_key_print=fingerprint(key),
        field_keys={str(n): fingerprint(secret) for n, secret in settings.field_keys.items()},
        files=draft.files,
        **values,
    )


def working_folder(settings: Settings) -> Path:
    """Where plain copies live for the moment of a backup: beside the database, never in the repository."""
    return settings.folder("backup-work")


def _copied(engine: Engine, database: Path, copy: Path, held: Repository | None) -> dict[str, Any] | None:
    """Copy the database; from where to where the log goes on with the copy, None where no copier is at work."""
    before = log.position(held) if held else None
    copy_database(database, copy)
    if held is None or before is None or time.time() - before.beat > ALIVE:
        return None
    with engine.connect():  # somebody has it open: the shared index exists
        wanted = log_state(database)
    until = time.monotonic() + SHIPPED_WITHIN
    while time.monotonic() < until:
        now = log.position(held)
        if now and (now.state.salts != wanted.salts or now.state.frames >= wanted.frames):
            return {"from": list(before.place), "to": list(now.place)}
        time.sleep(0.05)
    return None


def _write_database(draft: Draft, copy: Path, parent: Backup | None) -> dict[str, Any]:
    page_size = pages.page_size_of(copy)
    digests = pages.page_digests(copy, page_size)
    before = pages.read_index(draft.read(parent, DATABASE_INDEX)) if parent else (page_size, [])
    wanted = pages.changed_pages(before[1] if before[0] == page_size else [], digests)
    with draft.file(DATABASE_PAGES) as writer:
        stored = pages.write_pages(writer, copy, page_size, wanted)
    with draft.file(DATABASE_INDEX) as writer:
        writer.record(pages.index_payload(page_size, digests))
    with contextlib.closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
        counts = row_counts(connection)
    return {"page_size": page_size, "pages": len(digests), "pages_stored": stored, "counts": counts}


def write_files(draft: Draft, settings: Settings, parent: Backup | None) -> None:
    """Write new and changed uploads and definitions, and the index of all of them."""
    before = uploads.read_index(draft.read(parent, FILES_INDEX)) if parent else {}
    present = uploads.present_files(settings.folder(), DEFINITIONS)
    with draft.file(FILES) as writer:
        index = uploads.write_files(writer, present, before)
    with draft.file(FILES_INDEX) as writer:
        writer.record(uploads.index_payload(index))
