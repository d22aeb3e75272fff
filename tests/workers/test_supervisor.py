"""`sandeng up`: all parts start, crashed ones come back, every way of stopping leaves no process, a second start keeps the data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, inspect

from tests.workers.conftest import Spawn, end_tree, eventually
from workers.supervisor import Part
from workflow import migrations
from workflow.clock import present
from workflow.db import open_engine, reading, writing
from workflow.operations.heartbeats import ages, beat
from workflow.operations.places import DataDirInUse, only_one
from workflow.settings import Settings

Start = Callable[..., subprocess.Popen[bytes]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def belonging_to(data_dir: Path) -> dict[str, list[psutil.Process]]:
    """Every living process of a data directory, by part; found by environment or command line, whoever its parent is."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            ours = str(data_dir) in command or process.environ().get("SANDENG_DATA_DIR") == str(data_dir)
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                parts = ("valkey", "gunicorn", "worker", "clock", "up")
                name = next((part for part in parts if part in command.replace("-m workers", "")), command)
                found.setdefault(name, []).append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def migrated(settings: Settings) -> Iterator[Engine]:
    """The platform's empty database, made by its migrations."""
    engine = open_engine(settings.database_url)
    migrations.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def up(settings: Settings, migrated: Engine, spawn: Spawn) -> Iterator[Start]:
    """Start the whole platform on a free port and wait until it says that it is ready."""

    def start(port: int | None = None, *, ready: bool = True) -> subprocess.Popen[bytes]:
        environment = {"SANDENG_WEB_WORKERS": "1"}
        command = (sys.executable, "-m", "workers", "up", "--port", str(port or free_port()))
        process = spawn(*command, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if ready:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"ready http://127.0.0.1:")
        return process

    yield start
    for members in belonging_to(settings.data_dir).values():
        for left_over in members:
            left_over.kill()


def gone(settings: Settings) -> Callable[[], bool]:
    return lambda: not belonging_to(settings.data_dir)


@pytest.mark.slow
def test_a_signal_stops_every_part_and_a_second_start_keeps_the_data(
    up: Start, settings: Settings, migrated: Engine
) -> None:
    first = up()
    assert set(belonging_to(settings.data_dir)) == {"up", "valkey", "gunicorn", "worker", "clock"}
    with writing(migrated) as session:
        beat(session, "kept", present(), "here")
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    assert gone(settings)(), belonging_to(settings.data_dir)

    second = up()
    with reading(migrated) as session:
        assert "kept" in ages(session, present())
    second.send_signal(signal.SIGINT)
    assert second.wait(20) == 0
    assert gone(settings)(), belonging_to(settings.data_dir)


@pytest.mark.slow
def test_no_part_outlives_a_killed_supervisor(up: Start, settings: Settings) -> None:
    process = up()
    process.send_signal(signal.SIGKILL)
    eventually(gone(settings), within=15, what=f"orphans: {belonging_to(settings.data_dir)}")


@pytest.mark.slow
def test_each_part_that_is_killed_comes_back(up: Start, settings: Settings) -> None:
    up()
    for name in ("clock", "worker", "gunicorn", "valkey"):
        killed = min(belonging_to(settings.data_dir)[name], key=lambda process: process.create_time())
        killed.kill()
        eventually(
            lambda name=name, old=killed.pid: any(
                process.pid != old for process in belonging_to(settings.data_dir).get(name, [])
            ),
            within=10,
            what=f"{name} did not come back",
        )


COUNTING = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: open(sys.argv[1], "a").write("asked\\n"))
open(sys.argv[1], "w").close()
time.sleep(60)
"""


def test_a_part_is_asked_once_to_end_and_then_made_to(tmp_path: Path) -> None:
    told = tmp_path / "told"
    part = Part("x", [sys.executable, "-c", COUNTING, str(told)], grace=0.5)
    part.start()
    process = part.process
    assert process is not None
    eventually(told.exists)
    part.ask()
    eventually(lambda: told.read_text() == "asked\n")
    part.stop()
    assert told.read_text() == "asked\n"
    assert process.returncode == -signal.SIGKILL


def test_a_data_directory_belongs_to_one_platform_at_a_time(settings: Settings, up: Start) -> None:
    with only_one(settings.folder()):
        with pytest.raises(DataDirInUse, match=str(os.getpid())), only_one(settings.folder()):
            pass
        other = up(ready=False)
        assert other.stderr is not None
        assert "另一个三灯进程" in other.stderr.read().decode()
        assert other.wait(10) == 2


def test_a_first_start_on_a_taken_port_is_refused_before_anything_is_written(settings: Settings, spawn: Spawn) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = (sys.executable, "-m", "web.cli", "up", "--port", str(port))
        process = spawn(*command, environment={"SANDENG_ENV": "demo"}, stderr=subprocess.PIPE)
        assert process.stderr is not None
        assert f"端口 {port} 不能使用" in process.stderr.read().decode()
        assert process.wait(10) == 2
    with only_one(settings.folder()):
        other = spawn(*command, environment={"SANDENG_ENV": "demo"}, stderr=subprocess.PIPE)
        assert other.stderr is not None
        assert "另一个三灯进程" in other.stderr.read().decode()
        assert other.wait(10) == 2
    engine = open_engine(settings.database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_taken_port_is_named_in_one_sentence(settings: Settings, up: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = up(port, ready=False)
        assert process.stderr is not None
        assert f"端口 {port} 不能使用" in process.stderr.read().decode()
        assert process.wait(10) == 2
    end_tree(process)
