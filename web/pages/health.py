"""Whether the process lives and whether the platform can work; metrics for the machine itself only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import redis
from flask import Blueprint, Response, current_app, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from web.database import session
from web.permissions import public
from workflow.backup.state import state_of
from workflow.errors import NotFound
from workflow.migrations import head
from workflow.operations.readiness import concerns, readiness

bp = Blueprint("health", __name__)
LOCAL = ("127.0.0.1", "::1")


@bp.get("/healthz")
@public
def alive() -> Any:
    """This process answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public
def ready() -> Any:
    """Database, queue, clock, migrations: 200 where the platform can work, else 503; what wants a person is listed beside."""
    moment = datetime.now(UTC)  # heartbeats are in real time, whatever SANDENG_CLOCK says
    try:
        checks, more = readiness(session(), moment, head()), concerns(session())
        more["backup"] = state_of(current_app.extensions["sandeng"], g.now).summary()
    except SQLAlchemyError as error:
        checks, more = {"database": {"ok": False, "error": type(error).__name__}}, {}
    checks["queue"] = _queue()
    ok = all(check["ok"] for check in checks.values())
    answer = jsonify(status="ok" if ok else "not ready", checks=checks, concerns=more)
    answer.status_code = 200 if ok else 503
    return answer


@bp.get("/metrics")
@public
def metrics() -> Response:
    """Prometheus figures, to this machine only."""
    if request.remote_addr not in LOCAL:
        raise NotFound
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _queue() -> dict[str, Any]:
    url = current_app.extensions["sandeng"].redis_url
    try:
        client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        client.ping()
        client.close()
    except redis.RedisError as error:
        return {"ok": False, "error": type(error).__name__}
    return {"ok": True}
