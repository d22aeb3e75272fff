"""An uploaded file on its way: stored, previewed, written, each state on its batch row. The import itself is the registry's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from workflow.access import sealed_files
from workflow.access.scopes import actor_named, may, visible_units
from workflow.casework.reporting import carried_out
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.errors import BadInput, Conflict, NotFound, Refused
from workflow.operations.models import JobRequest
from workflow.operations.progress import Progress
from workflow.operations.requests import ask
from workflow.quality.run import as_json, run_check
from workflow.registry.dictionary import dictionary
from workflow.registry.importing.report import ImportReport
from workflow.registry.importing.run import import_file, sha256_of
from workflow.registry.models import ImportBatch
from workflow.registry.origin import RowError

KIND = "import"  # params {"batch_id", "dry_run"}
FOLDER = "uploads"
TAKES = {
    True: ("uploaded", "ready", "refused", "failed"),
    False: ("ready",),
}  # dry run or not → states that it starts from


def receive(
    session: Session,
    folder: Path,
    dataset: str,
    name: str,
    chunks: Iterable[bytes],
    *,
    by: str,
    now: datetime,
    basis: str | None = None,
) -> ImportBatch:
    """Keep an uploaded file, sealed, below the data directory and open its batch; `basis`: the document that it rests on.

    Raises BadInput for an unknown data set.
    """
    known = dictionary().datasets
    if dataset not in known:
        raise BadInput(f"没有“{dataset}”这个数据集（可用：{'、'.join(known)}）")
    kept, sha256, _ = sealed_files.keep(folder / FOLDER, chunks)
    batch = ImportBatch(
        dataset=dataset,
        file_name=Path(name).name[:200],
        file_path=str(Path(FOLDER) / kept),
        sha256=sha256,
        by=by,
        basis=basis,
        state="uploaded",
        uploaded_at=now,
    )
    session.add(batch)
    session.flush()
    return batch


def ask_for(session: Session, batch_id: int, *, dry_run: bool, by: str, now: datetime) -> JobRequest:
    """Ask the workers to preview a batch (`dry_run`) or to write it. Raises Conflict where its state does not allow it."""
    batch = batch_of(session, batch_id, by=by)
    if batch.state not in TAKES[dry_run]:
        raise Conflict(
            "这个文件正在处理或已经导入，不能重复办理" if not dry_run else "这个文件正在处理", state=batch.state
        )
    batch.state = "checking" if dry_run else "writing"
    return ask(session, KIND, {"batch_id": batch_id, "dry_run": dry_run}, by=by, now=now)


def batch_of(session: Session, batch_id: int, *, by: str | None = None) -> ImportBatch:
    """A batch; with `by`, only that account's. Raises NotFound."""
    batch = session.get(ImportBatch, batch_id)
    if batch is None or (by is not None and batch.by != by):
        raise NotFound
    return batch


def batches_by(session: Session, account: str, *, limit: int = 20) -> list[ImportBatch]:
    """The latest batches of an account, newest first."""
    own = select(ImportBatch).where(ImportBatch.by == account)
    return list(session.scalars(own.order_by(ImportBatch.id.desc()).limit(limit)))


def work_off(
    engine: Engine, folder: Path, batch_id: int, *, dry_run: bool, now: datetime, progress: Progress
) -> dict[str, Any]:
    """Preview or write one batch, and check what it wrote at once. Returns {"message", "result"} for its request.

    A batch is done in the transaction that writes its rows; what follows it is made up for where a worker died in between.
    A file that was written is not kept: it holds whole ID numbers, and the versions hold all else (its hash stays).
    """
    batch = _as_it_stands(engine, batch_id)
    if batch.state != "done":
        _work_off(engine, folder, batch, dry_run=dry_run, now=now, progress=progress)
        batch = _as_it_stands(engine, batch_id)
    checked: dict[str, Any] = {}
    if batch.state == "done":
        (folder / batch.file_path).unlink(missing_ok=True)
        checked = _check(engine, batch.by, now) if batch.created + batch.updated else {}
    return {"message": batch.says, "result": {"batch_id": batch_id, "state": batch.state, "check": checked}}


def _as_it_stands(engine: Engine, batch_id: int) -> ImportBatch:
    with reading(engine) as session:
        batch = batch_of(session, batch_id)
        session.expunge(batch)
        return batch


def _work_off(
    engine: Engine,
    folder: Path,
    batch: ImportBatch,
    *,
    dry_run: bool,
    now: datetime,
    progress: Progress,
) -> None:
    """Reads the file, writes it unless `dry_run`, and notes how it ended on the batch."""
    with reading(engine) as session:
        rights = _rights(session, batch.by, now)
    try:
        with sealed_files.opened(folder / batch.file_path) as plain:
            report = import_file(
                engine,
                batch.dataset,
                plain,
                by=batch.by,
                now=now,
                name=batch.file_name,
                dry_run=dry_run,
                batch_id=batch.id,
                basis=batch.basis,
                progress=lambda _phase, done, total: progress(done, total),
                written=lambda session, report: _done(session, batch.id, report, now),
                **rights,
            )
    except (BadInput, Refused) as refusal:
        _note(
            engine,
            batch.id,
            state="refused",
            says=str(refusal),
            error_count=1,
            errors=_as_errors(refusal),
            finished_at=now,
        )
        raise
    except Exception:
        _note(engine, batch.id, state="failed", says="系统故障，未写入任何数据，请重新上传", finished_at=now)
        raise
    if dry_run or report.error_count:
        state, says = _outcome(report)
        _note(engine, batch.id, state=state, says=says, finished_at=now, **_figures(report))


def _done(session: Session, batch_id: int, report: ImportReport, now: datetime) -> None:
    """With the rows: the batch is done, and so is what was asked leave for."""
    state, says = _outcome(report)
    values = {"state": state, "says": says, "finished_at": now, **_figures(report)}
    session.execute(update(ImportBatch).where(ImportBatch.id == batch_id).values(**values))
    carried_out(session, f"batch:{batch_id}", says, now=now)


def bring(
    engine: Engine, dataset: str, path: Path, *, by: str, now: datetime, dry_run: bool = False, **more: Any
) -> ImportReport:
    """A file that lies on this machine, written at once; its batch names who brought it. The file stays where it is.

    A file that cannot be read at all is reported like one with errors, as row 0. A dry run leaves no batch.
    """
    batch_id = None
    if not dry_run:
        with writing(engine) as session:
            opened = {"dataset": dataset, "file_name": path.name[:200], "file_path": "", "sha256": sha256_of(path)}
            batch = ImportBatch(**opened, by=by, basis=more.get("basis"), state="writing", uploaded_at=now)
            session.add(batch)
            session.flush()
            batch_id = batch.id
    try:
        report = import_file(
            engine,
            dataset,
            path,
            by=by,
            now=now,
            name=path.name,
            dry_run=dry_run,
            batch_id=batch_id,
            written=lambda session, report: _done(session, batch_id, report, now) if batch_id else None,
            **more,
        )
    except BadInput as refusal:
        whole = RowError(0, "", "", "", "file", str(refusal))
        report = ImportReport(dataset, sha256_of(path), errors=[whole], error_count=1, dry_run=dry_run)
    if batch_id is not None and report.error_count:
        state, says = _outcome(report)
        _note(engine, batch_id, state=state, says=says, finished_at=now, **_figures(report) | {"errors": []})
    return report


def _rights(session: Session, account: str, now: datetime) -> dict[str, Any]:
    """Which units' records that account may write, and whether locked fields too."""
    actor = actor_named(session, account, now)
    everywhere = any(held.everywhere for held in actor.holding("import.run"))
    units = None if everywhere else list(session.scalars(visible_units(actor, "import.run")))
    return {"writable_units": units, "may_write_locked": may(actor, "record.write_locked")}


def _outcome(report: ImportReport) -> tuple[str, str]:
    counts = f"新增 {report.created} 行，更新 {report.updated} 行，未变 {report.unchanged} 行"
    if report.error_count:
        return "refused", f"共 {report.rows} 行，有 {report.error_count} 处错误，未写入任何数据"
    if report.dry_run:
        return "ready", f"共 {report.rows} 行，可以导入：{counts}"
    return "done", f"已导入 {report.rows} 行：{counts}"


def _figures(report: ImportReport) -> dict[str, Any]:
    names = ("rows", "created", "updated", "unchanged", "error_count", "preview", "seconds")
    figures = {name: getattr(report, name) for name in names if name != "preview" or report.dry_run}
    return figures | {"errors": [dataclasses.asdict(error) for error in report.errors], "done_rows": report.rows}


def _as_errors(refusal: BadInput | Refused) -> list[Any]:
    whole = {"row": 0, "field": "", "label": "", "value": "", "rule": "", "message": str(refusal)}
    return refusal.facts.get("errors") or [whole]


def _note(engine: Engine, batch_id: int, **values: Any) -> None:
    """How a batch ended that wrote nothing; one that is done stays so, whatever fails after it."""
    with writing(engine) as session:
        open_ = ImportBatch.state != "done"
        session.execute(update(ImportBatch).where(ImportBatch.id == batch_id, open_).values(**values))


def _check(engine: Engine, account: str, now: datetime) -> dict[str, Any]:
    return as_json(run_check(engine, business_date(now), now, by=account))
