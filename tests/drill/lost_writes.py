"""A database is deleted under load and restored: how many acknowledged writes are gone. `python -m tests.drill.lost_writes [N]`.

SQLite loses at most a second of them, PostgreSQL with its log received synchronously none.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

WRITES = 10_000
receiving = True  # whether the server's log is received elsewhere; a drill's sabotage turns it off
COPIER = """
import workers.copier, workflow.models
from workers.signals import Stop
from workflow.db import open_engine
from workflow.settings import get_settings
workers.copier.follow(open_engine(get_settings().database_url), Stop())
"""
WRITER = """
import sys, time
from sqlalchemy import text
import workflow.models
from workflow.db import open_engine, writing
from workflow.settings import get_settings
engine = open_engine(get_settings().database_url)
put = text("INSERT INTO consumed (key, topic, at) VALUES (:key, 'drill', :at)")
with open(sys.argv[1], "w", buffering=1) as acknowledged:
    for n in range(int(sys.argv[2])):
        with writing(engine) as session:
            session.execute(put, {"key": f"w{n:06d}", "at": "2026-03-02 01:00:00"})
        acknowledged.write(f"{n} {time.time()}\\n")
    time.sleep(60)
"""


@dataclass
class Loss:
    """What was acknowledged, what came back, and how many seconds of writes are gone."""

    acknowledged: int
    restored: int
    lost: int
    seconds: float
    said: str


def sqlite_loses_at_most_a_second(writes: int = WRITES) -> Loss:
    """Write under a copier, kill everything, delete the database, restore."""
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        top = Path(folder)
        environment = _environment(top, "")
        _sandeng(environment, "db", "upgrade")
        with _process([sys.executable, "-c", COPIER], environment), _writing(top, environment, writes) as acknowledged:
            _until(lambda: list((top / "var/backups").glob("2*/manifest.json")), "no copy")
            _until(lambda: len(_acks(acknowledged)) >= writes, "the writer is too slow", 600)
        acks = _acks(acknowledged)
        for path in (top / "var").glob("sandeng.db*"):
            path.unlink()
        told = json.loads(_sandeng(environment, "backup", "restore", "--into", str(top / "r"), "--json"))
        import sqlite3

        with contextlib.closing(sqlite3.connect(top / "r/sandeng.db")) as connection:
            keys = {row[0] for row in connection.execute("SELECT key FROM consumed WHERE topic = 'drill'")}
        return _loss(acks, keys, told["lost"])


def postgresql_loses_nothing(writes: int = WRITES) -> Loss:
    """The same on a server of its own whose log is received synchronously."""
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        top = Path(folder)
        os.chmod(top, 0o755)
        with server(top) as url:
            environment = _environment(top, url)
            _sandeng(environment, "db", "upgrade")
            made = json.loads(_sandeng(environment, "backup", "full", "--json"))
            with _writing(top, environment, writes) as acknowledged:
                _until(lambda: len(_acks(acknowledged)) >= writes // 2, "the writer is too slow", 600)
                _sandeng(environment, "backup", "incremental")
                _until(lambda: len(_acks(acknowledged)) >= writes, "the writer is too slow", 600)
            acks = _acks(acknowledged)
            assert made["kind"] == "full"
            verified = json.loads(_sandeng(environment, "backup", "verify", "--json"))
            assert verified["ok"], verified["problems"]
            assert verified["rows"] > 0
        shutil.rmtree(top / "pg")
        told = json.loads(_sandeng(environment, "backup", "restore", "--into", str(top / "r"), "--json"))
        from workflow.backup.serving import recovered

        with recovered(top / "r", "postgres", "postgres") as connection:
            keys = {row[0] for row in connection.execute("SELECT key FROM consumed WHERE topic = 'drill'")}
        return _loss(acks, keys, told["lost"])


@contextlib.contextmanager
def server(top: Path) -> Iterator[str]:
    """A PostgreSQL server with a synchronous receiver of its log; killed at the end, as by a power cut."""
    from workflow.backup.tools import as_server, tool

    data, wal, port = top / "pg", top / "var/wal", _free_port()
    wal.mkdir(parents=True)
    for path in (top / "var", wal):
        path.chmod(0o777)
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
    subprocess.run(
        as_server([tool("initdb"), "-D", str(data), "-A", "trust", "-U", "postgres"]),
        check=True,
        cwd=top,
        stdout=subprocess.DEVNULL,
    )
    started = [
        tool("postgres"),
        "-D",
        str(data),
        "-p",
        str(port),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        f"unix_socket_directories={data}",
    ]
    where = f"host=127.0.0.1 port={port} user=postgres"
    with (
        (top / "pg.log").open("wb") as words,
        _process(as_server(started), dict(os.environ), cwd=top, words=words, kill=signal.SIGQUIT),
    ):
        _until(lambda: _answers(where), (top / "pg.log").read_text)
        receive = [
            tool("pg_receivewal"),
            "-d",
            f"{where} application_name=sandeng",
            "-D",
            str(wal),
            "-S",
            "sandeng",
            "--synchronous",
        ]
        subprocess.run([*receive[:5], "-S", "sandeng", "--create-slot"], check=True)
        if not receiving:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
            return
        with _process(receive, dict(os.environ), cwd=top):
            with psycopg.connect(f"{where} dbname=postgres", autocommit=True) as connection:
                _until(
                    lambda: connection.execute("SELECT count(*) FROM pg_stat_replication").fetchone() == (1,),
                    "no receiver",
                )
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'sandeng'")
                connection.execute("SELECT pg_reload_conf()")
                _until(
                    lambda: connection.execute("SELECT sync_state FROM pg_stat_replication").fetchone() == ("sync",),
                    "not synchronous",
                )
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


def _loss(acks: list[tuple[int, float]], keys: set[str], said: str) -> Loss:
    gone = [(n, at) for n, at in acks if f"w{n:06d}" not in keys]
    assert [n for n, _ in gone] == list(range(len(acks) - len(gone), len(acks))), "something in the middle is gone"
    kept = [at for n, at in acks if f"w{n:06d}" in keys]
    seconds = acks[-1][1] - max(kept) if gone and kept else 0.0
    return Loss(len(acks), len(acks) - len(gone), len(gone), round(seconds, 3), said)


def _environment(top: Path, url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SANDENG_")}
    return kept | {"SANDENG_DATA_DIR": str(top / "var"), "SANDENG_DATABASE_URL": url, "SANDENG_ENV": "test"}


def _sandeng(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "web.cli", *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def _writing(top: Path, environment: dict[str, str], writes: int) -> Iterator[Path]:
    acknowledged = top / "acknowledged"
    acknowledged.touch()
    with _process([sys.executable, "-c", WRITER, str(acknowledged), str(writes)], environment):
        yield acknowledged


@contextlib.contextmanager
def _process(
    command: list[str],
    environment: dict[str, str],
    *,
    cwd: Path | None = None,
    words: object = None,
    kill: int = signal.SIGKILL,
) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, cwd=cwd, stdout=words, stderr=words)  # type: ignore[call-overload]
    try:
        yield
    finally:
        process.send_signal(kill)
        process.wait(30)


def _acks(path: Path) -> list[tuple[int, float]]:
    lines = [line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [(int(n), float(at)) for n, at in lines]


def _until(holds: object, what: object, within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until, what() if callable(what) else what
        time.sleep(0.01)


def _answers(where: str) -> bool:
    try:
        psycopg.connect(f"{where} dbname=postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Both drills, a line each."""
    writes = int(sys.argv[1]) if len(sys.argv) > 1 else WRITES
    for drill in (sqlite_loses_at_most_a_second, postgresql_loses_nothing):
        began = datetime.now(UTC)
        loss = drill(writes)
        print(f"{drill.__name__}: {loss} ({(datetime.now(UTC) - began).total_seconds():.0f} s)")


if __name__ == "__main__":
    main()
