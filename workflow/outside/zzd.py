"""Calls to 浙政钉: signed, in its envelope, with an application token that is kept until shortly before it runs out."""

from __future__ import annotations

import functools
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import yaml

from workflow.errors import SandengError
from workflow.outside.http import Unreachable, call
from workflow.outside.zzd_signing import Parameters, nonce, pairs, signature, text_to_sign, timestamp

WIRE = Path(__file__).parents[2] / "definitions" / "providers" / "zzd.yaml"


class ZzdRefused(SandengError):
    """浙政钉没有接受本次请求。"""

    def __init__(self, code: str, says: str = "") -> None:
        self.code = code
        super().__init__(f"浙政钉没有接受本次请求（{code}）{says}".strip(), code=code)


@functools.cache
def agreed() -> dict[str, Any]:
    """The wire details of definitions/providers/zzd.yaml."""
    return dict(yaml.safe_load(WIRE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Application:
    """One application's credentials and where its calls go."""

    key: str
    secret: str
    api: str  # scheme and host


class Zzd:
    """The calls of one application."""

    def __init__(self, application: Application, clock: Callable[[], datetime]) -> None:
        """`clock`: the moment by the clock on the wall, whatever the platform's drills say: 浙政钉 compares it with its own."""
        self._application, self._clock = application, clock
        self._lock = threading.Lock()  # one refresh at a time
        self._token, self._until = "", 0.0

    def person_of(self, code: str) -> dict[str, Any]:
        """What 浙政钉 tells of the person who scanned. Raises ZzdRefused, Unreachable. A code is good once."""
        wire = agreed()["person"]
        for attempt in (1, 2):
            token = self.token(afresh=attempt == 2)
            try:
                found = self.asked(wire["method"], wire["path"], {wire["token"]: token, wire["code"]: code})
                break
            except ZzdRefused as refused:
                if attempt == 2 or refused.code not in agreed()["errors"]["token_gone"]:
                    raise
        if not isinstance(found, dict):
            raise Unreachable("浙政钉的应答中没有人员信息")
        return found

    def token(self, *, afresh: bool = False) -> str:
        """The application token, from memory while it lasts."""
        wire = agreed()["token"]
        with self._lock:
            if self._token and not afresh and time.monotonic() < self._until:
                return self._token
            given = {wire["key"]: self._application.key, wire["secret"]: self._application.secret}
            found = self.asked(wire["method"], wire["path"], given)
            if not isinstance(found, dict) or not found.get(wire["value"]):
                raise Unreachable("浙政钉没有给出应用令牌")
            self._token = str(found[wire["value"]])
            self._until = time.monotonic() + max(0, int(found.get(wire["lifetime"]) or 0) - wire["early"])
            return self._token

    def asked(self, method: str, path: str, parameters: Parameters) -> Any:
        """The `data` of one signed call. Raises ZzdRefused for what 浙政钉 does not accept, Unreachable."""
        names, sent = agreed()["headers"], urlencode(pairs(parameters))
        at, once = timestamp(self._clock()), nonce()
        signed = signature(self._application.secret, text_to_sign(method, at, once, path, parameters))
        values = {
            "key": self._application.key, "timestamp": at, "version": "1.0", "nonce": once, "signature": signed,
            "address": _own_address(), "hardware": _own_hardware(),
        }  # fmt: skip
        headers = {names[name]: value for name, value in values.items()}
        address = f"{self._application.api}{path}"
        if method == "GET":
            return data_of(call("GET", f"{address}?{sent}" if sent else address, headers=headers).json())
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        return data_of(call(method, address, body=sent.encode(), headers=headers).json())


def data_of(answer: Any) -> Any:
    """The `data` in an envelope; a content that is text holds the envelope once more. Raises ZzdRefused, Unreachable."""
    level = answer
    for _ in range(3):
        if not isinstance(level, dict):
            break
        content = level.get("content")
        if isinstance(content, str):
            try:
                content = orjson.loads(content)
            except orjson.JSONDecodeError:
                break
            if isinstance(content, dict) and "success" in content and "content" in content:
                level = content
                continue
        inner = content if isinstance(content, dict) else {}
        code = str(inner.get("responseCode") or level.get("errorCode") or level.get("Code") or "0")
        if level.get("success") is not True or inner.get("success") is False or code != "0":
            raise ZzdRefused(code[:40], str(inner.get("responseMessage") or level.get("Message") or "")[:100])
        return inner.get("data")
    raise Unreachable("浙政钉的应答无法识别")


@functools.cache
def _own_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


@functools.cache
def _own_hardware() -> str:
    digits = f"{uuid.getnode():012X}"
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))
