"""What RQ runs, by dotted name: each opens the database at the edge, calls workflow, commits. Arguments are ids, repeats do nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import workflow.models  # noqa: F401  (declares every table)
from workers import kinds
from workers.lease import REQUEST, lease_on
from workflow.calendar.calendar import shipped_calendar
from workflow.clock import business_date, present
from workflow.db import reading, writing
from workflow.engine.models import Outbox
from workflow.errors import Conflict, SandengError
from workflow.operations import effects, notices, progress, requests
from workflow.policy import shipped_policies
from workflow.quality.amendments import adopt
from workflow.scoping import open_whole
from workflow.settings import get_settings

log = logging.getLogger("sandeng.jobs")

Deliver = Callable[[Session, list[Outbox], datetime], None]


def carry_out(topic: str, ids: Sequence[int]) -> int:
    """Carry out effects of one topic, each once; returns how many. One bad effect does not hold up the others."""
    with _engine() as engine:
        try:
            return _deliver(engine, topic, ids)
        except Exception:  # the others must not wait for one bad effect: it stays in the outbox and comes again
            if len(ids) == 1:
                raise
            log.exception("effects of topic %s failed together, trying one by one", topic)
        return sum(_deliver_one(engine, topic, effect_id) for effect_id in ids)


def run_request(request_id: int) -> None:
    """Do the long work of a request. What it refuses is its result; what breaks is tried again later."""
    with _engine() as engine:
        lease = lease_on(engine, REQUEST, request_id)
        if not lease.hold():  # handed on twice: another worker is at it
            return
        try:
            _run_request(engine, request_id)
        finally:
            progress.forget(engine, request_id)
            lease.release()


def _run_request(engine: Engine, request_id: int) -> None:
    try:
        with writing(engine) as session:
            request = requests.take(session, request_id, now=present())
    except Conflict:  # done already, or given up
        return
    with reading(engine) as session:
        adopt(session, business_date(present()))
    try:
        outcome = kinds.KINDS[request.kind](engine, request, progress.progress_of(engine, request_id))
    except SandengError as refusal:
        _end(engine, request_id, state="failed", message=str(refusal))
    except Exception as error:
        if request.attempts >= requests.ATTEMPTS:
            says = f"多次未能办成（{type(error).__name__}），请联系系统管理员"
            _end(engine, request_id, state="failed", message=says)
        raise
    else:
        _end(engine, request_id, state="done", **outcome)


@contextmanager
def _engine() -> Iterator[Engine]:
    engine = open_whole(get_settings())
    try:
        yield engine
    finally:
        engine.dispose()


def _end(engine: Engine, request_id: int, **how: Any) -> None:
    with writing(engine) as session:
        requests.end(session, request_id, now=present(), **how)


def _deliver(engine: Engine, topic: str, ids: Sequence[int]) -> int:
    now = present()
    with writing(engine) as session:
        rows = effects.begin_effects(session, ids, now)
        if rows:
            TOPICS[topic](session, rows, now)
    return len(rows)


def _deliver_one(engine: Engine, topic: str, effect_id: int) -> int:
    try:
        return _deliver(engine, topic, [effect_id])
    except Exception:  # kept in the outbox, comes again
        log.exception("effect %s of topic %s failed", effect_id, topic)
        return 0


def _notices(session: Session, rows: list[Outbox], now: datetime) -> None:
    """A mass step puts all its notices into one effect, under `items`."""
    items = [item for row in rows for item in row.payload.get("items", [row.payload])]
    notices.post(session, items, now, shipped_policies(), shipped_calendar())


TOPICS: dict[str, Deliver] = {notices.TOPIC: _notices}
