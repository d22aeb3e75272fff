"""What every route of the API shares: who may send writes, JSON bodies, idempotency keys, cursors, the shape of rows."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, jsonify, request

from web.database import session
from web.identity import actor
from web.paging import encode
from workflow.access.models import IdempotentWrite
from workflow.errors import BadInput, Conflict, NotAllowed

PREFIX = "/api/v1"
View = TypeVar("View", bound=Callable[..., Any])


def api(name: str) -> Blueprint:
    """A blueprint of the API: writes are JSON, and a cookie alone is not enough for them from another site."""
    bp = Blueprint(f"api_{name}", __name__, url_prefix=PREFIX)
    bp.before_request(_prove_sender)
    return bp


def _prove_sender() -> None:
    """The API has no form token: a write by cookie must be JSON from this very site, which no foreign page can send unasked."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if request.content_length and not request.is_json:
        raise BadInput("请求内容须为 JSON（Content-Type: application/json）")
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise NotAllowed("不接受来自其他网站的写入请求")
    by_bearer = request.headers.get("Authorization", "").startswith("Bearer ")
    if not by_bearer and not request.is_json and request.cookies:
        raise BadInput("请求内容须为 JSON（Content-Type: application/json）")


def body() -> dict[str, Any]:
    """The JSON object that was sent; {} for an empty one. Raises BadInput."""
    if not request.content_length:
        return {}
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise BadInput("请求内容应为一个 JSON 对象")
    return sent


def text_of(sent: dict[str, Any], name: str, *, required: bool = False, most: int = 2000) -> str:
    """A text of the body. Raises BadInput naming it."""
    value = sent.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise BadInput(f"“{name}”应为不超过 {most} 字的文本", errors=[{"field": name}])
    if required and not value.strip():
        raise BadInput(f"缺少“{name}”", errors=[{"field": name}])
    return value.strip()


def number_of(sent: dict[str, Any], name: str) -> int:
    """A whole number of the body. Raises BadInput naming it."""
    value = sent.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"“{name}”应为整数", errors=[{"field": name}])
    return value


def listed(items: list[dict[str, Any]], after: list[Any] | None, **more: Any) -> Response:
    """A page of a list: items and the cursor of the next page (null on the last)."""
    return jsonify(items=items, next=encode(*after) if after else None, **more)


def if_match() -> int | None:
    """The version that the sender has seen, from If-Match; None where it was not sent. Raises BadInput."""
    tag = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if not tag or tag == "*":
        return None
    if not tag.isascii() or not tag.isdigit():
        raise BadInput("If-Match 应为事项的版本号")
    return int(tag)


def once(view: View) -> View:
    """With an Idempotency-Key the same request is carried out once; asked again, the first answer is given again."""

    @functools.wraps(view)
    def carried_out(**arguments: Any) -> Any:
        key = request.headers.get("Idempotency-Key", "").strip()
        if not key:
            return view(**arguments)
        if len(key) > 100:
            raise BadInput("Idempotency-Key 最长 100 个字符")
        digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.get_data()).hexdigest()
        before = session().get(IdempotentWrite, (actor().account, key))
        if before is not None:
            if before.request_hash != digest:
                raise Conflict("同一 Idempotency-Key 已用于另一个请求")
            return jsonify(before.answer), before.status
        answer, status = view(**arguments)
        row = IdempotentWrite(
            account=actor().account, key=key, request_hash=digest, status=status, answer=answer.get_json(), at=g.now
        )
        session().add(row)
        session().flush()
        return answer, status

    return carried_out  # type: ignore[return-value]
