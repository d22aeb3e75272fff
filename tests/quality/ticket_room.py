"""A city of three units and hand-written findings, for the tests of tickets and rounds: what the rules would have found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.orm import Session

from workflow.clock import SHANGHAI
from workflow.db import reading, writing, writing_on
from workflow.engine.models import CASE
from workflow.engine.timers import FireResult, fire_due
from workflow.quality.findings import prepare
from workflow.quality.models import TICKET, CheckRun
from workflow.quality.red_rounds import Consequence, count_rounds
from workflow.quality.tickets import Applied, Run, apply_findings
from workflow.registry.tables import TABLES

OFFICE, SCHOOL, COUNTY = 1, 2, 3  # 3 lies in Cixi, whose lights turn red a working day earlier
PAIRS = [("T03", "person"), ("P04", "person"), ("F12", "person")]


def at(day: date, hour: int = 9) -> datetime:
    """A moment of a day in Ningbo, in UTC."""
    return datetime.combine(day, time(hour), SHANGHAI).astimezone(UTC)


def settle(engine: Engine) -> None:
    """The units, and one person record for each of the numbers 1 to 40."""
    entered = {"first_entered_by": "x", "first_entered_at": at(date(2026, 1, 5)), "changed_at": at(date(2026, 1, 5))}
    with writing(engine) as session:
        units = [(OFFICE, "330200", None), (SCHOOL, "330200", OFFICE), (COUNTY, "330282", None)]
        for id_, district, parent in units:
            unit = {
                "id": id_,
                "unit_code": f"3302000{id_}",
                "name": f"单位{id_}",
                "district_code": district,
                "parent_id": parent,
            }
            session.execute(insert(TABLES["unit"]), unit | entered)
        people = [{"id": n, "person_code": f"P{n:08d}", "unit_id": OFFICE, **entered} for n in range(1, 41)]
        session.execute(insert(TABLES["person"]), people)


def finding(record: int, rule: str = "T03", *, unit: int = OFFICE, level: str = "W", **facts: Any) -> dict[str, Any]:
    """One finding as the check writes it."""
    return {
        "rule_id": rule, "dataset": "person", "record_id": record, "part": "", "unit_id": unit,
        "record_key": f"P{record:08d}", "level": level, "field": "entry_date",
        "facts": json.dumps(facts or {"入编时间": "2001-01-01"}, ensure_ascii=False), "batch_id": None,
    }  # fmt: skip


def check(
    engine: Engine,
    day: date,
    found: Iterable[dict[str, Any]],
    *,
    judged: Iterable[tuple[str, str]] = PAIRS,
    scope: Iterable[int] | None = None,
    hour: int = 6,
    watermark: int = 1 << 40,
) -> Applied:
    """A run of that day with these findings; `scope` narrows it to some person records."""
    with engine.connect() as connection, writing_on(connection) as session:
        run = stage(session, day, found, judged=judged, scope=scope, hour=hour, watermark=watermark)
        return apply_findings(session, run, {"T03": "入编早于参加工作"})


def stage(
    session: Session,
    day: date,
    found: Iterable[dict[str, Any]],
    *,
    judged: Iterable[tuple[str, str]] = PAIRS,
    scope: Iterable[int] | None = None,
    hour: int = 6,
    watermark: int = 1 << 40,
) -> Run:
    """A run whose findings stand in the temporary tables, ready to be applied."""
    now = at(day, hour)
    row = CheckRun(on=day, kind="full", started_at=now)
    session.add(row)
    session.flush()
    prepare(session.connection())
    fill(session, "judged", [{"rule_id": rule, "dataset": dataset} for rule, dataset in judged])
    fill(session, "found", list(found))
    session.execute(text("DELETE FROM scope"))
    fill(session, "scope", [{"dataset": "person", "record_id": record} for record in scope or []])
    return Run(row.id, watermark, scope is not None, day, now)


def fill(session: Session, table: str, rows: list[dict[str, Any]]) -> None:
    """Rows into a temporary table."""
    if rows:
        values = [f"CAST(:{c} AS jsonb)" if c == "facts" and _postgresql(session) else f":{c}" for c in rows[0]]
        session.connection().execute(
            text(f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({', '.join(values)})"), rows
        )


def _postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def midnight(engine: Engine, day: date) -> FireResult:
    """The clock as the day begins."""
    return fire_due(engine, at(day, 0))


def rounds(engine: Engine, day: date) -> list[Consequence]:
    """The day's count of red rounds."""
    with writing(engine) as session:
        return count_rounds(session, day, at(day, 6))


def remove(engine: Engine, record: int, on: date | None) -> None:
    """Takes a person out of the roster, or back in."""
    person = TABLES["person"]
    with writing(engine) as session:
        session.execute(update(person).where(person.c.id == record).values(removed_on=on))


def ticket(engine: Engine, record: int, rule: str = "T03") -> Any:
    """A ticket with the state and light of its case."""
    joined = select(*TICKET.c, CASE.c.state, CASE.c.light, CASE.c.open, CASE.c.unit_id.label("case_unit"))
    with reading(engine) as session:
        joined = joined.join(CASE, CASE.c.id == TICKET.c.case_id, isouter=True)
        return session.execute(joined.where(TICKET.c.record_id == record, TICKET.c.rule_id == rule)).one_or_none()


def days(first: date, last: date) -> Iterable[date]:
    """Every day from first to last."""
    return (first + timedelta(n) for n in range((last - first).days + 1))
