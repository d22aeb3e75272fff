"""Noting what happens: entries wait with their transaction and are appended as its last statements. No entry, no commit (办法17).

Noting costs nothing but memory; the head of the chain is locked only from the end of the transaction to its commit. What is
rolled back takes its notes along: a refusal is therefore noted by the edge, in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from workflow.audit.chain import append
from workflow.audit.seal import ring

_WAITING = "audit entries waiting for the commit"


class Whence(NamedTuple):
    """From where somebody acts: network address or command line, and the digest of the signed-in session."""

    origin: str = ""
    session_digest: str | None = None


whence: ContextVar[Whence] = ContextVar("whence", default=Whence())  # noqa: B039  (a tuple of constants)


@contextmanager
def coming_from(origin: str, session_digest: str | None = None) -> Iterator[None]:
    """Everything noted meanwhile comes from there."""
    token = whence.set(Whence(origin, session_digest))
    try:
        yield
    finally:
        whence.reset(token)


def note(
    session: Session,
    action: str,
    *,
    at: datetime,
    actor: str,
    kind: str = "",
    key: Any = "",
    unit_id: int | None = None,
    case_id: int | None = None,
    on_behalf_of: str | None = None,
    result: str = "done",
    summary: Mapping[str, Any] | None = None,
) -> None:
    """One entry, appended when this transaction commits and gone if it does not.

    `action`: subject.verb; `kind`, `key`: the object; `result`: done | refused | failed. `summary` holds no personal value:
    those go through `told`.
    """
    origin, session_digest = whence.get()
    entry = {
        "at": at, "actor": actor, "on_behalf_of": on_behalf_of, "origin": origin, "session_digest": session_digest,
        "action": action, "object_kind": kind, "object_key": str(key), "unit_id": unit_id, "case_id": case_id,
        "summary": summary or {}, "result": result,
    }  # fmt: skip
    if not session.in_transaction():  # so that a rollback finds something to roll back, and the entry with it
        session.begin()
    session.info.setdefault(_WAITING, []).append((session.get_nested_transaction(), entry))


def told(value: Any) -> str:
    """A value that may be personal, as an entry may tell it: its keyed digest, empty for none."""
    return ring().digest(value)


def noted(session: Session) -> bool:
    """Whether something was noted in the present transaction."""
    return bool(session.info.get(_WAITING))


@event.listens_for(Session, "before_commit")
def _append_waiting(session: Session) -> None:
    if session.in_nested_transaction() or not session.info.get(_WAITING):
        return
    session.flush()  # all other locks first, the head's last: two writers never wait crosswise
    waiting = session.info.pop(_WAITING)
    append(session, [entry for _, entry in waiting])


@event.listens_for(Session, "after_soft_rollback")
def _forget_inner(session: Session, previous: SessionTransaction) -> None:
    if previous.nested and session.info.get(_WAITING):
        session.info[_WAITING] = [pair for pair in session.info[_WAITING] if pair[0] is not previous]


@event.listens_for(Session, "after_transaction_end")
def _forget_all(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_WAITING, None)
