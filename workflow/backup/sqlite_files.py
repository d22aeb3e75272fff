"""The files of a live SQLite database, read from outside: a consistent copy, the shared index of its log, the frames of the log.

Beware: POSIX locks end when a process closes *any* descriptor of a file. SQLite keeps its locks on the database and on `-shm`, so
neither may be opened and closed here while this process has the database open: descriptors of `-shm` are kept for its whole life.
File formats: sqlite.org/fileformat2.html and walformat.html.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
from pathlib import Path
from typing import NamedTuple

WAL_HEADER, FRAME_HEADER = 32, 24
INDEX = struct.Struct("=IIIBBHII8s8s8s")  # the header of the wal-index, in the machine's own byte order
_kept: dict[tuple[int, int], int] = {}  # (device, inode) → descriptor of a -shm file


class LogState(NamedTuple):
    """How far the log of committed pages reaches: which log (its salts), how many frames, bytes of a page."""

    salts: bytes
    frames: int
    page_size: int


class Frames(NamedTuple):
    """Pages that were committed: page number → content, the newest only; pages of the database after them."""

    pages: dict[int, bytes]
    size: int


class LogChanged(Exception):
    """The log was begun anew while it was read."""


def log_state(database: Path) -> LogState:
    """The state of the log as the last commit left it. Raises FileNotFoundError where nobody has the database open."""
    descriptor = _shared_index(database)
    while True:  # two copies: unequal while a writer is at it
        both = os.pread(descriptor, 2 * INDEX.size, 0)
        first, second = both[: INDEX.size], both[INDEX.size :]
        if first == second:
            break
    values = INDEX.unpack(first)
    page_size = 65536 if values[5] == 1 else values[5]
    return LogState(values[9], values[6], page_size)


def read_frames(database: Path, state: LogState, after: int) -> Frames:
    """The frames of a log from `after` (exclusive) to its state's last. Raises LogChanged where it is another log by now."""
    pages: dict[int, bytes] = {}
    size = 0
    step = FRAME_HEADER + state.page_size
    with open(f"{database}-wal", "rb") as log:
        log.seek(WAL_HEADER + after * step)
        for _ in range(state.frames - after):
            frame = log.read(step)
            number, committed = struct.unpack_from(">II", frame)
            if len(frame) < step or frame[8:16] != state.salts:
                raise LogChanged
            pages[number] = frame[FRAME_HEADER:]
            size = committed or size
    return Frames(pages, size)


def copy_database(database: Path, out: Path) -> None:
    """A consistent copy of a live database, page for page (online backup); writers go on meanwhile."""
    out.unlink(missing_ok=True)
    out.touch(mode=0o600)
    source, target = sqlite3.connect(f"file:{database}?mode=rw", uri=True), sqlite3.connect(out)
    with contextlib.closing(source), contextlib.closing(target):
        target.execute("PRAGMA journal_mode=OFF")
        target.execute("PRAGMA synchronous=OFF")
        source.backup(target)


def row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows of every table."""
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name: connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for (name,) in sorted(names)}


def integrity(connection: sqlite3.Connection) -> list[str]:
    """What integrity_check and foreign_key_check find wrong; [] where the database is whole."""
    found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    return found + [f"{row[0]} → {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")]


def _shared_index(database: Path) -> int:
    path = f"{database}-shm"
    place = os.stat(path)
    known = (place.st_dev, place.st_ino)
    if known not in _kept:
        _kept[known] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return _kept[known]
