"""The places that one platform has for itself: its data directory and its port. Asked for before anything is written there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from workflow.errors import Conflict

LEAVE_WITHIN = 3  # seconds for the parts of a killed predecessor
LOOK_EVERY = 0.2  # seconds


class DataDirInUse(Conflict):
    """数据目录正由另一个三灯进程使用。"""


class PortTaken(Conflict):
    """端口已被占用。"""


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the data directory for this process alone; the kernel lets go of it with the process. Raises DataDirInUse."""
    with open(folder / "sandeng.lock", "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            raise DataDirInUse(
                f"数据目录 {folder} 正由另一个三灯进程（进程号 {holder}）使用；请先停止它，"
                "或用 SANDENG_DATA_DIR 指定另一个目录"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def prove_free(host: str, port: int) -> None:
    """Raises PortTaken; a predecessor that was killed gets a moment to leave."""
    until = time.monotonic() + LEAVE_WITHIN
    while problem := _bind_problem(host, port):
        if time.monotonic() > until:
            raise PortTaken(f"端口 {port} 不能使用（{problem}），请用 PORT=… 换一个")
        time.sleep(LOOK_EVERY)


def _bind_problem(host: str, port: int) -> str | None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
