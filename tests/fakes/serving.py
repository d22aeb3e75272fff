"""A small HTTP server on a free port of loopback, one thread a request."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """One request: method, path, raw pairs as they came (query for GET, form for POST), headers."""

    method: str
    path: str
    pairs: list[tuple[str, str]]
    headers: Any

    def value(self, name: str) -> str:
        """The one value of a parameter, empty where it is missing."""
        return dict(self.pairs).get(name, "")


class Told(NamedTuple):
    """One answer."""

    status: int
    body: Any = ""
    headers: tuple[tuple[str, str], ...] = ()


class Fake(ABC):
    """A server whose `answer` says what it does; `down` makes it fall silent."""

    base = ""
    down = False

    @abstractmethod
    def answer(self, asked: Asked) -> Told:
        """What is answered."""


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """Serve meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if fake.down:
                self.connection.close()
                return
            if parts.path == "/favicon.ico":  # what browsers ask for by themselves
                self.send_response(204)
                self.end_headers()
                return
            pairs = parse_qsl(parts.query if self.command == "GET" else body, keep_blank_values=True)
            told = fake.answer(Asked(self.command, parts.path, pairs, self.headers))
            text = told.body if isinstance(told.body, str) else json.dumps(told.body, ensure_ascii=False)
            self.send_response(told.status)
            for name, value in told.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _any

        def log_message(self, *_arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
