"""The kinds of long work that may be asked for, each by the workflow function that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Engine

from workers import anchoring, backups
from workers.lease import DAILY, alone
from workflow.casework import bulk, migrating, simulating
from workflow.clock import business_date, present
from workflow.insight import export as exports
from workflow.operations import imports
from workflow.operations.models import JobRequest
from workflow.operations.progress import Progress
from workflow.quality.run import as_json, run_check
from workflow.settings import get_settings

Work = Callable[[Engine, JobRequest, Progress], dict[str, Any]]  # → message, result, result_path of the request


def import_batch(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"batch_id", "dry_run"}: preview or write an uploaded file, then check what it wrote."""
    batch_id, dry_run = int(request.params["batch_id"]), bool(request.params.get("dry_run"))
    folder = get_settings().folder()
    return imports.work_off(engine, folder, batch_id, dry_run=dry_run, now=present(), progress=progress)


def export(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"filter"}: a long list as a workbook, as the account that asked may see it."""
    return exports.work_off(engine, get_settings().folder(), request, now=present(), progress=progress)


def simulation(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"until", "confirm", "terms"}: what happens if nobody acts, in the scope of the account that asked."""
    return simulating.work_off(engine, request.params, request.by, now=present(), progress=progress)


def bulk_step(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"bulk_id"}: one step on many cases, as the account that asked may take it."""
    return bulk.work_off(engine, int(request.params["bulk_id"]), progress=progress)


def migrate_cases(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"digest"}: open cases go to another version of their process, as the approved request with that digest says."""
    return migrating.work_off(engine, str(request.params["digest"]), request.by, progress=progress)


def check(engine: Engine, request: JobRequest, progress: Progress) -> dict[str, Any]:
    """{"unit": id}, {"dataset": name}, {"records": [[data set, id], …]} or nothing: the rules, now, over that much."""
    now, runs = present(), []
    scopes = list(_scopes(request.params))
    for done, scope in enumerate(scopes, 1):
        with alone(engine, DAILY):
            runs.append(as_json(run_check(engine, business_date(now), now, scope=scope, by=request.by)))
        progress(done, len(scopes))
    figures = {name: sum(run[name] for run in runs) for name in ("findings", "opened", "recurred", "resolved")}
    message = f"已复核：发现 {figures['findings']} 项，新增 {figures['opened']} 项，改好 {figures['resolved']} 项"
    return {"message": message, "result": {"runs": runs, **figures}}


def _scopes(params: Mapping[str, Any]) -> Iterable[dict[str, Any] | None]:
    """One scope for each run; None stands for everything that has changed."""
    pairs = params.get("records")
    if not pairs:
        yield {name: params[name] for name in ("unit", "dataset") if name in params} or None
        return
    named = sorted((str(dataset), int(record)) for dataset, record in pairs)
    for dataset, group in groupby(named, key=lambda pair: pair[0]):
        yield {"dataset": dataset, "records": [record for _, record in group]}


KINDS: dict[str, Work] = {
    imports.KIND: import_batch,
    exports.KIND: export,
    simulating.KIND: simulation,
    bulk.KIND: bulk_step,
    migrating.KIND: migrate_cases,
    "check": check,
    anchoring.KIND: anchoring.verify_on_request,
    backups.MAKE: backups.make_requested,
    backups.VERIFY: backups.verify_requested,
}
