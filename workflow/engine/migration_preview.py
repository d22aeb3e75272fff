"""The dry run of a migration, case by case: state, timers with their dates, open steps and verdicts before and after. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from workflow.clock import business_date
from workflow.engine.actors import SYSTEM
from workflow.engine.arming import counted
from workflow.engine.context import ROW_COLUMNS, CaseRow, Request, StepContext
from workflow.engine.definition import Definition, Step
from workflow.engine.form import COMPLETE
from workflow.engine.judging import guard_verdicts
from workflow.engine.mapping_proof import begun
from workflow.engine.migration import Migration, running_timers, standing_since
from workflow.engine.models import CASE
from workflow.engine.registry import Book, book
from workflow.engine.sets import grouped


@dataclass(frozen=True)
class TimerMove:
    """One timer: its name before and after (empty: it begins, or it is dropped and why), its date, and what it does now."""

    before: str
    after: str
    due_on: date
    due_at: datetime
    state: str
    why: str = ""


@dataclass(frozen=True)
class Difference:
    """A guard of a step whose answer changes; None stands for not asked. Answers that hang on who acts are given for nobody."""

    do: str
    guard: str
    before: bool | None
    after: bool | None
    says: str


@dataclass(frozen=True)
class CaseMove:
    """What would become of one case."""

    case: int
    subject: str
    title: str
    unit_id: int | None
    before: str
    after: str
    timers: tuple[TimerMove, ...]
    spent: tuple[str, ...]
    steps: tuple[str, ...]
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """For the command line."""
        return asdict(self)


def preview(
    session: Session, migration: Migration, *, now: datetime, after: int = 0, most: int = 500, verdicts: bool = True
) -> list[CaseMove]:
    """What would become of the next cases, in the order of their ids; the migration has been proved. `verdicts`: judge the steps too."""
    wanted = select(*ROW_COLUMNS).where(migration.open, CASE.c.id > after).order_by(CASE.c.id).limit(most)
    cases = [CaseRow._make(row) for row in session.execute(wanted)]
    ids = [case.id for case in cases]
    timers = grouped((timer.case_id, timer) for timer in running_timers(session, ids, "fired"))
    begins = _begins(session, migration, cases, now)
    answers = _differences(session, migration, cases, now) if verdicts else {}
    return [
        CaseMove(
            case.id, case.subject, case.title, case.unit_id, case.state, migration.mapping.states[case.state],
            (*_carried(migration, case, timers.get(case.id, ())), *begins.get(case.id, ())),
            _spent(timers.get(case.id, ())), tuple(_steps(migration, case.state)), tuple(answers.get(case.id, ())),
        )
        for case in cases
    ]  # fmt: skip


def _carried(migration: Migration, case: CaseRow, timers: Iterable[Row[Any]]) -> Iterator[TimerMove]:
    for timer in (timer for timer in timers if timer.state != "fired"):
        onto = migration.mapping.timers[case.state][timer.name]
        yield TimerMove(timer.name, onto.name or "", timer.due_on, timer.due_at, timer.state, onto.why)


def _begins(
    session: Session, migration: Migration, cases: Sequence[CaseRow], now: datetime
) -> dict[int, list[TimerMove]]:
    found: dict[int, list[TimerMove]] = {}
    for state, ours in grouped((case.state, case) for case in cases).items():
        rules = [rule for rule in migration.new.timers if rule.do in begun(migration.mapping, state)]
        armed, groups = (
            counted(session, book(), rules, ours, standing_since(ours), opening=True) if rules else (None, {})
        )
        for (do, when), entered in groups.items():
            move = TimerMove("", do, when.due_on, when.due_at, "armed" if when.known else "paused")
            for each in entered:
                found.setdefault(each.id, []).append(move)
        for do, ids in armed.at_once.items() if armed else ():
            for case_id in ids:
                found.setdefault(case_id, []).append(TimerMove("", do, business_date(now), now, "at once"))
    return found


def _spent(timers: Iterable[Row[Any]]) -> tuple[str, ...]:
    """Timers that fired; they never come again."""
    return tuple(dict.fromkeys(timer.name for timer in timers if timer.state == "fired"))


def _steps(migration: Migration, state: str) -> Iterator[str]:
    """The steps of the new state."""
    to = migration.mapping.states[state]
    return (step.do for step in migration.new.steps if to in step.sources)


def _differences(
    session: Session, migration: Migration, cases: Sequence[CaseRow], now: datetime
) -> dict[int, list[Difference]]:
    found: dict[int, list[Difference]] = {}
    for state, ours in grouped((case.state, case) for case in cases).items():
        to = migration.mapping.states[state]
        there = [case._replace(state=to) for case in ours]
        for step in (step for step in migration.new.steps if to in step.sources):
            before = migration.old.row(state, step.do)
            names = _judged_anew(migration, state, before, step)
            was = _answers(session, migration.old, before, names, ours, now) if before else {}
            will = _answers(session, migration.new, step, names, there, now)
            for case in ours:
                changes = list(_changes(step.do, was.get(case.id, {}), will.get(case.id, {})))
                if changes:
                    found.setdefault(case.id, []).extend(changes)
    return found


def _judged_anew(migration: Migration, state: str, before: Step | None, after: Step) -> frozenset[str]:
    """The guards whose answer may change: asked in one version only, reading another form, or any where the state has a new name."""
    was, will = frozenset(before.when if before else ()), frozenset(after.when)
    if state != migration.mapping.states[state]:
        return was | will
    both = was & will
    return (was ^ will) | (both & {COMPLETE} if migration.old.form != migration.new.form else frozenset())


def _changes(
    do: str, was: Mapping[str, tuple[bool, str]], will: Mapping[str, tuple[bool, str]]
) -> Iterator[Difference]:
    for guard in dict.fromkeys([*was, *will]):
        before, after = was.get(guard), will.get(guard)
        if before is None or after is None or before[0] != after[0]:
            says = (after or before or (False, ""))[1]
            yield Difference(do, guard, before[0] if before else None, after[0] if after else None, says)


def _answers(
    session: Session,
    definition: Definition,
    step: Step,
    names: Collection[str],
    cases: Sequence[CaseRow],
    now: datetime,
) -> dict[int, dict[str, tuple[bool, str]]]:
    """Case → guard → whether all its verdicts hold, and the first sentence that decides. Guards that this release lost are left out."""
    in_force: Book = book()
    known = replace(step, when=tuple(name for name in step.when if name in names and name in in_force.guards))
    if not known.when:
        return {}
    context = StepContext(session, in_force, definition, known, list(cases), Request(step.do, now, SYSTEM))
    found: dict[int, dict[str, tuple[bool, str]]] = {}
    for case_id, verdicts in guard_verdicts(context).items():
        by_guard = grouped((verdict.guard, verdict) for verdict in verdicts)
        found[case_id] = {
            guard: (all(v.holds for v in each), next((v.says for v in each if not v.holds), each[0].says))
            for guard, each in by_guard.items()
        }
    return found
