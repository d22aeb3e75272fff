"""A data directory of its own for each test, with a real Valkey from the wheel and processes that never outlive the test."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis
from sqlalchemy import Engine

import workflow.models  # noqa: F401  (declares every table)
from workers import embedded
from workers.queue import connect
from workflow.db import Base, open_engine
from workflow.settings import Settings, get_settings

Spawn = Callable[..., subprocess.Popen[bytes]]


def eventually(holds: Callable[[], object], within: float = 10.0, what: str = "") -> object:
    """Wait until that holds, and return what it gave; fails after `within` seconds."""
    until = time.monotonic() + within
    while not (result := holds()):
        assert time.monotonic() < until, what or f"not within {within} s"
        time.sleep(0.05)
    return result


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The embedded platform in a data directory of its own."""
    for name in ("DATABASE_URL", "REDIS_URL", "CLOCK", "SECRET_KEY", "DATA_KEY"):
        monkeypatch.delenv(f"SANDENG_{name}", raising=False)
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SANDENG_ENV", "test")
    return get_settings()


@pytest.fixture
def city(settings: Settings) -> Iterator[Engine]:
    """The platform's empty database."""
    engine = open_engine(settings.database_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a process that is ended with the test, and all that it started."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **more: object) -> subprocess.Popen[bytes]:
        environment = os.environ | {str(k): str(v) for k, v in more.pop("environment", {}).items()}  # type: ignore[attr-defined]
        process = subprocess.Popen(arguments, env=environment, **more)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield start
    for process in started:
        end_tree(process)


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with everything below it."""
    tree: list[psutil.Process] = []
    if process.poll() is None:
        root = psutil.Process(process.pid)
        tree = [*root.children(recursive=True), root]
    for member in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait(10)


@pytest.fixture
def part(spawn: Spawn) -> Callable[..., subprocess.Popen[bytes]]:
    """Start `python -m workers PART …`."""
    return lambda *arguments, **more: spawn(sys.executable, "-m", "workers", *arguments, **more)


@pytest.fixture
def valkey(settings: Settings, spawn: Spawn) -> Iterator[Redis]:
    """The embedded Valkey of this data directory."""
    spawn(*embedded.command(settings), stdout=subprocess.DEVNULL)
    connection = connect(settings)
    eventually(lambda: _answers(connection), what="Valkey did not start")
    yield connection
    connection.close()


def _answers(connection: Redis) -> bool:
    from redis.exceptions import RedisError

    try:
        return bool(connection.ping())
    except RedisError:
        return False
