"""Import batches as their pages show them: the row, the work asked for, the check that followed, the tickets it left. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from workflow.engine.models import Case
from workflow.operations.imports import KIND, batch_of
from workflow.operations.models import JobRequest
from workflow.operations.requests import requests_by
from workflow.quality.models import Ticket
from workflow.registry.models import ImportBatch

MOVING = ("uploaded", "checking", "writing")
STEPS = (("uploaded", "上传"), ("checking", "检查"), ("ready", "预览"), ("writing", "写入"), ("done", "完成"))
STATES = {
    "uploaded": "已上传", "checking": "检查中", "ready": "待确认", "refused": "有错误", "writing": "写入中",
    "done": "已导入", "failed": "未办成",
}  # fmt: skip
LATEST = 30
LOOKED_THROUGH = 60


@dataclass(frozen=True)
class BatchPage:
    """One batch, the latest request for it, what the check after it found, and its tickets by light."""

    row: ImportBatch
    request: JobRequest | None
    lights: dict[str, int]

    @property
    def moving(self) -> bool:
        """Whether the workers are still at it."""
        waiting = self.request is not None and self.request.state in ("queued", "running")
        return (self.row.state in MOVING and waiting) or (self.row.state == "done" and waiting)

    @property
    def stuck(self) -> bool:
        """Whether the work ended without the batch having moved on."""
        return self.row.state in MOVING and not self.moving

    @property
    def check(self) -> dict[str, Any]:
        """The figures of the check that followed the writing; empty before."""
        result = self.request.result if self.request else {}
        return result.get("check") or {}

    @property
    def open(self) -> int:
        """How many open problems the batch's records have."""
        return sum(self.lights.values())


def batch_page(session: Session, batch_id: int, account: str) -> BatchPage:
    """One batch of an account. Raises NotFound for somebody else's. Three statements."""
    row = batch_of(session, batch_id, by=account)
    asked = (r for r in requests_by(session, account, limit=LOOKED_THROUGH) if r.kind == KIND)
    latest = next((r for r in asked if r.params.get("batch_id") == batch_id), None)
    lit = (
        select(Case.light, func.count())
        .join(Ticket, Ticket.case_id == Case.id)
        .where(Ticket.batch_id == batch_id, Case.open)
    )
    rows = session.execute(lit.group_by(Case.light)) if row.state == "done" else ()
    lights = {found[0]: found[1] for found in rows}
    return BatchPage(row, latest, lights)


def known_batches(session: Session, account: str) -> Sequence[ImportBatch]:
    """The latest batches of an account, newest first, without their reports."""
    own = select(ImportBatch).where(ImportBatch.by == account).order_by(ImportBatch.id.desc()).limit(LATEST)
    return session.scalars(own.options(defer(ImportBatch.errors), defer(ImportBatch.preview))).all()
