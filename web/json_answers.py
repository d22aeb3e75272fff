"""JSON as CONTRACT has it: moments ISO 8601 with offset, dates YYYY-MM-DD, text as it is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import orjson
from flask.json.provider import JSONProvider
from sqlalchemy import Row

from workflow.clock import SHANGHAI

OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME


class Answers(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **_more: Any) -> str:
        """The object as JSON text."""
        return orjson.dumps(obj, default=_plain, option=OPTIONS).decode()

    def loads(self, s: str | bytes, **_more: Any) -> Any:
        """The object of JSON text. Raises ValueError."""
        return orjson.loads(s)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Row):
        return dict(value._mapping)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if hasattr(value, "as_json"):
        return value.as_json()
    raise TypeError(type(value).__name__)
