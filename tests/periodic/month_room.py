"""A city bureau (A) with its school (B) and a county bureau (C): ledger, people, posts written through the registry; the month walked by named people."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from workflow.clock import SHANGHAI
from workflow.db import reading, writing, ymd
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import StepResult, require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.periodic.models import ITEM, REPORT, SNAPSHOT
from workflow.periodic.monthly import open_due_months
from workflow.registry import records
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

A, B, C = "330200101", "33020010101", "330282101"
MONTH, OPENS, LAST, AFTER = "2026-03", date(2026, 3, 25), date(2026, 3, 31), date(2026, 4, 7)
ENTERED = date(2026, 1, 5)
REVIEWER, CITY_LEADER = Person("reviewer", {"reviewer": None}), Person("leader", {"leader": None})


def at(day: date, hour: int = 9, minute: int = 0) -> datetime:
    """A moment of a day in Ningbo."""
    return datetime.combine(day, time(hour, minute), SHANGHAI)


def of(codes: str, label: str) -> str:
    """The code of a label."""
    return dictionary().codes[codes].by_label[label].code


def put(engine: Engine, dataset: str, rows: list[dict[str, Any]], on: date = ENTERED, **more: Any) -> None:
    """Writes records as the office would; dates as dates."""
    stored = [{name: ymd(value) if isinstance(value, date) else value for name, value in row.items()} for row in rows]
    with writing(engine) as session:
        records.write(
            session, dataset, stored, by="office", now=at(on), may_write_locked=True, may_create=True, **more
        )  # fmt: skip


def ids(engine: Engine) -> dict[str, int]:
    """Unit code → id."""
    with reading(engine) as session:
        return dict(session.execute(select(TABLES["unit"].c.unit_code, TABLES["unit"].c.id)).all())


def person(number: int, unit: int, **more: Any) -> dict[str, Any]:
    """A person in post since 2020 on an administrative quota."""
    row = {
        "person_code": f"P{number:08d}", "unit": unit, "name": "张某某", "estab_status": of("estab_status", "在编"),
        "quota_type": of("quota_type", "行政编制"), "entry_date": date(2020, 1, 1),
    }  # fmt: skip
    return row | more


def ledger(number: int, unit: int, plus: int, after: int, **more: Any) -> dict[str, Any]:
    """A ledger row that adds administrative quota."""
    row = {
        "ledger_no": f"L{number:04d}", "unit": unit, "ledger_type": of("ledger_type", "编制"), "delta_plus": plus,
        "delta_minus": 0, "balance_after": after, "quota_type": of("quota_type", "行政编制"), "doc_no": f"甬编〔2020〕{number}号",
        "doc_date": date(2020, 1, 1), "status": of("valid_status", "有效"), "entered_on": date(2020, 1, 2),
    }  # fmt: skip
    return row | more


def city(engine: Engine) -> dict[str, int]:
    """The units: A has quota 3 and two people, B quota 2 and two people, C quota 1 and one person."""
    living = of("unit_status", "正常")
    put(engine, "unit", [
        {"unit_code": A, "name": "示例局", "district_code": "330200", "status": living},
        {"unit_code": B, "name": "示例学校", "district_code": "330200", "status": living},
        {"unit_code": C, "name": "示例县局", "district_code": "330282", "status": living},
        {"unit_code": "330200999", "name": "已撤局", "district_code": "330200", "status": of("unit_status", "撤销")},
    ])  # fmt: skip
    u = ids(engine)
    put(engine, "unit", [{"unit_code": B, "parent": u[A]}])
    put(engine, "ledger", [ledger(1, u[A], 3, 3), ledger(2, u[B], 2, 2), ledger(3, u[C], 1, 1)])
    put(engine, "person", [person(n, u[where]) for n, where in enumerate((A, A, B, B, C), 1)])
    return u


def clerk(u: dict[str, int], unit: str = A) -> Person:
    """The unit's clerk."""
    return Person(f"clerk@{unit}", {"unit_clerk": frozenset({u[unit]})})


def head(u: dict[str, int], unit: str = A) -> Person:
    """The unit's head."""
    return Person(f"head@{unit}", {"unit_head": frozenset({u[unit]})})


def open_on(engine: Engine, day: date = OPENS) -> int:
    """The daily job of a day."""
    with writing(engine) as session:
        return open_due_months(session, at(day, 6, 30))


def report(engine: Engine, unit_id: int, month: str = MONTH) -> Any:
    """A unit's report with the state of its case."""
    with reading(engine) as session:
        joined = select(*REPORT.c, CASE.c.state, CASE.c.version, CASE.c.data).join(CASE, CASE.c.id == REPORT.c.case_id)
        return session.execute(joined.where(REPORT.c.unit_id == unit_id, REPORT.c.month == month)).one_or_none()


def items_of(engine: Engine, case_id: int) -> list[Any]:
    """The items of a report."""
    with reading(engine) as session:
        return list(session.execute(select(ITEM).where(ITEM.c.case_id == case_id).order_by(ITEM.c.id)))


def snapshot(engine: Engine, case_id: int) -> Any:
    """The locked snapshot."""
    with reading(engine) as session:
        return session.execute(select(SNAPSHOT).where(SNAPSHOT.c.case_id == case_id)).one_or_none()


def step(
    engine: Engine, case_id: int | list[int], do: str, on: date, actor: Person, *, process: str = "monthly_report", hour: int = 9, **more: Any
) -> StepResult:  # fmt: skip
    """One step in the morning of a day; raises what refuses it."""
    with writing(engine) as session:
        cases = case_id if isinstance(case_id, list) else [case_id]
        return require_moved(take_step(session, process, do, cases, now=at(on, hour), actor=actor, **more))


def answer_all(engine: Engine, case_id: int, on: date, actor: Person) -> None:
    """Every item answered 属实."""
    given = {str(item.id): "true" for item in items_of(engine, case_id)}
    step(engine, case_id, "answer", on, actor, inputs={"answers": given})


def confirmed(engine: Engine, u: dict[str, int], unit: str = A, on: date = date(2026, 3, 27)) -> int:
    """A report answered by the clerk and confirmed by the head."""
    case_id = report(engine, u[unit]).case_id
    answer_all(engine, case_id, on, clerk(u, unit))
    step(engine, case_id, "submit", on, clerk(u, unit))
    step(engine, case_id, "confirm", on, head(u, unit))
    return int(case_id)


def locked(engine: Engine, u: dict[str, int], unit: str = A) -> int:
    """A report confirmed, compared and locked."""
    case_id = confirmed(engine, u, unit)
    step(engine, case_id, "pass", AFTER, REVIEWER)
    step(engine, case_id, "lock", AFTER, REVIEWER)
    return case_id


def midnight(engine: Engine, day: date, before: bool = False) -> None:
    """The timers due as the day begins, or a minute before."""
    moment = at(day, 0)
    fire_due(engine, moment.replace() if not before else at(date.fromordinal(day.toordinal() - 1), 23, 59))


def tamper(session: Session, case_id: int, old: str, new: str) -> None:
    """What nobody may do: another figure in a kept snapshot."""
    content = session.scalars(select(SNAPSHOT.c.content).where(SNAPSHOT.c.case_id == case_id)).one()
    assert old in content
    session.execute(update(SNAPSHOT).where(SNAPSHOT.c.case_id == case_id).values(content=content.replace(old, new, 1)))
