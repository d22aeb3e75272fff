"""Long work that somebody asks for: one row, carried to the workers by the outbox, with its progress. Asking is idempotent by key."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from workflow.audit.notes import note, told
from workflow.engine.models import Outbox
from workflow.engine.outbox import emit
from workflow.errors import Conflict, NotFound
from workflow.operations.models import JobRequest

TOPIC = "job"
ATTEMPTS = 5


def ask(
    session: Session, kind: str, params: dict[str, Any], *, by: str, now: datetime, on_behalf_of: str | None = None
) -> JobRequest:
    """A request for long work and the outbox row that takes it to a worker after the commit."""
    request = JobRequest(kind=kind, params=params, by=by, on_behalf_of=on_behalf_of, asked_at=now)
    session.add(request)
    session.flush()
    emit(session, TOPIC, outbox_key(request), {"request_id": request.id}, now)
    asked = {"params": told(params)}
    note(
        session,
        f"{kind}.ask",
        at=now,
        actor=by,
        on_behalf_of=on_behalf_of,
        kind="job_request",
        key=request.id,
        summary=asked,
    )
    return request


def request_of(session: Session, request_id: int, *, by: str | None = None) -> JobRequest:
    """A request, as its row stands; with `by`, only that account's. Raises NotFound."""
    request = session.get(JobRequest, request_id)
    if request is None or (by is not None and request.by != by):
        raise NotFound
    return request


def requests_by(session: Session, account: str, *, limit: int = 20) -> list[JobRequest]:
    """The latest requests of an account, newest first."""
    own = select(JobRequest).where(JobRequest.by == account).order_by(JobRequest.asked_at.desc(), JobRequest.id.desc())
    return list(session.scalars(own.limit(limit)))


def take(session: Session, request_id: int, *, now: datetime) -> JobRequest:
    """Claim a request for this worker. Raises Conflict where it is done, given up or tried too often."""
    open_ones = JobRequest.state.in_(("queued", "running"))
    claim = (
        update(JobRequest)
        .where(JobRequest.id == request_id, open_ones, JobRequest.attempts < ATTEMPTS)
        .values(state="running", started_at=now, attempts=JobRequest.attempts + 1, done=0)
    )
    if not cast(CursorResult[Any], session.execute(claim)).rowcount:
        raise Conflict("这项后台任务已经办完，或多次未能办成", request_id=request_id)
    return session.get_one(JobRequest, request_id, populate_existing=True)


def end(
    session: Session,
    request_id: int,
    *,
    state: str,
    now: datetime,
    message: str = "",
    result: dict[str, Any] | None = None,
    result_path: str | None = None,
) -> None:
    """Write down how it ended (`done` or `failed`) and tick off its outbox row."""
    session.execute(
        update(JobRequest)
        .where(JobRequest.id == request_id)
        .values(state=state, message=message, result=result or {}, result_path=result_path, finished_at=now)
    )
    request = session.get_one(JobRequest, request_id)
    said = {"message": message if state == "done" else told(message), "rows": (result or {}).get("rows")}
    how = "done" if state == "done" else "failed"
    note(
        session,
        f"{request.kind}.run",
        at=now,
        actor=request.by,
        on_behalf_of=request.on_behalf_of,
        kind="job_request",
        key=request_id,
        result=how,
        summary=said,
    )
    session.execute(update(Outbox).where(Outbox.key == outbox_key(request)).values(done_at=now))


def outbox_key(request: JobRequest) -> str:
    """The key of the outbox row that carries a request, as job:check:12."""
    return f"{TOPIC}:{request.kind}:{request.id}"
