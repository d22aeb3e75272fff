"""Lists by cursor: filters stand in the URL, the cursor names the last row's sort value and id. No offsets, no counting twice."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from flask import request

from workflow.errors import BadInput

PAGE = 50


@dataclass(frozen=True)
class Page:
    """One page of a list: its rows, the cursor of the next page, and the size of the whole where it is known."""

    rows: list[Any]
    next: str | None = None
    total: int | None = None


def encode(*values: Any) -> str:
    """A cursor for the URL."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def decode(cursor: str | None) -> list[Any] | None:
    """The values of a cursor. Raises BadInput for one that this platform did not make."""
    if not cursor:
        return None
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise BadInput("翻页标记无效，请回到第一页") from None
    if not isinstance(values, list) or not values:
        raise BadInput("翻页标记无效，请回到第一页")
    return values


def argument(name: str, allowed: Any = None, limit: int = 60) -> str:
    """A query parameter, trimmed; empty where it is missing or not among the allowed values."""
    value = request.args.get(name, "").strip()[:limit]
    return value if allowed is None or value in allowed else ""


def day_argument(name: str) -> date | None:
    """A query parameter that is a date; None where missing. Raises BadInput."""
    value = argument(name)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise BadInput(f"日期“{value}”不是 YYYY-MM-DD 格式") from None


def number_argument(name: str) -> int | None:
    """A query parameter that is a whole number; None where missing. Raises BadInput."""
    value = argument(name)
    if value and (not value.isascii() or not value.isdigit() or len(value) > 15):
        raise BadInput(f"“{value}”不是编号")
    return int(value) if value else None
