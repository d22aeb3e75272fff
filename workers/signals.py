"""How a part of the platform ends: when it is asked to, and when the process that started it is gone. No part outlives its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from types import FrameType

PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Stop:
    """Set by SIGTERM, SIGINT or SIGHUP; a loop waits on it instead of sleeping."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()

    def asked(self) -> bool:
        """Whether to leave the loop."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait that long, or less when asked to stop; whether to leave the loop."""
        return self._asked.wait(seconds)


def end_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """In a fresh child: have the kernel send that signal when the parent dies, even by kill -9. `parent` is its process id."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
