"""One run of the rules: find in a read snapshot, then bring the tickets in line in short write transactions. An edge: it commits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.orm import Session

from workflow.access.rotation import refuse_while_rotating
from workflow.audit.notes import note
from workflow.db import analyze, snapshot_on, writing_on
from workflow.errors import BadInput
from workflow.quality.amendments import adopt
from workflow.quality.due import refresh_due
from workflow.quality.findings import FindResult, find
from workflow.quality.increment import changed_scope, record_scope, settled_watermark, unit_scope
from workflow.quality.models import CHECK_RUN, RULE_RUN, TICKET, CheckRun
from workflow.quality.rulebook import RuleBook
from workflow.quality.rules import rules
from workflow.quality.tickets import Applied, Run, apply_findings, count_fresh, open_new
from workflow.registry.models import RecordVersion

OPEN_AT_ONCE = 2000  # new tickets in one transaction
Scope = Mapping[str, Any]  # {"unit": id}, {"dataset": name, "records": [ids]} or {"dataset": name}


@dataclass(frozen=True)
class _Seen:
    """What the snapshot of a run saw."""

    result: FindResult
    watermark: int
    highest: int
    kind: str


def run_check(
    engine: Engine,
    today: date,
    now: datetime,
    *,
    kind: str = "incremental",
    scope: Scope | None = None,
    by: str = "clock",
) -> CheckRun:
    """Checks the data as of a business date and brings the tickets in line (办法10(一)、办法20). Returns the finished run.

    `kind` full judges every record; incremental what may have changed since the last such run (falling back to full where
    it must); a `scope` judges one unit, some records, or one data set. Rules that fail are kept in rule_run and close nothing.
    """
    started = time.perf_counter()
    with engine.connect() as connection:
        with snapshot_on(connection) as session:
            book = adopt(session, today)
        run_id, since = _begin(connection, today, now, kind if scope is None else "scoped", scope, by)
        watermark = settled_watermark(connection, since.watermark if since else 0)
        connection.rollback()
        with snapshot_on(connection) as session:
            seen = _look(session, today, kind, scope, since, book, watermark)
        run = Run(run_id, seen.highest, seen.result.scoped, today, now)
        titles = {rule.id: rule.title for rule in book.rules}
        applied = _apply(connection, run, titles, retire=book if scope is None and not seen.result.scoped else None)
        return _finish(connection, run, seen, applied, time.perf_counter() - started)


def _begin(
    connection: Connection, today: date, now: datetime, kind: str, scope: Scope | None, by: str
) -> tuple[int, CheckRun | None]:
    with writing_on(connection) as session:
        refuse_while_rotating(session)
        last = select(CheckRun).where(CheckRun.finished_at.is_not(None), CheckRun.kind != "scoped")
        since = session.scalars(last.order_by(CheckRun.id.desc()).limit(1)).one_or_none()
        run = CheckRun(on=today, kind=kind, scope=dict(scope or {}), started_at=now, by=by)
        session.add(run)
        session.flush()
        return run.id, since


def _look(
    session: Session,
    today: date,
    kind: str,
    scope: Scope | None,
    since: CheckRun | None,
    book: RuleBook,
    watermark: int,
) -> _Seen:
    """Finds inside the snapshot, in the whole or in the scope asked for."""
    scoped, datasets = False, None
    if scope is not None:
        scoped, datasets = _narrow(session, scope), None
        if not scoped:
            datasets = [str(scope["dataset"])]
    elif kind == "incremental":
        scoped = not changed_scope(session, since, today).full
    elif kind != "full":
        raise BadInput(f"没有“{kind}”这种校验（可用：full、incremental）")
    result = find(session, today, scoped=scoped, datasets=datasets, book=book)
    highest = session.scalar(select(func.coalesce(func.max(RecordVersion.id), 0))) or 0
    took = "scoped" if scope is not None else "incremental" if scoped else "full"
    return _Seen(result, watermark, highest, took)


def _narrow(session: Session, scope: Scope) -> bool:
    """Fills `scope` with a unit or some records; whether the run is narrowed to it (one whole data set is not)."""
    if "unit" in scope:
        unit_scope(session, int(scope["unit"]))
        return True
    if "records" in scope:
        record_scope(session, str(scope["dataset"]), [int(id_) for id_ in scope["records"]])
        return True
    if scope.get("dataset") not in rules().datasets:
        raise BadInput(f"没有“{scope.get('dataset')}”这个数据集（可用：{'、'.join(rules().datasets)}）")
    return False


def _apply(connection: Connection, run: Run, titles: Mapping[str, str], *, retire: RuleBook | None) -> Applied:
    """The tickets in line with the findings: one transaction, and further ones where very many are new.

    The planner is told each time that they doubled: a city's first load outruns whoever else counts the tables.
    """
    with writing_on(connection) as session:
        if retire is not None:
            _judge_retired(session, retire)
        applied = apply_findings(session, run, titles, limit=OPEN_AT_ONCE)
        fresh = count_fresh(session)
    known = OPEN_AT_ONCE
    for opened in range(OPEN_AT_ONCE, fresh, OPEN_AT_ONCE):
        if opened >= 2 * known:
            with writing_on(connection) as session:
                analyze(session.connection(), "timer", "case_file", "ticket")
            known = opened
        with writing_on(connection) as session:
            applied.opened += open_new(session, run, titles, opened, OPEN_AT_ONCE)
    return applied


def _judge_retired(session: Session, book: RuleBook) -> None:
    """A full run also answers for rules that are no longer in force: their tickets close."""
    present = session.execute(text("SELECT DISTINCT rule_id, dataset FROM ticket WHERE present")).all()
    retired = [{"rule": rule, "dataset": dataset} for rule, dataset in present if (rule, dataset) not in book.by_key]
    if retired:
        session.connection().execute(text("INSERT INTO judged (rule_id, dataset) VALUES (:rule, :dataset)"), retired)


def _finish(connection: Connection, run: Run, seen: _Seen, applied: Applied, seconds: float) -> CheckRun:
    """Due days and the run's figures, together: a run that did not end has moved no due day.

    An increment judges few records but answers for all: its figures count every finding that stands, not those it looked at.
    """
    result = seen.result
    with writing_on(connection) as session:
        refresh_due(session, full=not result.scoped)
        rows = [
            {"run_id": run.id, "rule_id": one.rule_id, "dataset": one.dataset, "findings": one.findings,
             "seconds": one.seconds, "error": one.error}
            for one in result.rule_runs
            if one.error or seen.kind != "scoped"
        ]  # fmt: skip
        if rows:
            session.execute(insert(RULE_RUN), rows)
        findings = result.findings
        if seen.kind == "incremental":
            findings = session.scalar(select(func.count()).where(TICKET.c.present)) or 0
            applied.still_open = findings - applied.opened - applied.recurred
        figures = {
            "kind": seen.kind,
            "finished_at": run.now,
            "watermark": seen.watermark,
            "rules_hash": result.rules_hash,
            "records": result.records,
            "rules": len(result.rule_runs),
            "findings": findings,
            "seconds": round(seconds, 3),
            **vars(applied),
        }
        session.execute(update(CHECK_RUN).where(CHECK_RUN.c.id == run.id).values(**figures))
        done = session.get_one(CheckRun, run.id, populate_existing=True)
        counts = {name: figures[name] for name in ("kind", "rules", "findings", "opened", "resolved")}
        note(session, "check.run", at=run.now, actor=done.by, kind="check_run", key=run.id, summary=counts)
        return done


def as_json(run: CheckRun) -> dict[str, Any]:
    """The shape of `sandeng check --json`."""
    counts = {
        name: getattr(run, name) for name in ("rules", "findings", "opened", "recurred", "still_open", "resolved")
    }
    return {
        "run": run.id,
        "on": run.on.isoformat(),
        "kind": run.kind,
        "records": run.records,
        **counts,
        "seconds": run.seconds,
    }
