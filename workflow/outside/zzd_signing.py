"""The signature of every call to 浙政钉: method, time, nonce, path and raw parameters under the application's secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from workflow.clock import SHANGHAI

Parameters = Mapping[str, "str | Sequence[str] | None"]


def pairs(parameters: Parameters) -> list[tuple[str, str]]:
    """What is sent and signed: keys in order whatever their case, lists as repeated keys in order, nothing empty or blank."""
    found = []
    for key in sorted(parameters, key=str.lower):
        value = parameters[key]
        values = [value] if isinstance(value, str) else sorted(value or ())
        found += [(key, one) for one in values if one.strip()]
    return found


def text_to_sign(method: str, timestamp: str, nonce: str, path: str, parameters: Parameters) -> str:
    """The lines that are signed; the values stand raw, not URL-encoded."""
    told = "&".join(f"{key}={value}" for key, value in pairs(parameters))
    return "\n".join([method, timestamp, nonce, path, *([told] if told else [])])


def signature(secret: str, text: str) -> str:
    """Base64 of HMAC-SHA-256."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def timestamp(moment: datetime) -> str:
    """2025-01-02T03:04:05.678+08:00"""
    return moment.astimezone(SHANGHAI).isoformat(timespec="milliseconds")


def nonce() -> str:
    """Thirteen digits of milliseconds and four of chance."""
    return f"{int(time.time() * 1000)}{secrets.randbelow(10000):04d}"
