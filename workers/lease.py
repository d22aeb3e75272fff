"""Exactly one holder per database and purpose (the active clock, a running job): the kernel or the server lets go for the dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

CLOCK, DAILY, REQUEST = "clock", "daily", "request"
KEYS = {CLOCK: 0x53414E01, DAILY: 0x53414E02, REQUEST: 0x53414E03}  # PostgreSQL's advisory locks are pairs of numbers
TRY_EVERY = 0.1  # seconds


class Lease(Protocol):
    """What the active clock holds."""

    def hold(self) -> bool:
        """Take it, or make sure that it is still held; False: another clock is active."""

    def release(self) -> None:
        """Let go, so that another clock takes over at once."""


def lease_on(engine: Engine, purpose: str = CLOCK, number: int = 0) -> Lease:
    """The lease that fits the database; `number` tells apart the things of one purpose, as requests."""
    if engine.dialect.name == "postgresql":
        return ServerLease(engine, KEYS[purpose], number)
    return FileLease(f"{engine.url.database}.{purpose}{number or ''}")


@contextlib.contextmanager
def alone(engine: Engine, purpose: str) -> Iterator[None]:
    """Wait for the lease and hold it for the length of a block."""
    lease = lease_on(engine, purpose)
    while not lease.hold():
        time.sleep(TRY_EVERY)
    try:
        yield
    finally:
        lease.release()


class FileLease:
    """A lock on a file beside the SQLite database; the kernel ends it with the process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None

    def hold(self) -> bool:
        """Take it, or say that it is held."""
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        if not self._is_in_place(file):  # its last holder took it away between the two lines above
            os.close(file)
            return False
        self._file = file
        return True

    def _is_in_place(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let go, and leave no file."""
        if self._file is not None:
            os.unlink(self._path)
            os.close(self._file)
            self._file = None


class ServerLease:
    """A PostgreSQL advisory lock on a connection of its own; the server ends it with the connection."""

    def __init__(self, engine: Engine, key: int, number: int) -> None:
        self._pair = {"key": key, "number": number % 2**31}
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None

    def hold(self) -> bool:
        """Take it, or ask over the same connection whether it still stands."""
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
                return True
            except SQLAlchemyError:  # the server ended the connection, and the lock with it
                self.release()
        connection = self._engine.connect()
        if connection.execute(text("SELECT pg_try_advisory_lock(:key, :number)"), self._pair).scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def release(self) -> None:
        """Let go at once; the lock of a connection that is lost already ends with it at the server."""
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                self._connection.execute(text("SELECT pg_advisory_unlock(:key, :number)"), self._pair)
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
