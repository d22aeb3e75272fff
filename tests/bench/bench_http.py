"""Steps through HTTP: six people of the units and offices send applications on, with session, token, guards and commit, to one web process.

Each connection carries the applications of one unit through submit (clerk), confirm (head) and receive (reviewer): three sessions each.
"""

from __future__ import annotations

import tempfile
import time
from datetime import date
from typing import Any

from sqlalchemy import Engine, func, select

from tests.bench.report import Report
from tests.bench.visiting import Browser, Served, at_once, environment, p95, served
from tests.casework.approval_room import PAPER, QUOTA, RECRUITED, ledger_row
from tests.quality.ticket_room import at
from workflow.access.demonstration import create_demonstration_accounts
from workflow.casework.matters import open_matter
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.registry.records import write

MON = date(2026, 3, 2)
DISTRICTS = ("330203", "330205", "330206", "330211", "330212", "330213")  # a connection each
STEPS = ("submit", "confirm", "receive")
EACH, BOUND = 150, 100  # applications of a unit; steps a second
USE = {
    "kind": "use", "what": "公开招聘", "why": "人手不足", "quota_type": QUOTA, "n": "1", "entry_way": RECRUITED, "request": [PAPER],
}  # fmt: skip


def run(report: Report) -> None:
    """Steps a second on every database at hand; the bound is PostgreSQL's."""
    for engine in report.engines():
        with report.database(engine) as opened, tempfile.TemporaryDirectory(prefix="sandeng-http-") as folder:
            url = opened.url.render_as_string(hide_password=False)
            settings = {
                "SANDENG_DATABASE_URL": url,
                "SANDENG_DATA_DIR": folder,
                "SANDENG_WEB_WORKERS": "1",
                "SANDENG_ENV": "demo",
            }
            with environment(SANDENG_CLOCK="2026-03-02T10:00:00+08:00", **settings):
                drafts = _settle(opened, report.scaled(EACH))
                with served() as web:
                    seconds, worked, waits = _send_on(web, drafts)
            _prove(opened, len(waits))
        rate = len(waits) / seconds
        note = f"{len(waits)} 步，{len(DISTRICTS)} 个连接，p95 {p95(waits):.0f} ms，网页进程处理器每步 {worked / len(waits) * 1000:.1f} ms"
        bound = BOUND if engine == "PostgreSQL" else None
        report.row(
            "网页办理（申报、确认、受理），一个网页进程", engine, rate, bound=bound, unit="步/秒", least=True, note=note
        )


def _settle(engine: Engine, each: int) -> dict[str, list[int]]:
    """A unit in each district with heads free and so many drafts; district → its drafts."""
    office: dict[str, Any] = {"by": "office", "now": at(date(2026, 1, 5)), "may_write_locked": True, "may_create": True}
    with writing(engine) as session:
        units = [{"unit_code": f"{place}101", "name": f"{place}示例局", "district_code": place} for place in DISTRICTS]
        ids = write(session, "unit", units, **office).ids
        write(session, "ledger", [ledger_row(f"L{n}", plus=each, unit=ids[n]) for n in ids], **office)
        create_demonstration_accounts(session, now=at(MON))
    drafts = {}
    for n, place in enumerate(DISTRICTS):
        clerk = Person(f"clerk@{place}101", {"unit_clerk": frozenset({ids[n]})})
        with writing(engine) as session:
            drafts[place] = [
                open_matter(session, "approval", ids[n], USE, now=at(MON), actor=clerk) for _ in range(each)
            ]
    return drafts


def _send_on(web: Served, drafts: dict[str, list[int]]) -> tuple[float, float, list[float]]:
    """Seconds of the whole, processor seconds of the web process, and milliseconds of each step as its sender waited for it."""
    people = {
        place: [Browser(web.address, name) for name in (f"clerk@{place}101", f"head@{place}101", f"reviewer@{place}")]
        for place in drafts
    }
    for place, ours in people.items():
        _one(ours, drafts[place][0], [])  # unmeasured: what is loaded once is loaded
    waits: list[float] = []
    begun, worked = time.perf_counter(), web.worked
    at_once([lambda place=place: _send(people[place], drafts[place][1:], waits) for place in drafts])  # type: ignore[misc]
    return time.perf_counter() - begun, web.worked - worked, waits


def _send(ours: list[Browser], case_ids: list[int], waits: list[float]) -> None:
    for case_id in case_ids:
        _one(ours, case_id, waits)


def _one(ours: list[Browser], case_id: int, waits: list[float]) -> None:
    for version, (do, browser) in enumerate(zip(STEPS, ours, strict=True), 1):
        begun = time.perf_counter()
        status = browser.post(f"/cases/{case_id}/steps/{do}", version=str(version))
        waits.append((time.perf_counter() - begun) * 1000)
        assert status == 302, (case_id, do, status)


def _prove(engine: Engine, steps: int) -> None:
    with reading(engine) as session:
        received = session.scalar(select(func.count()).where(CASE.c.process == "approval", CASE.c.state == "auditing"))
    assert received == steps // len(STEPS) + len(DISTRICTS), received
