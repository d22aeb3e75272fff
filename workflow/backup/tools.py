"""PostgreSQL's own tools on this machine: where they are, how they reach the server, as whom they may run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sqlalchemy import make_url

from workflow.errors import BadInput


def tool(name: str) -> str:
    """The path of one of PostgreSQL's tools, of the newest release on this machine. Raises BadInput."""
    found = shutil.which(name) or next(
        iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if found is None:
        raise BadInput(f"本机没有 {name}：请安装与服务器同版本的 PostgreSQL 工具，或按 deploy/ 使用 pgBackRest")
    return str(found)


def conninfo(url: str) -> tuple[str, dict[str, str]]:
    """A libpq connection string without the password, and the environment that carries it."""
    parts = make_url(url)
    named = {"host": parts.host, "port": parts.port, "user": parts.username, "dbname": "replication", **parts.query}
    text = " ".join(f"{name}='{value}'" for name, value in named.items() if value)
    return text, ({"PGPASSWORD": parts.password} if parts.password else {})


def as_server(command: list[str]) -> list[str]:
    """A command as a user that PostgreSQL will run under: it refuses root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
