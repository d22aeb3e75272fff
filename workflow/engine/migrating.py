"""Open cases moved to another version of their process, under lock and in sets. Due dates stay as they are; nothing here commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, literal, null, select, update
from sqlalchemy.orm import Session

from workflow.engine.actors import CLOCK, Actor
from workflow.engine.arming import begin
from workflow.engine.auditing import note_step
from workflow.engine.context import CaseRow, Request
from workflow.engine.definition import MIGRATE
from workflow.engine.mapping import Standing
from workflow.engine.mapping_proof import begun, prove_mapping
from workflow.engine.migration import Migration, lacking, running_timers, standing_since
from workflow.engine.models import CASE, HISTORY, TIMER
from workflow.engine.registry import book
from workflow.engine.sets import among, grouped, insert_for_cases
from workflow.engine.steps import advance, lock_cases, note_due, pin

COPIED = ("start_on", "term", "n", "unit", "due_on", "due_at", "provisional", "state", "attempts", "next_try_at", "last_error")  # fmt: skip


@dataclass
class Migrated:
    """The cases that moved, and why others stay where they are."""

    moved: list[int] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)


def migrate_cases(
    session: Session,
    migration: Migration,
    case_ids: Collection[int],
    *,
    now: datetime,
    actor: Actor,
    reason: str,
    facts: Mapping[str, Any] | None = None,
) -> Migrated:
    """Moves a set of cases to the new version; one that moved already, or ended, is passed over, so that a repeat does nothing.

    1. Locks the cases in the order of their ids, then reads their timers.
    2. A case for which the mapping has no place by now is left, with the reason.
    3. History, state, inbox; timers go on under their new names with the dates that they have; what begins is counted by its rule.
    """
    mine = [
        case for case in lock_cases(session, migration.old.process, case_ids)
        if case.definition == migration.old.hash and not migration.old.states[case.state].final
    ]  # fmt: skip
    timers = running_timers(session, [case.id for case in mine])
    result = Migrated(left=_without_place(session, migration, mine, timers))
    going = [case for case in mine if case.id not in result.left]
    if not going:
        return result
    pin(session, migration.new, now)
    request = Request(MIGRATE, now, actor, reason=reason)
    for state, cases in grouped((case.state, case) for case in going).items():
        _move(session, migration, state, cases, request, facts or {})
        ids = {case.id for case in cases}
        _carry_over(session, migration, state, [timer for timer in timers if timer.case_id in ids], now)
        _begin(session, migration, state, cases, now)
    note_due(session, [case.id for case in going])
    result.moved = [case.id for case in going]
    return result


def _without_place(
    session: Session, migration: Migration, cases: Sequence[CaseRow], timers: Sequence[Row[Any]]
) -> dict[int, str]:
    """Case → why it stays. All are judged together first: as a rule none stays."""
    by_case = grouped((timer.case_id, timer) for timer in timers)
    lacks = lacking(session, migration, cases) if not _faults(migration, cases, by_case) else {}
    if not lacks and not _faults(migration, cases, by_case):
        return {}
    found = {case.id: _faults(migration, [case], by_case) for case in cases}
    good = [case for case in cases if not found[case.id]]
    found |= {case_id: [f"须已填写{'、'.join(names)}"] for case_id, names in lacking(session, migration, good).items()}
    return {case_id: "；".join(faults) for case_id, faults in found.items() if faults}


def _faults(migration: Migration, cases: Sequence[CaseRow], by_case: Mapping[int, Sequence[Row[Any]]]) -> list[str]:
    running = Counter((case.state, timer.name) for case in cases for timer in by_case.get(case.id, ()))
    there = Standing(Counter(case.state for case in cases), running)
    return prove_mapping(migration.old, migration.new, migration.mapping, there)


def _move(
    session: Session,
    migration: Migration,
    state: str,
    cases: Sequence[CaseRow],
    request: Request,
    facts: Mapping[str, Any],
) -> None:
    """History first, while the rows still show the version before; then definition, state and inbox. Who holds a case keeps it where the turn is the same."""
    ids, before, after = (
        [c.id for c in cases],
        migration.old.states[state],
        migration.new.states[migration.mapping.states[state]],
    )
    told = {**migration.facts(state), **facts}
    note_step(session, cases, request, after.name, {state})
    act = {
        "do": MIGRATE, "from_state": state, "to_state": after.name, "actor": request.actor.account, "on_behalf_of": None,
        "at": request.now, "effective_at": request.now, "reason": request.reason, "facts": told,
    }  # fmt: skip
    insert_for_cases(session, HISTORY, ids, act, version="version", bump=1)
    values = {
        "definition": migration.new.hash,
        "state": after.name,
        "inbox": after.inbox,
        "version": CASE.c.version + 1,
    }
    if before.inbox != after.inbox:
        values["assignee"] = null()
    session.execute(update(CASE).where(among(session, CASE.c.id, ids)).values(**values))


def _carry_over(session: Session, migration: Migration, state: str, timers: Sequence[Row[Any]], now: datetime) -> None:
    """A timer of the same name runs on untouched; one of another name ends and goes on as a new row with the very same dates."""
    for do, rows in grouped((timer.name, timer) for timer in timers).items():
        onto = migration.mapping.timers[state][do]
        if onto.name == do:
            continue
        mine = among(session, TIMER.c.id, [timer.id for timer in rows])
        if onto.name is not None:
            columns = [TIMER.c[name] for name in COPIED]
            same = select(TIMER.c.case_id, literal(onto.name), CASE.c.version, *columns)
            same = same.join(CASE, CASE.c.id == TIMER.c.case_id).where(mine)
            session.execute(insert(TIMER).from_select(["case_id", "name", "arming", *COPIED], same))
        session.execute(update(TIMER).where(mine).values(state="cancelled", ended_at=now))


def _begin(session: Session, migration: Migration, state: str, cases: Sequence[CaseRow], now: datetime) -> None:
    rules = [rule for rule in migration.new.timers if rule.do in begun(migration.mapping, state)]
    if not rules:
        return
    rows = lock_cases(session, migration.new.process, [case.id for case in cases])
    armed = begin(session, book(), rules, rows, standing_since(rows))
    by_id = {row.id: row for row in rows}
    for do, ids in armed.at_once.items():
        advance(session, [by_id[id_] for id_ in ids], Request(do, now, CLOCK, fired=True))
