"""The watch over the audit chain: every minute its new entries are verified and its head is written to the holders outside the database.

Runs beside the active clock, in real time. A holder that cannot be written is told in the log and tried again a minute later.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from workers.signals import Stop
from workflow.audit.anchors import Anchor, daily_due, lost_anchors, make_anchor, write_anchor, write_daily
from workflow.audit.chain import Head, head
from workflow.audit.notes import note
from workflow.audit.retention import purge
from workflow.audit.seal import Signer
from workflow.audit.verify import Verification
from workflow.audit.watch import verified
from workflow.clock import present
from workflow.db import reading, writing
from workflow.duty.alarms import broken_alarms, holder_alarms, raise_new
from workflow.operations.daily import Pending
from workflow.operations.models import JobRequest
from workflow.operations.progress import Progress
from workflow.policy import shipped_policies
from workflow.settings import Settings, get_settings

EVERY = 60.0  # seconds
AT_LEAST = timedelta(hours=1)  # an anchor although nothing was added: the platform was alive and the chain no longer
TIMEOUT = 5.0  # seconds for the webhook
KIND = "audit_verify"

log = logging.getLogger("sandeng.anchors")


@dataclass
class Watch:
    """What is remembered between two passes: up to which entry the chain was verified, when an anchor was written last."""

    verified_to: int | None = None
    written_at: datetime | None = None
    written: int = 0
    failed: list[str] = field(default_factory=list)


def follow(engine: Engine, stop: Stop, *, once: bool = False) -> None:
    """Watch until asked to stop; with `once` a single pass."""
    watch, settings = Watch(), get_settings()
    while not stop.asked():
        try:
            look(engine, settings, watch, datetime.now(UTC))
        except OperationalError as error:
            log.warning("database unreachable: %s", error.orig)
        if once or stop.wait(EVERY):
            break


def look(engine: Engine, settings: Settings, watch: Watch, now: datetime) -> Verification:
    """One pass: the entries since the last one verified against themselves, then the head to every holder."""
    found = verified(engine, settings, after=watch.verified_to, anchors=watch.verified_to is None)
    if not found.ok:
        log.error("audit chain broken: %s", found.problems[0].says)
        _alarm(engine, found)
    watch.verified_to = found.head
    with reading(engine) as session:
        last = head(session)
    watch.failed = []
    lost = lost_anchors(settings.anchor_holders)
    if last.seq and (last.seq > watch.written or watch.written_at is None or now - watch.written_at >= AT_LEAST):
        _hand_out(settings, last, now, watch)
        watch.written, watch.written_at = last.seq, now
    if alarms := holder_alarms(watch.failed, [str(holder) for holder in lost], present()):
        with writing(engine) as session:
            raise_new(session, alarms, present())
    return found


def _hand_out(settings: Settings, last: Head, now: datetime, watch: Watch) -> None:
    """The head to every holder, and once a day as the day's own file; one that fails does not keep the others from it."""
    signer = Signer(settings.folder())
    anchor = make_anchor(last, now, signer)
    for holder in settings.anchor_holders:
        try:
            write_anchor(holder, anchor)
            if (day := daily_due(holder, now)) is not None:
                write_daily(holder, make_anchor(last, now, signer, day))
        except OSError as error:
            log.error("anchor not written to %s: %s", holder, error)
            watch.failed.append(str(holder))
    if settings.anchor_webhook:
        _post(settings.anchor_webhook, anchor, watch)


def _post(address: str, anchor: Anchor, watch: Watch) -> None:
    body = json.dumps(anchor.as_json()).encode()
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
            answer.read(1024)
    except OSError as error:  # urllib's errors are of this family
        log.error("anchor not taken by the webhook: %s", error)
        watch.failed.append("webhook")


def _alarm(engine: Engine, found: Verification) -> None:
    """One entry that tells of the break: it stands on the status page until a verification holds again; and the alarm (办法19)."""
    with writing(engine) as session:
        raise_new(session, broken_alarms(found, present()), present())
        note(
            session,
            "audit.verify",
            at=present(),
            actor="clock",
            kind="audit",
            key="chain",
            result="failed",
            summary=found.brief(),
        )


def daily_audit(engine: Engine, settings: Settings, pending: Pending) -> dict[str, Any]:
    """The daily job: what retention lets go, then the whole chain against all anchors."""
    days = int(shipped_policies().city.value("audit.retention"))
    with writing(engine) as session:
        purged = purge(session, days, pending.due_at, Signer(settings.folder()), "clock")
    return {"purged": purged, **_verify_all(engine, settings, pending.due_at, "clock").brief()}


def verify_on_request(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """The same walk for the auditor who asked for it. Returns {"message", "result"} of the request."""
    found = _verify_all(engine, get_settings(), present(), request.by, progress)
    says = f"已核对 {found.rows:,} 行，全部相符" if found.ok else f"核对 {found.rows:,} 行，发现 {found.found} 处不符"
    return {"message": says, "result": found.as_json()}


def _verify_all(
    engine: Engine, settings: Settings, now: datetime, by: str, progress: Progress = lambda done, total: None
) -> Verification:
    found = verified(engine, settings, progress=progress)
    with writing(engine) as session:
        how = "done" if found.ok else "failed"
        note(session, "audit.verify", at=now, actor=by, kind="audit", key="chain", result=how, summary=found.brief())
        raise_new(session, broken_alarms(found, now), now)
    return found
