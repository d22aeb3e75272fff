"""Lists and dashboards under load: 20 people at once, each turning to the next page a second after the last, on both databases.

The city is imported, checked and served as a user would have it: gunicorn with two workers on loopback, every answer a whole page. Besides its
tickets it has a month that is being reported, a cross-check under way, applications, filings and red lights on the negative list.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime
from datetime import time as clock_time
from itertools import count, islice
from pathlib import Path

from sqlalchemy import Engine, func, select

from tests.bench.report import Report
from tests.bench.visiting import Browser, count_anew, environment, p95, served, visit
from tests.casework.approval_room import USE
from workflow.access.demonstration import create_demonstration_accounts
from workflow.access.models import Account
from workflow.casework.filing_drafting import Opening, open_filing
from workflow.casework.matters import open_matter
from workflow.clock import SHANGHAI
from workflow.db import reading, writing
from workflow.demo.bundle import DATASETS
from workflow.demo.city import CitySize
from workflow.demo.making import make_files
from workflow.engine.actors import Person
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.periodic.monthly import open_month
from workflow.quality.daily import check_day
from workflow.quality.models import Ticket
from workflow.registry.importing.reader import MAX_ROWS
from workflow.registry.importing.run import import_file
from workflow.registry.tables import TABLES

ON = date(2026, 11, 12)
LATER = "2026-11-23T10:00:00+08:00"
MOST_ERRORS = 30_000  # beyond, the numbers of one birthday run out that the spoilt people are given
PEOPLE, USERS, SECONDS = 200_000, 20, 60
EVERYBODY = (
    "/", "/tasks", "/tasks?view=all", "/tickets", "/tickets?light=red&sort=rule", "/tickets?by=cause", "/roster/person",
    "/roster/contract", "/units", "/quality", "/red", "/rules", "/notices", "/matters/approval", "/matters/cross_check",
    "/filings", "/monthly", "/monthly?matter=late", "/negative", "/suspensions", "/search?q=示例", "/law", "/calendar",
)  # fmt: skip
BOUND = 200  # ms, p95
CLERK = Person("bench", {"unit_clerk": None})
REVIEWER, LEADER = Person("reviewer", {"reviewer": None}), Person("leader", {"leader": None})


def run(report: Report) -> None:
    """The p95 of all pages together on every database at hand, at every size; that of each page at the size of the bound."""
    for engine in report.engines():
        for people in report.sizes(PEOPLE, engine):
            _one_size(report, engine, people)


def _one_size(report: Report, engine: str, people: int) -> None:
    with tempfile.TemporaryDirectory(prefix="sandeng-pages-") as folder, report.database(engine) as opened:
        url = opened.url.render_as_string(hide_password=False)
        settings = {"SANDENG_DATA_DIR": folder, "SANDENG_DATABASE_URL": url, "SANDENG_CLOCK": LATER}
        with environment(**settings, SANDENG_WEB_WORKERS="2", SANDENG_ENV="demo"):
            report.row(f"导入 {people:,} 人的城市 csv（全部数据集）", engine, _import(opened, Path(folder), people))
            _work(opened)
            tickets, accounts = _look(opened)
            count_anew(opened)
            with served() as web:
                browsers = [Browser(web.address, account) for account in accounts]
                worked = web.worked
                times = visit(browsers, EVERYBODY, SECONDS)
                worked = web.worked - worked
    everything = [t for taken in times.values() for t in taken]
    note = f"{tickets:,} 张未结工单，{len(everything)} 次，处理器每页 {worked / len(everything) * 1000:.0f} ms"
    bound = BOUND if people <= PEOPLE else None
    report.row(f"页面 {people:,} 人，{USERS} 人同时，p95", engine, p95(everything), bound=bound, unit="ms", note=note)
    for page, taken in times.items() if people == report.scaled(PEOPLE) else ():
        report.row(f"　{page}", engine, p95(taken), bound=BOUND, unit="ms", note=f"{len(taken)} 次")


def _import(engine: Engine, folder: Path, people: int) -> float:
    """The city's files into the registry: seconds."""
    files = folder / "files"
    errors = min(0.09, MOST_ERRORS / people)
    make_files(CitySize(people, ON), errors, files, "csv")
    parts = [(dataset, part) for dataset in DATASETS for part in _parts(files / f"{dataset}.csv")]
    now, begun = datetime.combine(ON, clock_time(6), SHANGHAI), time.perf_counter()
    for dataset, part in parts:
        told = import_file(engine, dataset, part, by="demo", now=now, may_write_locked=True)
        assert not told.errors, told.errors[:3]
    return time.perf_counter() - begun


def _parts(whole: Path) -> Iterator[Path]:
    """A file as it may be handed in: one beyond the rows of an upload in several parts, the header before each."""
    with whole.open("rb") as lines:
        header = next(lines)
        for n in count():
            part = whole.with_suffix(f".{n}.csv")
            rows = list(islice(lines, MAX_ROWS - 1))
            if not rows:
                return
            part.write_bytes(header + b"".join(rows))
            yield part


def _work(engine: Engine) -> None:
    """Check, let some lights turn red, begin everything that has a list."""
    now = datetime.combine(ON, clock_time(6), SHANGHAI)
    with writing(engine) as session:
        create_demonstration_accounts(session, now=now)
    check_day(engine, ON, now, kind="full")
    fire_due(engine, datetime.combine(date(2026, 11, 23), clock_time(7), SHANGHAI))
    now = datetime.combine(date(2026, 11, 23), clock_time(7, 30), SHANGHAI)
    check_day(engine, now.date(), now)
    _begin(engine, now)


def _begin(engine: Engine, now: datetime) -> None:
    """The month's reports, a cross-check with its pairs, an application and a filing of every other unit, of 2,000 at most."""
    unit = TABLES["unit"].c
    with writing(engine) as session:
        districts = set(session.scalars(select(unit.district_code)))
        open_month(session, "2026-11", districts, now)
    with writing(engine) as session:
        form = {"year": "2026", "half": "2", "focus": "领导职数和在编状态"}
        round_ = open_matter(session, "cross_check", None, form, now=now, actor=REVIEWER)
        for do, actor in (("pair", REVIEWER), ("begin", LEADER)):
            require_moved(take_step(session, "cross_check", do, [round_], now=now, actor=actor))
    with reading(engine) as session:
        units = session.scalars(select(unit.id).where(unit.removed_on.is_(None)).order_by(unit.id)).all()[::2][:2000]
    for first in range(0, len(units), 100):
        with writing(engine) as session:
            asked = [
                open_matter(session, "approval", one, USE, now=now, actor=CLERK) for one in units[first : first + 100]
            ]
            take_step(session, "approval", "submit", asked, now=now, actor=CLERK)
            for one in units[first : first + 100]:
                open_filing(session, Opening("position", one), actor=CLERK, now=now)


def _look(engine: Engine) -> tuple[int, list[str]]:
    """The open tickets and the accounts of the visitors."""
    with reading(engine) as session:
        tickets = session.scalar(select(func.count()).where(Ticket.present, Ticket.level != "H")) or 0
        clerks = session.scalars(select(Account.name).where(Account.name.like("clerk@%")).limit(USERS // 2)).all()
        offices = session.scalars(select(Account.name).where(Account.name.like("reviewer%")).limit(USERS)).all()
    engine.dispose()
    return tickets, [*clerks, *offices][:USERS]
