"""The product as it is served, and browsers before it: the web part as its own process, sessions that signed in, their cookies and tokens."""

from __future__ import annotations

import http.client
import os
import re
import socket
import statistics
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path

from sqlalchemy import Engine

from workers.server import command
from workflow.access.demonstration import PASSWORD

TOKEN = re.compile(rb'name="csrf-token" content="([^"]+)"')
FIELD = re.compile(rb'name="csrf_token"[^>]*value="([^"]+)"')
PAUSE = 1.0  # seconds between an answer and the next page


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Environment variables for the length of a block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def count_anew(engine: Engine) -> None:
    """Fresh statistics, as the server's autovacuum gives them a minute after so many rows came in; a server for tests may have it off."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")


@dataclass(frozen=True)
class Served:
    """A web part that runs: its address and its master process."""

    address: tuple[str, int]
    pid: int

    @property
    def worked(self) -> float:
        """Seconds of processor time of its web processes so far."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        fields = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
        return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served() -> Iterator[Served]:
    """The web part on a free port of loopback, by the settings of the environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(command("127.0.0.1", port), env=os.environ.copy())
    try:
        _await(port)
        yield Served(("127.0.0.1", port), process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _await(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).read()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the web server did not come up")


class Browser:
    """One person: a connection that is kept, cookies, the token of the last page."""

    def __init__(self, address: tuple[str, int], account: str) -> None:
        self.connection = http.client.HTTPConnection(*address, timeout=60)
        self.cookies: dict[str, str] = {}
        self.account, self.token = account, ""
        form = FIELD.search(self.get("/sign-in"))
        assert form, "no form on the sign-in page"
        self.token = form[1].decode()
        assert self.post("/sign-in", account=account, password=PASSWORD) == 302, account
        page = TOKEN.search(self.get("/notices"))
        assert page, f"{account} is not signed in"
        self.token = page[1].decode()

    def get(self, path: str) -> bytes:
        """A whole page."""
        status, body = self._ask("GET", urllib.parse.quote(path, safe="/?&=%"))
        assert status == 200, (path, status)
        return body

    def post(self, path: str, **fields: str) -> int:
        """Send a form with the session's token; the answer's status."""
        return self._ask("POST", path, urllib.parse.urlencode({"csrf_token": self.token, **fields}))[0]

    def _ask(self, method: str, path: str, form: str | None = None) -> tuple[int, bytes]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self.connection.request(method, path, form, headers)
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):  # kept too long: once more
            self.connection.close()
            self.connection.request(method, path, form, headers)
            answer = self.connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return answer.status, answer.read()


def visit(browsers: Sequence[Browser], pages: Sequence[str], seconds: float) -> dict[str, list[float]]:
    """All browsers at once, each at a page of its own in the round, the next page a pause after the last; milliseconds by page."""
    times: dict[str, list[float]] = {page: [] for page in pages}
    for page in pages:
        browsers[-1].get(page)  # each page once, unmeasured: templates are compiled, figures remembered
    until = time.monotonic() + seconds

    def browse(browser: Browser, start: int) -> None:
        time.sleep(PAUSE * start / len(browsers))
        for n in range(start, start + 10_000):
            if time.monotonic() >= until:
                return
            page = pages[n % len(pages)]
            begun = time.perf_counter()
            assert b"</html>" in browser.get(page), page
            times[page].append((time.perf_counter() - begun) * 1000)
            time.sleep(PAUSE)

    at_once([lambda n=n, one=one: browse(one, n) for n, one in enumerate(browsers)])  # type: ignore[misc]
    return times


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Each work in a thread of its own; raises what the first of them raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        for begun in [pool.submit(work) for work in works]:
            begun.result()


def p95(taken: Sequence[float]) -> float:
    """The value that 95 of 100 keep."""
    return statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]
