"""The copier of committed pages: looks twice a second, never misses a frame while it lives, and knows when it has.

Two readers take turns: the new one begins before the old one ends, so that SQLite never begins its log anew over frames that were not
copied (a reader holds the log back unless all of it is in the database already, and then nothing new can be). Rows only: it reads.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from datetime import datetime
from pathlib import Path

from workflow.backup.log import LogWriter, Position, position
from workflow.backup.repository import Repository
from workflow.backup.sqlite_files import LogChanged, LogState, log_state, read_frames

QUIET_FRAMES = 1000  # frames from which a quiet moment is used to begin the log anew
MOST_FRAMES = 16_384  # frames (64 MiB) from which writers wait a moment for it
PATIENCE = 0.2  # seconds for the write lock


class Shipper:
    """Copies what is committed to one SQLite database into the log of a repository. One a database, in one thread."""

    def __init__(self, database: Path, repository: Repository, now: datetime) -> None:
        """Begins to hold frames back, and tells whether the log goes on where the last copier left it (`continues`)."""
        self.database, self.repository = database, repository
        self._held, self._spare, self._writer = (self._connection() for _ in range(3))
        self._hold(self._held)
        self.state = log_state(database)
        known = position(repository)
        self.continues = known is not None and _goes_on(known.state, self.state)
        self.done = known.state.frames if known is not None and self.continues else self.state.frames
        self.log = LogWriter(repository, continues=self.continues, now=now)
        if self.continues:
            self.look(now)
        else:
            self._note(now)

    def look(self, now: datetime) -> int:
        """Copy what was committed since the last look; returns the pages copied. Raises LogChanged where frames were missed."""
        copied = self._copy(now)
        if not copied and self.done > QUIET_FRAMES:
            self._begin_anew()
            copied = self._copy(now)
        elif self.done > MOST_FRAMES:
            self._begin_anew_between_writers(now)
        return copied

    def close(self) -> None:
        """Let go of the database."""
        for connection in (self._held, self._spare, self._writer):
            connection.close()
        self.log.close()

    def _copy(self, now: datetime) -> int:
        self._hold(self._spare)
        state = log_state(self.database)
        after = self.done if state.salts == self.state.salts else 0
        if state.frames < after:
            raise LogChanged
        copied = 0
        if state.frames > after:
            frames = read_frames(self.database, state, after)
            self.log.append(frames, now)
            copied = len(frames.pages)
        self.state, self.done = state, state.frames
        self._note(now)
        self._swap()
        return copied

    def _note(self, now: datetime) -> None:
        Position(self.log.place, self.state, now, time.time()).write(self.log.folder)

    def _begin_anew(self) -> None:
        """Bring the frames into the database: where all are, the reader of the next copy holds none, and the next writer begins anew."""
        self._spare.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _begin_anew_between_writers(self, now: datetime) -> None:
        """The same with writers kept out: the last frames are copied and brought in before anybody adds to them."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return  # a writer is at it: at the next look
        try:
            self._copy(now)
            self._begin_anew()
            self._copy(now)
        finally:
            self._writer.execute("ROLLBACK")

    def _swap(self) -> None:
        self._held.execute("ROLLBACK")
        self._held, self._spare = self._spare, self._held

    def _hold(self, connection: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("ROLLBACK")  # of a look that failed
        connection.execute("BEGIN")
        connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()

    def _connection(self) -> sqlite3.Connection:
        opened = sqlite3.connect(f"file:{self.database}?mode=rw", uri=True, timeout=PATIENCE, isolation_level=None)
        opened.execute("PRAGMA synchronous=FULL")
        return opened


def _goes_on(before: LogState, now: LogState) -> bool:
    """Whether nothing was missed between two states: the same log, and no shorter. A log without salts is none."""
    return any(now.salts) and before.salts == now.salts and before.frames <= now.frames
