"""Verification with this installation's own keys, holders and signer: what command line, clock and auditor's page ask for. An edge: it commits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from workflow.audit.anchors import make_anchor, read_anchors, write_anchor
from workflow.audit.notes import note, told
from workflow.audit.seal import Signer
from workflow.audit.verify import Verification, restart_point, verify
from workflow.db import reading, writing
from workflow.errors import Refused
from workflow.settings import Settings


def accept_restore(engine: Engine, settings: Settings, *, now: datetime, by: str, reason: str) -> tuple[int, int]:
    """Declare to every holder that the database was restored: the chain goes on from the last entry that an anchor knows.

    The declaration is an entry itself. Returns the entry from which it goes on and the last one that is lost. Raises Refused where
    the chain is broken in itself, or nothing is missing: what was tampered with is not to be passed off as a restore.
    """
    signer = Signer(settings.folder())
    anchors = list(read_anchors([holder for holder in settings.anchor_holders if holder.is_dir()]))
    with reading(engine) as session:
        if not verify(session, (), signer.public_key).ok:
            raise Refused("审计链本身不相符，不能作为恢复备份登记，请先查明")
        if verify(session, anchors, signer.public_key).ok:
            raise Refused("审计链与锚点相符，没有需要登记的恢复")
        point = restart_point(session, anchors, signer.public_key)
    lost = max(anchor.seq for anchor in anchors)
    with writing(engine) as session:
        summary = {"from_seq": point.seq, "lost_to": lost, "reason": told(reason)}
        note(session, "audit.restart", at=now, actor=by, kind="audit", key=point.seq, summary=summary)
    for holder in settings.anchor_holders:
        write_anchor(holder, make_anchor(point, now, signer, restart=True))
    return point.seq, lost


def verified(
    engine: Engine,
    settings: Settings,
    *,
    anchor_file: Path | None = None,
    after: int | None = None,
    anchors: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Walk the chain against itself and the holders' anchors, and against one further file where it is given.

    The anchors are read before the snapshot begins, so that an entry made meanwhile accuses nobody. Raises BadInput for a file
    that is missing or no anchor file.
    """
    paths = [holder for holder in settings.anchor_holders if holder.is_dir()] if anchors else []
    kept = list(read_anchors([*paths, *([anchor_file] if anchor_file else [])]))
    key = Signer(settings.folder()).public_key
    with reading(engine) as session:
        return verify(session, kept, key, after=after, progress=progress)
