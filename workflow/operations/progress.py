"""How far long work has come, seen by others while its transaction is still open. Throw-away figures: the request's row has the end."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, update

from workflow.db import writing
from workflow.operations.models import JobRequest

EVERY = 0.5  # seconds between two figures

Progress = Callable[[int, int], None]


def progress_of(engine: Engine, request_id: int) -> Progress:
    """A function (done, total) for the work to call as often as it likes.

    PostgreSQL: a row of its own short transaction. SQLite has one writer, which is the work itself: a small file beside the database.
    """
    write = _to_row(engine, request_id) if engine.dialect.name == "postgresql" else _to_file(engine, request_id)
    last = float("-inf")

    def show(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY or done == total:
            last = time.monotonic()
            write(done, total)

    return show


def shown(engine: Engine, request: JobRequest) -> tuple[int, int]:
    """(done, total) of a request, the newest figure that is known."""
    if engine.dialect.name == "sqlite" and request.state == "running":
        with contextlib.suppress(FileNotFoundError, ValueError):
            done, total = json.loads(_file(engine, request.id).read_text())
            return int(done), int(total)
    return request.done, request.total


def forget(engine: Engine, request_id: int) -> None:
    """Remove what the work left beside the database."""
    if engine.dialect.name == "sqlite":
        _file(engine, request_id).unlink(missing_ok=True)


def _to_row(engine: Engine, request_id: int) -> Progress:
    def write(done: int, total: int) -> None:
        with writing(engine) as session:
            session.execute(update(JobRequest).where(JobRequest.id == request_id).values(done=done, total=total))

    return write


def _to_file(engine: Engine, request_id: int) -> Progress:
    path = _file(engine, request_id)
    path.parent.mkdir(exist_ok=True, mode=0o700)

    def write(done: int, total: int) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps([done, total]))
        os.replace(fresh, path)

    return write


def _file(engine: Engine, request_id: int) -> Path:
    return Path(str(engine.url.database)).with_name("progress") / f"{request_id}.json"
