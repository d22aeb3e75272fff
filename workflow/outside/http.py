"""One HTTP call to another platform: a short wait, no redirects, no proxy, a bounded answer. What cannot be reached raises Unreachable."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from workflow.errors import SandengError

TIMEOUT = 5.0  # seconds
LARGEST = 1024 * 1024  # bytes of an answer


class Unreachable(SandengError):
    """对方系统暂时不能连接，请稍后再试。"""


class Answer(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The JSON that was sent. Raises Unreachable where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Unreachable("对方系统的应答无法识别") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))


def call(method: str, address: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask once. Statuses of 4xx and below are answers; raises Unreachable for 5xx, no answer, or one that is too long."""
    asked = urllib.request.Request(address, body, dict(headers or {}), method=method)
    try:
        with _opener.open(asked, timeout=TIMEOUT) as answer:
            found = Answer(answer.status, answer.read(LARGEST + 1))
    except urllib.error.HTTPError as error:
        with error:
            found = Answer(error.code, error.read(LARGEST + 1))
    except (OSError, http.client.HTTPException, ValueError):
        raise Unreachable from None
    if found.status >= 500 or len(found.body) > LARGEST:
        raise Unreachable
    return found
