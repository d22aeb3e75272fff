"""A migration: which cases of one version would go to another, and whether each can. Reads only; the writing is `migrating.py`'s."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from workflow.clock import business_date
from workflow.engine.context import ROW_COLUMNS, CaseRow
from workflow.engine.definition import Definition
from workflow.engine.form import COMPLETE, missing_fields
from workflow.engine.mapping import CaseMapping, Standing
from workflow.engine.mapping_proof import asked_for, prove_mapping
from workflow.engine.models import CASE, HISTORY, TIMER, ProcessDefinition
from workflow.engine.registry import book
from workflow.engine.sets import CHUNK, among
from workflow.errors import BadInput, NotFound

RUNNING = ("armed", "paused", "failed")
SHOWN = 10  # numbers of cases that a refusal names


@dataclass(frozen=True)
class Migration:
    """From one version of a process to another by a mapping."""

    old: Definition
    new: Definition
    mapping: CaseMapping

    @property
    def open(self) -> ColumnElement[bool]:
        """The cases that it is about: of the old version, in no final state. A green one is among them, it may come again."""
        states = [state.name for state in self.old.states.values() if not state.final]
        mine = (CASE.c.process == self.old.process) & CASE.c.state.in_(states)
        return mine & (CASE.c.definition == self.old.hash)

    def facts(self, state: str) -> dict[str, Any]:
        """What the history of a case says of it: both versions, and the rows of the mapping that concern its state."""
        written = self.mapping.as_json()
        return {
            "from": {"version": self.old.version, "hash": self.old.hash},
            "to": {"version": self.new.version, "hash": self.new.hash},
            "mapping": {part: rows[state] for part, rows in written.items() if state in rows},
        }


def versions_of(session: Session, process: str) -> list[Definition]:
    """Every version of a process under which a case ever began, and the one in force; the latest last."""
    kept = session.scalars(select(ProcessDefinition.hash).where(ProcessDefinition.process == process))
    found = {hash_: book().version(session, hash_) for hash_ in kept}
    found[book().process(process).hash] = book().process(process)
    return sorted(found.values(), key=lambda definition: (definition.version, definition.hash))


def versions_named(session: Session, process: str, *names: str) -> list[Definition]:
    """Versions by their number, or by the beginning of a hash where one number stands for several texts. Raises BadInput, NotFound."""
    known = versions_of(session, process)
    return [_named(known, name) for name in names]


def _named(known: Sequence[Definition], name: str) -> Definition:
    alike = [each for each in known if name == str(each.version) or (len(name) >= 8 and each.hash.startswith(name))]
    if len(alike) > 1:
        says = f"第 {name} 版有 {len(alike)} 种文本，请写明散列值开头：{'、'.join(each.hash[:12] for each in alike)}"
        raise BadInput(says)
    if not alike:
        numbers = "、".join(str(each.version) for each in known)
        raise NotFound(f"“{known[-1].title}”没有第 {name} 版（可用：{numbers}）")
    return alike[0]


def standing(session: Session, migration: Migration) -> Standing:
    """Where the open cases of the old version stand, and which of their timers run."""
    cases = select(CASE.c.state, func.count()).where(migration.open).group_by(CASE.c.state)
    running = select(CASE.c.state, TIMER.c.name, func.count()).join(TIMER, TIMER.c.case_id == CASE.c.id)
    running = running.where(migration.open, TIMER.c.state.in_(RUNNING)).group_by(CASE.c.state, TIMER.c.name)
    timers = {(row[0], row[1]): row[2] for row in session.execute(running)}
    return Standing({row[0]: row[1] for row in session.execute(cases)}, timers)


def prove_migration(session: Session, migration: Migration) -> Standing:
    """Where the open cases stand, if each of them can move. Raises BadInput with every row at fault and the known names."""
    old, new = migration.old, migration.new
    if old.hash == new.hash:
        raise BadInput(f"“{old.title}”两边是同一版")
    there = standing(session, migration)
    faults = prove_mapping(old, new, migration.mapping, there) or _lacking(session, migration, there)
    if faults:
        raise BadInput(f"不能迁移，未作任何改动：{'；'.join(faults)}", errors=faults)
    book().proved(new)
    return there


def _lacking(session: Session, migration: Migration, there: Standing) -> list[str]:
    """One sentence for each state whose cases lack what the new version asks for."""
    asked = asked_for(migration.old, migration.new, migration.mapping)
    found: dict[tuple[str, str], list[int]] = {}
    for state in (state for state in asked if there.cases.get(state)):
        mine, after = select(*ROW_COLUMNS).where(migration.open, CASE.c.state == state).order_by(CASE.c.id), 0
        while cases := [CaseRow._make(row) for row in session.execute(mine.where(CASE.c.id > after).limit(CHUNK))]:
            for case_id, names in lacking(session, migration, cases).items():
                found.setdefault((state, "、".join(names)), []).append(case_id)
            after = cases[-1].id
            if len(cases) < CHUNK:
                break
    return [_lack_says(migration, state, what, ids) for (state, what), ids in found.items()]


def _lack_says(migration: Migration, state: str, what: str, ids: Sequence[int]) -> str:
    to = migration.new.states[migration.mapping.states[state]].title
    named = "、".join(map(str, ids[:SHOWN])) + ("等" if len(ids) > SHOWN else "")
    known = "、".join(f"{each.label}（{name}）" for name, each in migration.new.inputs.items())
    tail = f"（新版的填写项：{known}）" if known else ""
    return f"states.{state}：新版的“{to}”须已填写{what}，有 {len(ids)} 件没有：{named}{tail}"


def lacking(session: Session, migration: Migration, cases: Sequence[CaseRow]) -> dict[int, list[str]]:
    """Case → the labels of what the new version asks for in its state and it never gave."""
    asked = asked_for(migration.old, migration.new, migration.mapping)
    wanting = {case.id: asked[case.state] - _told(case) - {COMPLETE} for case in cases if case.state in asked}
    given = _given(session, [case_id for case_id, names in wanting.items() if names])
    found: dict[int, list[str]] = {}
    for case in (case for case in cases if case.id in wanting):
        names = sorted(wanting[case.id] - given.get(case.id, set()))
        labels = [f"{migration.new.input(name).label}（{name}）" for name in names]
        if COMPLETE in asked[case.state]:
            lacks = missing_fields(migration.new.form, case.data.get("form", {}))
            labels += [f"{each.label}（{each.name}）" for each in lacks]
        if labels:
            found[case.id] = labels
    return found


def _told(case: CaseRow) -> set[str]:
    """What stands in the case's data and its form."""
    return {name for name, value in (case.data | case.data.get("form", {})).items() if value}


def _given(session: Session, case_ids: Collection[int]) -> dict[int, set[str]]:
    """Case → the inputs that its steps were given; `reason` among them."""
    if not case_ids:
        return {}
    acts = select(HISTORY.c.case_id, HISTORY.c.facts, HISTORY.c.reason).where(
        among(session, HISTORY.c.case_id, case_ids)
    )
    found: dict[int, set[str]] = {}
    for case_id, facts, reason in session.execute(acts):
        names = {name for name, value in facts.get("inputs", {}).items() if value}
        found.setdefault(case_id, set()).update(names | ({"reason"} if reason else set()))
    return found


def running_timers(session: Session, case_ids: Collection[int], *more: str) -> Sequence[Row[Any]]:
    """The timers of the cases that run, are stopped, or were given up and wait for a person; `more`: further states."""
    mine = select(TIMER).where(among(session, TIMER.c.case_id, case_ids), TIMER.c.state.in_([*RUNNING, *more]))
    return session.execute(mine.order_by(TIMER.c.case_id, TIMER.c.due_at, TIMER.c.id)).all()


def standing_since(cases: Sequence[CaseRow]) -> list[date]:
    """For each case the business date on which it came to its state: what begins in the new version counts from there."""
    return [business_date(case.state_since) for case in cases]
