"""A PostgreSQL server on a restored folder, for the length of a block: reached through a socket only, under no other's port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workflow.backup.tools import as_server, tool
from workflow.errors import SandengError

if TYPE_CHECKING:
    import psycopg

RECOVERED_WITHIN = 600.0  # seconds


@contextlib.contextmanager
def recovered(data: Path, database: str, user: str) -> Iterator[psycopg.Connection]:
    """Start a server on the folder, wait until it has recovered, give a connection, stop it. Raises SandengError with its last words."""
    with tempfile.TemporaryDirectory(prefix="sandeng-pg-") as socket:
        hba = Path(socket) / "hba.conf"
        hba.write_text("local all all trust\n")
        (data / "postgresql.conf").touch()
        owned_by_server(Path(socket))
        owned_by_server(data)
        said = data / "recovery.log"
        command = [tool("postgres"), "-D", str(data), "-c", f"hba_file={hba}", "-c", "listen_addresses=",
                   "-c", f"unix_socket_directories={socket}", "-c", "port=5432", "-c", "fsync=off", "-c", "wal_level=replica"]  # fmt: skip
        with said.open("wb") as words:
            server = subprocess.Popen(as_server(command), stdout=words, stderr=words, cwd=socket)
        try:
            connection = _await(server, f"host={socket} dbname={database} user={user}", said)
            with contextlib.closing(connection):
                yield connection
        finally:
            _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """A fast shutdown, which waits for no client; what still runs after a minute is killed: its data are a copy."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(60)


def count_rows(connection: psycopg.Connection) -> int:
    """Rows of every table of the public schema."""
    from psycopg import sql

    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    total = 0
    for (name,) in tables:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
        total += (connection.execute(query).fetchone() or (0,))[0]
    return total


def owned_by_server(folder: Path) -> None:
    """Give a folder to the server's user, where this process is root."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "postgres", "postgres")


def _await(server: subprocess.Popen[bytes], where: str, said: Path) -> psycopg.Connection:
    import psycopg  # a process on the embedded database starts without it

    until = time.monotonic() + RECOVERED_WITHIN
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            connection = psycopg.connect(where, autocommit=True, connect_timeout=5)
            if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                return connection
            connection.close()
        time.sleep(0.1)
    raise SandengError(f"恢复出的数据库未能启动：{said.read_text(errors='replace')[-300:]}")
