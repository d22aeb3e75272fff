"""The inbox with very many open cases, and the panel that says why a step may not be taken, at the heaviest case that there is.

Half of the open cases are yellow tickets in the hands of units' clerks, half are applications in the hands of the office's reviewers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import date
from statistics import median
from typing import Any

from sqlalchemy import Engine, func, select

from tests.bench.report import Report
from tests.bench.visiting import Browser, count_anew, environment, p95, served, visit
from tests.casework.approval_room import QUOTA, USE, ledger_row
from tests.quality.ticket_room import at, check, finding
from workflow.access.demonstration import create_demonstration_accounts
from workflow.access.scopes import actor_named
from workflow.casework.can import can
from workflow.casework.matters import open_matter
from workflow.casework.standing_guards import standing_verdicts
from workflow.db import reading, writing
from workflow.engine.actors import CHECKER, SYSTEM, Person
from workflow.engine.judging import open_steps
from workflow.engine.models import CASE
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.registry.records import write
from workflow.registry.tree import rebuild

MON, THU, FRI = date(2026, 3, 2), date(2026, 3, 5), date(2026, 3, 6)
OPEN, UNITS, USERS, SECONDS = 20_000, 400, 20, 40
DISTRICTS = ("330203", "330205", "330206", "330211", "330212", "330213", "330225", "330226", "330281", "330282")
PAGES = (
    "/tasks", "/tasks?view=free", "/tasks?view=office", "/tasks?view=all", "/tasks?view=done", "/tasks?process=approval",
    "/tasks?light=yellow", "/tasks?text=招聘", "/tasks?due_to=2026-03-20",
)  # fmt: skip
CLERK = Person("bench", {"unit_clerk": None})
HEAD, LEADER = Person("head", {"unit_head": None}), Person("leader", {"leader": None})
RED = 60  # lights of the unit that applies


def run(report: Report) -> None:
    """The inbox's p95 by view, then the panel's median, on every database at hand."""
    for engine in report.engines():
        with tempfile.TemporaryDirectory(prefix="sandeng-inbox-") as folder, report.database(engine) as opened:
            url = opened.url.render_as_string(hide_password=False)
            settings = {"SANDENG_DATA_DIR": folder, "SANDENG_DATABASE_URL": url, "SANDENG_WEB_WORKERS": "2"}
            with environment(SANDENG_CLOCK="2026-03-02T10:00:00+08:00", SANDENG_ENV="demo", **settings):
                cases = _settle(opened, report.scaled(OPEN))
                count_anew(opened)
                with served() as web:
                    people = [f"clerk@{place}001" for place in DISTRICTS] + [
                        f"reviewer@{place}" for place in DISTRICTS[:8]
                    ]
                    browsers = [Browser(web.address, name) for name in (*people, "reviewer", "leader")]
                    worked = web.worked
                    times = visit(browsers, PAGES, SECONDS)
                    worked = web.worked - worked
                _rows(report, engine, cases, times, worked)
                _panel(report, engine, opened)


def _rows(report: Report, engine: str, cases: int, times: dict[str, list[float]], worked: float) -> None:
    everything = [t for taken in times.values() for t in taken]
    work = f"待办 p95（{cases:,} 件未结事项，{USERS} 人同时）"
    note = f"{len(everything)} 次，处理器每页 {worked / len(everything) * 1000:.0f} ms"
    report.row(work, engine, p95(everything), bound=150, unit="ms", note=note)
    for page, taken in times.items():
        report.row(f"　{page}", engine, p95(taken), bound=150, unit="ms", note=f"{len(taken)} 次")


def _settle(engine: Engine, cases: int) -> int:
    """Units by district with accounts, tickets that turned yellow, applications that were sent in; returns the open cases."""
    office: dict[str, Any] = {"by": "office", "now": at(date(2026, 1, 5)), "may_write_locked": True, "may_create": True}
    places = [DISTRICTS[n % len(DISTRICTS)] for n in range(UNITS)]
    units = [
        {"unit_code": f"{place}{n // len(DISTRICTS) + 1:03d}", "name": f"示例{n}局", "district_code": place}
        for n, place in enumerate(places)
    ]
    with writing(engine) as session:
        ids = list(write(session, "unit", units, **office).ids.values())
        write(session, "ledger", [ledger_row(f"L{n}", plus=cases, unit=id_) for n, id_ in enumerate(ids)], **office)
        create_demonstration_accounts(session, now=at(MON))
        rebuild(session)
    for first in range(0, cases // 2, 2000):
        with writing(engine) as session:
            numbers = range(first, min(first + 2000, cases // 2))
            tickets = [NewCase(ids[n % UNITS], f"ticket{n}", "出生日期与身份证号不一致", MON) for n in numbers]
            open_cases(session, "rectification", tickets, now=at(MON), actor=CHECKER)
            data = {
                "form": {"kind": "use", "what": "公开招聘", "why": "人手不足", "quota_type": QUOTA, "n": 1} | _rest()
            }
            new = [
                NewCase(ids[n % UNITS], f"2026-{n:06d}", f"用编申请：示例{n % UNITS}局 公开招聘", data=data)
                for n in numbers
            ]
            asked = open_cases(session, "approval", new, now=at(MON), actor=CLERK)
            for do, actor in (("submit", CLERK), ("confirm", HEAD)):
                take_step(session, "approval", do, asked, now=at(MON), actor=actor)
    with reading(engine) as session:
        return session.scalar(select(func.count()).where(CASE.c.open, CASE.c.inbox.is_not(None))) or 0


def _rest() -> dict[str, Any]:
    return {name: USE[name] for name in ("entry_way", "request")}


def _panel(report: Report, engine: str, opened: Engine) -> None:
    """Verdicts for an application whose unit is held from above and by itself, has red lights and entries, and too little quota."""
    case_id, code, unit_id = _hard_case(opened)
    now = at(FRI)
    with reading(opened) as session:
        leader = actor_named(session, "leader", now)
        told = can(session, "approve", "approval", code, None, now)
        failed = {verdict.guard for verdict in told.verdicts if not verdict.holds}
        assert {"no_hold_on_unit_or_above", "not_on_negative_list", "no_red_light", "quota_is_free"} <= failed, failed
    works: dict[str, Callable[[Any], object]] = {
        "sandeng can approve": lambda session: can(session, "approve", "approval", code, None, now),
        "事项页的全部可办步骤": lambda session: open_steps(session, case_id, leader, now),
        "单位能否申请": lambda session: standing_verdicts(session, unit_id, now.date()),
    }
    for work, read in works.items():
        note = f"{len(told.verdicts)} 项条件，{RED} 盏红灯，不满足 {len(failed)} 项"
        report.row(f"为什么办不了：{work}", engine, _middle(opened, read) * 1000, bound=50, unit="ms", note=note)


def _middle(engine: Engine, read: Callable[[Any], object]) -> float:
    taken = []
    for _ in range(30):
        begun = time.perf_counter()
        with reading(engine) as session:
            read(session)
        taken.append(time.perf_counter() - begun)
    return median(taken)


def _hard_case(engine: Engine) -> tuple[int, str, int]:
    """An application brought to the leader's desk, and then everything against it; case, code and id of its unit."""
    code = "330203900"
    office: dict[str, Any] = {"by": "office", "now": at(date(2026, 1, 5)), "may_write_locked": True, "may_create": True}
    with writing(engine) as session:
        above = write(
            session, "unit", [{"unit_code": "330203800", "name": "示例上级局", "district_code": "330203"}], **office
        ).ids[0]
        unit = {"unit_code": code, "name": "示例难办局", "district_code": "330203", "parent": above}
        unit_id = write(session, "unit", [unit], **office).ids[0]
        write(session, "ledger", [ledger_row("LX", plus=2, unit=unit_id)], **office)
        rebuild(session)
        case_id = open_matter(session, "approval", unit_id, USE, now=at(MON), actor=CLERK)
    reviewer = Person("reviewer9", {"reviewer": None})
    road = (
        ("submit", CLERK),
        ("confirm", HEAD),
        ("receive", reviewer),
        ("pass_audit", reviewer),
        ("endorse", reviewer),
        ("discuss", reviewer),
    )
    for do, actor in road:
        with writing(engine) as session:
            if do == "pass_audit":
                audit = session.scalars(
                    select(CASE.c.id).where(CASE.c.process == "weekly_audit", CASE.c.unit_id == unit_id)
                ).one()
                require_moved(take_step(session, "weekly_audit", "pass", [audit], now=at(MON), actor=reviewer))
            inputs = {"meeting_on": "2026-03-02"} if do == "discuss" else {}
            require_moved(take_step(session, "approval", do, [case_id], now=at(MON), actor=actor, inputs=inputs))
    check(engine, MON, [finding(n, unit=unit_id) for n in range(RED)])
    fire_due(engine, at(FRI, 0))
    with writing(engine) as session:
        held = [NewCase(one, f"hold{one}", data={"months": 3, "round": 0}) for one in (above, unit_id)]
        holds = open_cases(session, "suspension", held, now=at(FRI), actor=SYSTEM)
        require_moved(take_step(session, "suspension", "confirm", holds, now=at(FRI), actor=LEADER))
        people = [
            {"person_code": f"PX{n}", "name": "王小明", "unit": unit_id, "quota_type": QUOTA, "estab_status": "1"}
            for n in range(3)
        ]
        write(session, "person", people, by="office", now=at(FRI), may_write_locked=True, may_create=True)
    return case_id, code, unit_id
