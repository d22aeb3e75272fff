"""Audit at the web's edge: from where a request comes, refusals in a transaction of their own, reads that must be told (办法17).

Installed around the database: what a request wrote without noting anything is noted before its commit; a refusal after its rollback.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request
from flask import session as cookie
from sqlalchemy.orm import Session

from web.database import READING, db, session
from workflow.access.scopes import Actor
from workflow.access.sessions import session_digest
from workflow.audit.notes import Whence, note, noted, whence
from workflow.db import writing
from workflow.errors import SandengError


def note_now(action: str, **entry: Any) -> None:
    """Note something of the present request: with its transaction where it writes, else at once in one of its own.

    For what is told although nothing is written: exports, reading of sensitive fields. Raises where it cannot be kept, so that
    nothing is shown without its entry. `kind`, `key`, `unit_id`, `case_id`, `summary`: as in workflow.audit.notes.note.
    """
    if request.method in READING:
        with writing(db.engine) as own:
            _note(own, action, **entry)
    else:
        _note(session(), action, **entry)


def note_refusal(error: SandengError) -> None:
    """Remember why the request is refused, for the entry that follows its rollback: the kind of error and the guards, no values."""
    g.refused = _why(error)


def note_refused_step(error: SandengError) -> None:
    """A refusal that takes back only a part of the request: its entry goes with what is kept."""
    _note_refused(session(), "refused", _why(error))


def _why(error: SandengError) -> dict[str, Any]:
    guards = [_guard_of(verdict) for verdict in getattr(error, "verdicts", [])]
    return {"why": type(error).__name__, "guards": [name for name in guards if name]}


def _note_refused(own: Session, result: str, why: dict[str, Any]) -> None:
    summary = {"method": request.method, **why}
    _note(own, f"web.{request.endpoint}", kind="page", key=request.path, result=result, summary=summary)


def _guard_of(verdict: Any) -> str:
    told = verdict if isinstance(verdict, dict) else vars(verdict)
    return "" if told.get("holds") else str(told.get("guard", ""))


def _note(own: Session, action: str, **entry: Any) -> None:
    person = _person()
    note(own, action, at=g.now, actor=person.account if person else "", **entry)


def _person() -> Actor | None:
    """Who was found behind the request; asks nothing."""
    return getattr(g.get("_login_user"), "actor", None)


def _token() -> str:
    header = request.headers.get("Authorization", "")
    return header[7:] if header.startswith("Bearer ") else str(cookie.get("_user_id") or "")


def _come() -> None:
    token = _token()
    g.whence = whence.set(Whence(request.remote_addr or "", session_digest(token) if token else None))


def _go(_error: BaseException | None) -> None:
    if (token := g.pop("whence", None)) is not None:
        whence.reset(token)


def _before_commit(response: Response) -> Response:
    """Every write is told: where the workflow noted nothing itself, the request is."""
    if request.method not in READING and request.endpoint and response.status_code < 400:
        opened = db.session()
        if opened.in_transaction() and not noted(opened):
            _note(opened, f"web.{request.endpoint}", kind="page", key=request.path)
    return response


def _after_rollback(response: Response) -> Response:
    if _to_be_told(response.status_code):
        result = "failed" if response.status_code >= 500 else "refused"
        with writing(db.engine) as own:
            _note_refused(own, result, {"status": response.status_code, **g.get("refused", {})})
    return response


def _to_be_told(status: int) -> bool:
    """Refusals of people and of presented sessions: every refused write, and what one may not read.

    Not told: what strangers ask for without presenting anything (they could fill the chain), and a sign-in that was told already.
    """
    if status < 400 or request.endpoint in (None, "static") or g.get("keep_refusal", False):
        return False
    if _person() is None and not _token():
        return False
    return request.method not in READING or status == 403 or "refused" in g


def install_outside(app: Flask) -> None:
    """The outer half, before the database is installed: what comes first in, and last out after the rollback."""
    app.before_request(_come)
    app.after_request(_after_rollback)
    app.teardown_request(_go)


def install_inside(app: Flask) -> None:
    """The inner half, after the database is installed: just before its commit."""
    app.after_request(_before_commit)
