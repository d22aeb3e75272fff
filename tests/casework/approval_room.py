"""A bureau with two heads of quota and nobody in post, and the people who carry an application through: unit, office, leader."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Engine, select

from tests.quality.ticket_room import at
from workflow.casework.matters import open_matter
from workflow.casework.weekly_audit import audits_of_week
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.registry.models import COUNTER, NOTICE
from workflow.registry.records import write

MON, TUE, WED, NEXT_MON = (date(2026, 3, day) for day in (2, 3, 4, 9))
OFFICE, OTHER = 1, 2
QUOTA, RECRUITED = "221", "03"  # 全额事业编制, 事业单位公开招聘
CLERK = Person("clerk@1", {"unit_clerk": frozenset({OFFICE})})
HEAD = Person("head@1", {"unit_head": frozenset({OFFICE})})
REVIEWER = Person("reviewer", {"reviewer": None})
SECOND = Person("reviewer2", {"reviewer": None})
LEADER = Person("leader", {"leader": None})
PAPER = {"name": "申请.pdf", "file": "x", "sha256": "ab", "bytes": 1}
USE = {
    "kind": "use",
    "what": "公开招聘",
    "why": "人手不足",
    "quota_type": QUOTA,
    "n": "1",
    "entry_way": RECRUITED,
    "request": [PAPER],
}
ROAD = (
    ("submit", CLERK, {}), ("confirm", HEAD, {}), ("receive", REVIEWER, {}), ("audit", REVIEWER, {}),
    ("pass_audit", REVIEWER, {}), ("endorse", REVIEWER, {}), ("discuss", REVIEWER, {"meeting_on": "2026-03-02"}),
    ("approve", LEADER, {}),
)  # fmt: skip


def settle(engine: Engine, heads: int = 2) -> None:
    """Two bureaus; the first with so many heads approved by the ledger."""
    with writing(engine) as session:
        office: dict[str, Any] = {
            "by": "office",
            "now": at(date(2026, 1, 5)),
            "may_write_locked": True,
            "may_create": True,
        }
        units = [{"unit_code": f"33020010{n}", "name": f"示例{n}局", "district_code": "330200"} for n in (1, 2)]
        assert write(session, "unit", units, **office).ids == {0: OFFICE, 1: OTHER}
        write(session, "ledger", [ledger_row("L1", plus=heads)], **office)


def ledger_row(number: str, *, plus: int = 0, minus: int = 0, unit: int = OFFICE) -> dict[str, Any]:
    """A row of the ledger that moves the quota."""
    return {
        "ledger_no": number, "unit": unit, "ledger_type": "2", "change_kind": "12", "status": "1", "quota_type": QUOTA,
        "delta_plus": plus, "delta_minus": minus, "doc_no": "甬编〔2019〕1号", "doc_date": 20190115, "entered_on": 20190117,
    }  # fmt: skip


def person_row(code: str, unit: int = OFFICE) -> dict[str, Any]:
    """A person in post on the quota."""
    return {"person_code": code, "name": "王小明", "unit": unit, "quota_type": QUOTA, "estab_status": "1"}


def facts(engine: Engine, dataset: str, *rows: Mapping[str, Any], on: date = MON) -> None:
    """Facts straight into the register, as an import brings them."""
    with writing(engine) as session:
        write(session, dataset, rows, by="office", now=at(on), may_write_locked=True, may_create=True)


def applied(engine: Engine, on: date = MON, actor: Person = CLERK, unit: int = OFFICE, **texts: Any) -> int:
    """An application as a draft."""
    with writing(engine) as session:
        return open_matter(session, "approval", unit, USE | texts, now=at(on), actor=actor)


def step(
    engine: Engine, case_id: int, do: str, actor: Person, on: date = MON, process: str = "approval", **more: Any
) -> None:
    """One step at nine of a day; raises what refuses it."""
    with writing(engine) as session:
        require_moved(take_step(session, process, do, [case_id], now=at(on), actor=actor, **more))


def audit(engine: Engine, on: date = MON, unit: int = OFFICE) -> Any:
    """The unit's audit of the week of a day."""
    with reading(engine) as session:
        return audits_of_week(session, [unit], on).get(unit)


def brought_to(engine: Engine, until: str, on: date = MON, **texts: Any) -> int:
    """An application taken along the road, up to and without the step `until`."""
    case_id = applied(engine, on, **texts)
    for do, actor, inputs in ROAD:
        if do == until:
            return case_id
        if do != "audit":
            step(engine, case_id, do, actor, on, inputs=inputs)
        elif (found := audit(engine, on)).state == "due":
            step(engine, found.id, "pass", REVIEWER, on, process="weekly_audit")
    return case_id


def case(engine: Engine, case_id: int) -> Any:
    """A case as it stands."""
    with reading(engine) as session:
        return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def notice(engine: Engine, case_id: int) -> Any:
    """The notice that an application brought."""
    with reading(engine) as session:
        return session.execute(select(NOTICE).where(NOTICE.c.case_id == case_id)).one()


def counter(engine: Engine, unit: int = OFFICE) -> tuple[int, int, int, int]:
    """Cap, used, reserved, over of the unit's quota."""
    with reading(engine) as session:
        row = session.execute(select(COUNTER).where(COUNTER.c.unit_id == unit, COUNTER.c.quota_type == QUOTA)).one()
        return row.cap, row.used, row.reserved, row.over
