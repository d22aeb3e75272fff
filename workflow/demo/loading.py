"""The demonstration city straight into an empty database: imported like any file, with accounts and a fortnight of checks behind it. Edge: it commits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from workflow.access.demonstration import create_demonstration_accounts
from workflow.access.models import Account
from workflow.calendar.calendar import shipped_calendar
from workflow.clock import SHANGHAI, business_date, present
from workflow.db import reading, writing
from workflow.demo.bundle import DATASETS, MARK
from workflow.demo.city import CitySize, bundles
from workflow.demo.explaining import keep_evidence
from workflow.demo.files import write_city
from workflow.demo.fortnight import Script, first_day, live_through
from workflow.demo.spoiling import Spoiler
from workflow.errors import Conflict, Refused
from workflow.operations.imports import receive
from workflow.quality.models import Ticket
from workflow.registry.dictionary import dictionary
from workflow.registry.importing.run import import_file
from workflow.registry.models import ImportBatch
from workflow.registry.tables import TABLES
from workflow.settings import Settings

PEOPLE, SEED = 3000, 1
ERROR_RATE, CALM_UNITS = 0.045, 0.4
BY = "demo"
FILED_AT = time(6, 0)  # Asia/Shanghai: the first import lies before that day's check
STEP = 1 << 20
Say = Callable[[str], None]


class NotEmpty(Conflict):
    """数据库中已有数据，演示城市只能装入空的数据库。"""


class NotForProduction(Refused):
    """生产环境不得装入演示数据。"""


def load_once(engine: Engine, settings: Settings, *, progress: Say, now: datetime | None = None) -> bool:
    """The small demonstration city, if there is no data yet. Returns whether it was loaded; a load that was broken off gets its accounts."""
    now = now or present()
    if _is_empty(engine):
        progress("首次启动，正在生成演示城市（约一分钟）……")
        load_city(engine, settings, now=now, people=PEOPLE, seed=SEED, progress=progress)
        return True
    with writing(engine) as session:
        if not session.scalar(select(func.count()).select_from(Account)):
            create_demonstration_accounts(session, now=now, by=BY)
    return False


def load_city(
    engine: Engine, settings: Settings, *, now: datetime, people: int, seed: int, progress: Say
) -> dict[str, Any]:
    """A city of that many people, twelve working days before `now`, and what happened to it since.

    1. Generate it and import each data set, as a batch of its own. 2. Make accounts of every role.
    3. Live through the days: check, edit, fire timers (fortnight.py). Returns counts and the accounts to sign in with.
    Raises NotForProduction, NotEmpty.
    """
    if settings.production:
        raise NotForProduction
    if not _is_empty(engine):
        raise NotEmpty
    calendar = shipped_calendar()
    start = first_day(business_date(now), calendar)
    size = CitySize(people, start, seed)
    spoiler, script = (
        Spoiler(size, ERROR_RATE, calm=CALM_UNITS),
        Script(seed, keep_evidence(settings.folder("uploads", "evidence"))),
    )
    with tempfile.TemporaryDirectory(prefix="sandeng-demo-") as folder:
        counts = write_city(script.spread(spoiler.spoil(bundles(size)), spoiler), Path(folder))
        progress(f"演示数据：已生成 {counts['person']} 人、{counts['unit']} 个机构")
        _import_all(engine, settings.folder(), Path(folder), start)
    with writing(engine) as session:
        made = create_demonstration_accounts(session, now=datetime.combine(start, FILED_AT, SHANGHAI), by=BY)
    lived = live_through(engine, script, start, now, calendar, progress)
    return {
        "rows": counts,
        "since": start,
        "errors": len(spoiler.done),
        **lived,
        "accounts_made": made,
        "accounts": _to_try(engine),
    }


def _is_empty(engine: Engine) -> bool:
    with reading(engine) as session:
        return not session.scalar(select(func.count()).select_from(TABLES["unit"]))


def _import_all(engine: Engine, home: Path, folder: Path, start: date) -> None:
    now = datetime.combine(start, FILED_AT, SHANGHAI)
    for dataset in DATASETS:
        path = folder / f"{dataset}.xlsx"
        name = f"{MARK}-{dictionary()[dataset].title}.xlsx"
        with writing(engine) as session:
            batch = receive(session, home, dataset, name, _chunks(path), by=BY, now=now)
        report = import_file(engine, dataset, path, by=BY, now=now, name=name, batch_id=batch.id, may_write_locked=True)
        if report.errors:
            raise Conflict(report.errors[0].message, errors=[e.as_dict() for e in report.errors])
        with writing(engine) as session:
            _close(session, batch.id, report.rows, report.created, report.seconds, now)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(STEP):
            yield chunk


def _close(session: Session, batch_id: int, rows: int, created: int, seconds: float, now: datetime) -> None:
    """The batch as the importer's page shows a finished one."""
    batch = session.get_one(ImportBatch, batch_id)
    batch.state, batch.rows, batch.done_rows, batch.created = "done", rows, rows, created
    batch.says, batch.finished_at, batch.seconds = f"已导入 {rows} 行：新增 {created} 行（{MARK}）", now, seconds


def _to_try(engine: Engine) -> list[str]:
    """A few accounts to sign in with: the offices, the administrators, clerk and head of the unit with most open problems."""
    with reading(engine) as session:
        named = select(Account.name).where(Account.unit_id.is_(None)).order_by(Account.name)
        return [*session.scalars(named), *_busiest(session)]


def _busiest(session: Session) -> list[str]:
    present_tickets = select(Ticket.unit_id).where(Ticket.present, Ticket.level != "H").group_by(Ticket.unit_id)
    unit = session.scalar(present_tickets.order_by(func.count().desc(), Ticket.unit_id).limit(1))
    code = session.scalar(select(TABLES["unit"].c.unit_code).where(TABLES["unit"].c.id == unit))
    return [f"clerk@{code}", f"head@{code}"] if code else []
