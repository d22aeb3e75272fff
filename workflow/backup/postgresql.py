"""Backups of PostgreSQL by its own tools: pg_basebackup is the full copy, the log that pg_receivewal fetched is the increment.

pg_receivewal (a unit of its own, `--synchronous` with a slot named in synchronous_standby_names) acknowledges each commit, so that
nothing acknowledged is lost. A restored folder is a server's data directory that recovers by itself when it is first started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine

from workflow import migrations
from workflow.access.sealing import SealedWriter, sealed_records
from workflow.backup import making
from workflow.backup.keeping import expired
from workflow.backup.making import Clock, Draft, Progress
from workflow.backup.repository import Backup, Repository, as_text
from workflow.backup.restoring import chosen, local, put_uploads
from workflow.backup.serving import count_rows, recovered
from workflow.backup.tools import conninfo, tool
from workflow.errors import BadInput
from workflow.settings import Settings

BASE, WAL = "base.tar", "wal.tar"
PIECE = 1024 * 1024  # bytes of a record before compression
SEGMENT = 24  # hex digits that name a finished segment of the log
WAL_FOLDER = "restored_wal"  # in the restored folder: what recovery reads


def make(
    engine: Engine, settings: Settings, kind: str, clock: Clock, progress: Progress, patience: float = 0.0
) -> Backup:
    """A `full` backup by pg_basebackup, or an `incremental` one of the finished log since the one before; the first is full.

    Raises BadInput where the tools or the right of replication are missing, Conflict where another is being made.
    """
    held = making.repository(settings)
    with making.one_at_a_time(held, patience):
        known = held.backups()
        parent = known[-1] if kind == "incremental" and known else None
        done = _made(engine, settings, held, "incremental" if parent else "full", parent, clock, progress)
        held.remove(expired(held.backups(), done.moment))
        progress(2, 2)
    return done


def archive(engine: Engine, settings: Settings, clock: Clock) -> Backup:
    """A full copy that is kept for good, beside the others' chain."""
    held = making.archives(settings)
    with making.one_at_a_time(held):
        return _made(engine, settings, held, "archive", None, clock, lambda _d, _t: None)


def _made(
    engine: Engine,
    settings: Settings,
    held: Repository,
    kind: str,
    parent: Backup | None,
    clock: Clock,
    progress: Progress,
) -> Backup:
    began = clock()
    with making.drafted(held, began) as draft:
        at, segments = _increment(draft, settings, clock) if parent else _full(draft, settings, clock)
        progress(1, 2)
        making.write_files(draft, settings, parent)
        about = {
            "engine": "postgresql",
            "revision": migrations.current(engine) or "",
            "more": _about(engine, segments),
        }
        described = making.describe(draft, settings, kind, began, at, parent, about)
        done = held.finish(draft.folder, described, draft.key)
    for segment in segments:  # they are in the backup now
        segment.unlink(missing_ok=True)
    return done


def restore(held: Repository, settings: Settings, to: datetime | None, into: Path) -> dict[str, Any]:
    """Unpack a server's data directory with the log up to now; it recovers to the moment asked for at its first start.

    Raises BadInput for a folder with files or a moment before every backup, Damaged for changed files.
    """
    if into.exists() and any(into.iterdir()):
        raise BadInput(f"{into} 不是空文件夹，为免覆盖，请另选一个")
    backups = held.backups()
    base = [backup for backup in backups if backup.kind == "full" and (to is None or backup.moment <= to)]
    chain = held.chain(chosen(base, to))
    following = [backup for backup in backups if backup.seq > chain[-1].seq]
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    _unpack(held, chain[-1], BASE, into)
    log = into / WAL_FOLDER
    log.mkdir(mode=0o700)
    for backup in following:
        if any(file.name == WAL for file in backup.files):
            _unpack(held, backup, WAL, log)
    live = _take_received(settings.wal_folder(), log)
    _recovery(into, log, to)
    last = following[-1] if following else chain[-1]
    files = put_uploads(held, held.chain(last if to is None else chosen(backups, to)), into / "sandeng")
    return {
        "into": str(into),
        "backup": chain[-1].id,
        "chain": [backup.id for backup in (*chain, *following)],
        "restored_to": as_text(to) if to else None,
        "log_segments": len(list(log.iterdir())),
        "files": files,
        "suppressed": 0,
        "sessions_ended": 0,
        "lost": _lost(to, last, live),
    }


def proved(held: Repository, backup: Backup, folder: Path) -> tuple[int, int]:
    """Restore a backup into a scratch folder, start a server on it, count every row; returns (rows, files). Raises SandengError.

    Root hands the server's folder to the server's user, who cannot pass through the data directory: it lies in the temporary one.
    """
    chain = held.chain(backup)
    for link in chain:
        held.prove_files(link)
    with tempfile.TemporaryDirectory(prefix="sandeng-verify-", dir=None if os.geteuid() == 0 else folder) as scratch:
        data = Path(scratch) / "server"
        log = data / WAL_FOLDER
        data.mkdir(mode=0o700)
        _unpack(held, chain[0], BASE, data)
        log.mkdir(mode=0o700)
        for link in chain[1:]:
            _unpack(held, link, WAL, log)
        _recovery(data, log, None)
        os.chmod(scratch, 0o711)
        with recovered(data, backup.more["database"], backup.more["user"]) as connection:
            rows = count_rows(connection)
    return rows, put_uploads(held, chain, folder / "files")


def _about(engine: Engine, segments: list[Path]) -> dict[str, Any]:
    return {"segments": len(segments), "database": engine.url.database, "user": engine.url.username}


def _full(draft: Draft, settings: Settings, clock: Clock) -> tuple[datetime, list[Path]]:
    where, secret = conninfo(settings.replication_url or settings.database_url)
    command = [tool("pg_basebackup"), "-d", where, "-D", "-", "-F", "tar", "-X", "fetch", "-c", "fast", "-w"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | secret) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        with draft.file(BASE) as writer:
            for piece in iter(lambda: _whole(process.stdout), b""):
                writer.record(zlib.compress(piece, 1))
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise BadInput(f"pg_basebackup 未能完成：{said[-300:]}")
    return clock(), []


def _whole(stream: IO[bytes] | None) -> bytes:
    assert stream is not None
    return stream.read(PIECE)


def _increment(draft: Draft, settings: Settings, clock: Clock) -> tuple[datetime, list[Path]]:
    """Pack the finished segments; the unfinished one stays with the receiver, and is read from there by a restore."""
    folder = settings.wal_folder()
    at = clock()
    finished = sorted(p for p in folder.iterdir() if p.suffix in ("", ".history") and len(p.stem) in (SEGMENT, 8))
    with draft.file(WAL) as writer, tarfile.open(fileobj=_Records(writer), mode="w|") as archive:  # type: ignore[call-overload]
        for segment in finished:
            archive.add(segment, segment.name)
    return at, finished


class _Records:
    """A sink that makes a record of each piece."""

    def __init__(self, writer: SealedWriter) -> None:
        self.writer = writer

    def write(self, content: bytes) -> int:
        """Seal a piece."""
        self.writer.record(zlib.compress(content, 1))
        return len(content)


class _Source:
    """The plain bytes of a sealed tar, as a file to read."""

    def __init__(self, records: Iterator[bytes]) -> None:
        self.records, self.waiting = records, b""

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many."""
        while len(self.waiting) < size and (record := next(self.records, None)) is not None:
            self.waiting += zlib.decompress(record)
        taken, self.waiting = self.waiting[:size], self.waiting[size:]
        return taken


def _unpack(held: Repository, backup: Backup, name: str, into: Path) -> None:
    held.prove_files(replace(backup, files=[file for file in backup.files if file.name == name]))
    with held.path(backup, name).open("rb") as file:
        source: Any = _Source(sealed_records(file, held.data_key(backup), name))
        with tarfile.open(fileobj=source, mode="r|") as archive:
            archive.extractall(into, filter="data")


def _take_received(received: Path, log: Path) -> int:
    """Copy what the receiver holds; the unfinished segment under the name that recovery asks for."""
    taken = 0
    for path in sorted(received.iterdir()) if received.is_dir() else []:
        target = log / path.name.removesuffix(".partial")
        if path.is_file() and not target.exists():
            shutil.copyfile(path, target)
            taken += 1
    return taken


def _recovery(data: Path, log: Path, to: datetime | None) -> None:
    lines = [f"restore_command = 'cp \"{log}/%f\" \"%p\"'", "recovery_target_action = 'promote'", "primary_conninfo = ''",
             "synchronous_standby_names = ''", "archive_mode = 'off'"]  # fmt: skip
    if to is not None:
        lines.append(f"recovery_target_time = '{to.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}'")
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "# sandeng restore", *lines, ""]))
    (data / "recovery.signal").touch(mode=0o600)


def _lost(to: datetime | None, last: Backup, live: int) -> str:
    if to is not None:
        return f"启动后将恢复到 {local(to)}"
    if live:
        return "启动后将恢复到最后一个已确认的提交；同步接收日志的，不丢失已确认的写入"
    return f"没有找到正在接收的日志，启动后将恢复到 {local(last.moment)} 前后；其后的写入均未恢复"
