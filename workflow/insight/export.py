"""The roster as it is narrowed, as a file: at once for short lists, by the workers for long ones. What goes in is the registry's business."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, actor_named
from workflow.clock import SHANGHAI
from workflow.db import reading
from workflow.insight.lamps import view
from workflow.insight.roster import RosterFilter, where
from workflow.operations.models import JobRequest
from workflow.operations.progress import Progress
from workflow.registry.dictionary import dictionary
from workflow.registry.exporting import export

KIND = "export"  # params {"filter": RosterFilter as a mapping}
FOLDER = "exports"


def export_list(session: Session, actor: Actor, wanted: RosterFilter, out: Path, *, now: datetime) -> int:
    """Write the records of a list, in the person's scope, to a workbook; returns how many."""
    conditions = where(session, actor, view(session, actor), wanted)
    return export(session, wanted.dataset, out, by=actor.account, now=now, matching=conditions)


def work_off(engine: Engine, folder: Path, request: JobRequest, *, now: datetime, progress: Progress) -> dict[str, Any]:
    """Write a long list that somebody asked for. Returns {"message", "result", "result_path"} of its request."""
    wanted = wanted_of(request.params)
    path = Path(FOLDER) / f"{request.id}.xlsx"
    (folder / FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
    with reading(engine) as session:
        written = export_list(session, actor_named(session, request.by, now), wanted, folder / path, now=now)
    progress(written, written)
    name = f"{dictionary()[wanted.dataset].title}-{now.astimezone(SHANGHAI):%Y%m%d}.xlsx"
    return {"message": f"已导出 {written:,} 条", "result": {"rows": written, "name": name}, "result_path": str(path)}


def wanted_of(params: dict[str, Any]) -> RosterFilter:
    """The filter that a request carries."""
    kept = params["filter"]
    return RosterFilter(**{**kept, "codes": tuple((name, code) for name, code in kept.get("codes", ()))})
