"""Two versions of the parcel: the second renames a state and a timer, asks one more question, and reminds once more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.engine.conftest import COURIER, LENGTHS, PARCEL, SENDER, parcel_book
from workflow.db import reading, writing
from workflow.engine.context import StepContext
from workflow.engine.definition import Definition, read_definition
from workflow.engine.form import COMPLETE
from workflow.engine.mapping import read_mapping
from workflow.engine.migrating import Migrated, migrate_cases
from workflow.engine.migration import Migration
from workflow.engine.models import CASE, TIMER
from workflow.engine.registry import Book
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.engine.verdicts import Verdict
from workflow.policy import Term

FIRST = PARCEL.replace(
    "timers:",
    """  - {do: remind,  title: 催促, from: waiting, to: waiting, by: clock}
timers:
  - {in: waiting, after: remind, do: remind}""",
)
SECOND = (
    FIRST.replace("version: 1", "version: 2")
    .replace("waiting", "underway")
    .replace("delay", "miss")
    .replace("after: miss", "after: delay")
    .replace("[is_light, is_known]", "[is_light, is_insured]")
)
MAPPING = """
states: {packed: packed, waiting: underway, late: late, held: held, arrived: arrived}
timers:
  waiting: {delay: miss, remind: remind}
  held: {lose: lose}
"""
TERMS = LENGTHS | {"remind": Term(1, "working_days"), "more": Term(2, "working_days")}


def lengths(session: Session, name: str, unit_ids: Iterable[int | None]) -> Mapping[int | None, Term]:
    return dict.fromkeys(unit_ids, TERMS[name])


def is_insured(context: StepContext) -> dict[int, list[Verdict]]:
    return {case.id: [Verdict("is_insured", bool(case.data.get("insured")), "已保价")] for case in context.cases}


def release(text: str) -> Book:
    """The book of a release in which that version is in force."""
    book = parcel_book()
    guards = {**book.guards, "is_insured": is_insured, COMPLETE: is_insured}
    current = {"parcel": read_definition(text, "parcel.yaml")}
    return replace(book, current=current, guards=guards, terms=dict.fromkeys(TERMS, lengths), pinned={})


def first() -> Definition:
    return release(FIRST).current["parcel"]


def migration(mapping: str = MAPPING, text: str = SECOND) -> Migration:
    return Migration(first(), release(text).current["parcel"], read_mapping(mapping))


def put(engine: Engine, now: datetime, n: int = 1, name: str = "p", **data: object) -> list[int]:
    """Parcels on their way, under the version in force."""
    with writing(engine) as session:
        new = [NewCase(1, f"{name}{i}", day_zero=now.date(), data=data) for i in range(n)]
        return open_cases(session, "parcel", new, now=now, actor=SENDER)


def step(engine: Engine, case_id: int, do: str, now: datetime, reason: str | None = None) -> None:
    with writing(engine) as session:
        require_moved(take_step(session, "parcel", do, [case_id], now=now, actor=COURIER, reason=reason))


def move(engine: Engine, ids: Iterable[int], now: datetime, mapping: str = MAPPING, text: str = SECOND) -> Migrated:
    """The migration carried out on some cases."""
    with writing(engine) as session:
        return migrate_cases(session, migration(mapping, text), list(ids), now=now, actor=SENDER, reason="新版")


def case(engine: Engine, case_id: int) -> Any:
    with reading(engine) as session:
        return session.execute(select(CASE).where(CASE.c.id == case_id)).one()


def timers(engine: Engine, case_id: int, *states: str) -> dict[str, datetime]:
    """Name → moment of a case's timers in these states (armed unless said)."""
    with reading(engine) as session:
        mine = select(TIMER.c.name, TIMER.c.due_at).where(TIMER.c.case_id == case_id)
        return {r.name: r.due_at for r in session.execute(mine.where(TIMER.c.state.in_(states or ("armed",))))}
