"""`sandeng up`: every part of the platform under one roof. Starts them in order, restarts what crashes, stops all, leaves no orphan."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

from workers import embedded
from workers.queue import reachable
from workers.signals import Stop, end_with_parent
from workflow.errors import BadInput, SandengError
from workflow.operations.places import LEAVE_WITHIN, only_one, prove_free
from workflow.settings import Settings, get_settings

BACKOFF = (0.5, 1, 2, 4, 8, 15, 30)  # seconds before the first, second … restart
STEADY = 60  # seconds of life after which a crash counts as the first again
READY_WITHIN = 90  # seconds
LOOK_EVERY = 0.2  # seconds


@dataclass
class Part:
    """One child process: how it is started, how long it may take to stop, and how it has fared."""

    name: str
    command: list[str]
    grace: float  # seconds between SIGTERM and SIGKILL
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    crashes: int = 0
    not_before: float = 0.0
    asked: bool = False  # to end
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start it in a session of its own, bound to this process's life."""
        parent = os.getpid()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | self.environment,
            preexec_fn=lambda: end_with_parent(parent),
        )
        self.started = time.monotonic()

    def crashed(self) -> bool:
        """Whether it ended by itself; what it left running is ended too."""
        if self.process is None or self.process.poll() is None:
            return False
        say(f"{self.name} 意外退出（状态 {self.process.returncode}）")
        self._sweep()
        self.crashes = 1 if time.monotonic() - self.started > STEADY else self.crashes + 1
        self.not_before = time.monotonic() + BACKOFF[min(self.crashes, len(BACKOFF)) - 1]
        self.process = None
        return True

    def look(self) -> None:
        """Restart it when it has crashed and its back-off is over."""
        if not self.crashed() and self.process is None and time.monotonic() >= self.not_before:
            self.start()

    def ask(self) -> None:
        """Ask it to end, once: a worker takes a second request as the order to drop what it is at."""
        if self.process is not None and self.process.poll() is None and not self.asked:
            self.process.send_signal(signal.SIGTERM)
            self.asked = True

    def stop(self) -> None:
        """Ask it to end, insist after its grace, and leave nothing of it."""
        if self.process is None:
            return
        self.ask()
        if self.process.poll() is None:
            try:
                self.process.wait(self.grace)
            except subprocess.TimeoutExpired:
                say(f"{self.name} 未能及时停止，强制结束")
        self._sweep()
        self.process.wait()
        self.process = None

    def _sweep(self) -> None:
        """Kill what is left in its process group."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def run_all(host: str = "127.0.0.1", port: int = 8000) -> None:
    """Everything in the foreground until SIGTERM, SIGINT or SIGHUP. Raises DataDirInUse, PortTaken."""
    settings = get_settings()
    stop = Stop()
    with only_one(settings.folder()):
        prove_free(host, port)
        parts = parts_of(settings, host, port)
        try:
            _start(parts, settings, stop)
            _watch(parts, stop, _announcer(host, port))
        finally:
            for part in parts[1 if settings.embedded_queue else 0 :]:  # together; the queue goes last
                part.ask()
            for part in reversed(parts):
                part.stop()
            say("已全部停止")


def parts_of(settings: Settings, host: str, port: int) -> list[Part]:
    """The parts in the order of starting; they stop in reverse."""
    me = [sys.executable, "-m", "workers"]
    parts = [Part("后台任务", [*me, "worker"], grace=10) for _ in range(settings.workers)]
    parts.append(Part("时钟", [*me, "clock"], grace=10))
    parts.append(Part("网页", [*me, "web", "--host", host, "--port", str(port)], grace=12))
    if settings.embedded_queue:
        parts.insert(0, Part("Valkey", embedded.command(settings), grace=10))
    return parts


def say(text: str) -> None:
    """A line for whoever watches, on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _start(parts: list[Part], settings: Settings, stop: Stop) -> None:
    """Start the parts; the others wait until the embedded queue answers."""
    waiting = parts[1:] if settings.embedded_queue else parts
    if settings.embedded_queue:
        _await_predecessor(settings)
        parts[0].start()
        _await_queue(parts[0], settings, stop)
    for part in waiting:
        part.start()


def _await_predecessor(settings: Settings) -> None:
    """The Valkey of a killed predecessor takes its socket along when it leaves: let it leave first."""
    until = time.monotonic() + LEAVE_WITHIN
    while reachable(settings) and time.monotonic() < until:
        time.sleep(LOOK_EVERY)


def _await_queue(part: Part, settings: Settings, stop: Stop) -> None:
    until = time.monotonic() + 20
    while not reachable(settings) and not stop.wait(0.05):
        if part.process is not None and part.process.poll() is not None:
            raise SandengError(f"内置 Valkey 未能启动（状态 {part.process.returncode}），请查看上面的输出")
        if time.monotonic() > until:
            raise BadInput("内置 Valkey 在 20 秒内没有应答")


def _watch(parts: list[Part], stop: Stop, announce: Callable[[], None]) -> None:
    while not stop.wait(LOOK_EVERY):
        for part in parts:
            part.look()
        announce()


def _announcer(host: str, port: int) -> Callable[[], None]:
    """A function that says `ready` once, as soon as /readyz agrees, and warns when that takes too long."""
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    began, said, warned = time.monotonic(), False, False

    def announce() -> None:
        nonlocal said, warned
        if said:
            return
        if _ready(address):
            print(f"ready {address}", flush=True)  # noqa: T201
            said = True
        elif not warned and time.monotonic() - began > READY_WITHIN:
            say(f"{READY_WITHIN} 秒内尚未就绪，详见 {address}/readyz")
            warned = True

    return announce


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
