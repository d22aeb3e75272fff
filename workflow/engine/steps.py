"""The one writer: opens cases and takes steps on sets of them. Nothing else changes a case's state; nothing here commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from workflow.clock import business_date
from workflow.engine.actors import CLOCK, Actor
from workflow.engine.arming import Armed, arm, cancel, entering, kept
from workflow.engine.context import CaseRow, Request, StepContext
from workflow.engine.definition import Definition, State
from workflow.engine.history import write_history
from workflow.engine.judging import judge
from workflow.engine.models import CASE, Case, CaseHistory, ProcessDefinition
from workflow.engine.outbox import emit_all, held, insert_new
from workflow.engine.registry import Book, book
from workflow.engine.sets import among, bound, chunks, grouped
from workflow.engine.statements import keeping, locking, moving, noting_due
from workflow.engine.verdicts import Verdict
from workflow.errors import Conflict, NotAllowed, NotFound, Refused
from workflow.prepared import together
from workflow.scoping import whole_view


@dataclass(frozen=True)
class NewCase:
    """A case to open: `subject` is unique in its process, `day_zero` the fact that its terms count from (default: today)."""

    unit_id: int | None
    subject: str
    title: str = ""
    day_zero: date | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class StepResult:
    """The ids of the cases that moved, and the verdicts that kept the others where they are."""

    moved: list[int] = field(default_factory=list)
    refused: dict[int, list[Verdict]] = field(default_factory=dict)

    def add(self, other: StepResult) -> None:
        """Takes in the result of another chunk."""
        self.moved += other.moved
        self.refused |= other.refused


def open_cases(
    session: Session,
    process: str,
    new: Sequence[NewCase],
    *,
    now: datetime,
    actor: Actor,
    on_behalf_of: str | None = None,
) -> list[int]:
    """Opens cases in the initial state; returns their ids in the order given.

    Timers of the initial state are armed; what is due at once (a term of 0 working days) happens in the same transaction.
    Raises NotAllowed where the definition names other roles under `opened_by`, Conflict for a subject already there.
    """
    in_force = book()
    definition = in_force.process(process)
    _prove_may_open(session, definition, new, actor)
    pin(session, definition, now)
    ids: list[int] = []
    with whole_view(session):
        for part in chunks(new):
            ids += _open(session, in_force, definition, part, Request("open", now, actor, on_behalf_of))
    return ids


def _prove_may_open(session: Session, definition: Definition, new: Sequence[NewCase], actor: Actor) -> None:
    units = {case.unit_id for case in new if case.unit_id is not None}
    allowed: set[int] = set()
    for role in definition.opened_by:
        if actor.has(role) and units <= (allowed := allowed | set(actor.reach(session, role, units))):
            return
    raise NotAllowed(
        f"“{definition.title}”不由您发起", process=definition.process, opened_by=list(definition.opened_by)
    )


def pin(session: Session, definition: Definition, now: datetime) -> None:
    """Keeps the text of a version under which cases run; one that is there stays as it is."""
    row = {
        "hash": definition.hash,
        "process": definition.process,
        "version": definition.version,
        "text": definition.text,
        "first_used_at": now,
    }
    session.execute(insert_new(session, ProcessDefinition, ["hash"]), [row])


def _open(
    session: Session, in_force: Book, definition: Definition, new: Sequence[NewCase], request: Request
) -> list[int]:
    now, today = request.now, business_date(request.now)
    state = definition.states[definition.initial]
    standing = {"process": definition.process, "definition": definition.hash, "version": 1, **_standing(state)}
    opening = {"opened_at": now, "opened_by": request.actor.account, "state_since": now}
    rows = [
        {
            **standing,
            **opening,
            "unit_id": case.unit_id,
            "subject": case.subject,
            "title": case.title,
            "day_zero": case.day_zero or today,
            "data": dict(case.data),
        }
        for case in new
    ]
    opened = insert_new(session, Case, ["process", "subject"]).returning(CASE.c.subject, CASE.c.id)
    numbers: dict[str, int] = dict(session.execute(opened, rows).all())
    _prove_new(definition, new, list(numbers))
    ids = [numbers[case.subject] for case in new]
    cases = [
        CaseRow(
            id=id_, assignee=None, **{name: row[name] for name in CaseRow._fields if name not in ("id", "assignee")}
        )
        for id_, row in zip(ids, rows, strict=True)
    ]
    since = [now] * len(cases)
    write_history(session, cases, request, state.name, since, {}, opening=True)
    armed, timers = entering(session, in_force, definition, state.name, cases, [today] * len(cases), opening=True)
    arm(session, timers, 0)
    for due_at, ours in grouped((moment, id_) for id_, moment in armed.due_at.items()).items():
        session.execute(update(CASE).where(among(session, CASE.c.id, ours)).values(due_at=due_at))
    _do_at_once(session, cases, armed, request)
    return ids


def _prove_new(definition: Definition, new: Sequence[NewCase], opened: Sequence[str]) -> None:
    for subject in Counter(case.subject for case in new) - Counter(opened):
        raise Conflict(f"“{definition.title}”已有同一事项", subject=subject)


def take_step(
    session: Session,
    process: str,
    do: str,
    case_ids: Iterable[int],
    *,
    now: datetime,
    actor: Actor,
    on_behalf_of: str | None = None,
    reason: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    effective_at: datetime | Mapping[int, datetime] | None = None,
    day_zero: Mapping[int, date] | None = None,
    versions: Mapping[int, int] | None = None,
) -> StepResult:
    """Moves a set of cases through one action, in chunks of 500; one click is a set of one.

    1. Locks the cases in the order of their ids. Raises NotFound for an id that is no case of the process in reach, and Conflict
       where `versions` (case id → version seen) shows that somebody acted since.
    2. Judges each case: from-state, role, inputs needed, all guards. The refused stay as they are, with their verdicts.
    3. Effects; then state, light, inbox, timers and history of the moved, set-based.
    4. What is due at once in the new state follows in the same transaction.
    """
    request = Request(do, now, actor, on_behalf_of, reason, inputs or {}, effective_at, day_zero or {})
    result = StepResult()
    for ids in chunks(sorted(set(case_ids))):
        cases = lock_cases(session, process, ids)
        _prove_all_there(ids, cases)
        if versions:
            _prove_unchanged(session, cases, versions)
        with whole_view(session):
            result.add(advance(session, cases, request))
    return result


def require_moved(result: StepResult) -> StepResult:
    """The result where every case moved. Raises NotAllowed or Refused with all verdicts otherwise."""
    for verdicts in result.refused.values():
        missing = [verdict for verdict in verdicts if not verdict.holds]
        if any(verdict.guard == "role" for verdict in missing):
            raise NotAllowed(verdicts=[verdict.as_json() for verdict in verdicts])
        raise Refused("；".join(verdict.says for verdict in missing), verdicts=verdicts)
    return result


def lock_cases(session: Session, process: str, ids: Collection[int], *, skip_locked: bool = False) -> list[CaseRow]:
    """The cases in the order of their ids, locked until the transaction ends (on SQLite the write lock does it).

    The process is not a condition of the statement: it tempts both planners to read every case of the process.
    """
    shape, chosen = bound(session, ids)
    rows = locking(shape, CaseRow._fields, skip_locked=skip_locked).rows(session, {"ids": chosen})
    return [case for case in map(CaseRow._make, rows) if case.process == process]


def _prove_all_there(ids: Collection[int], cases: Sequence[CaseRow]) -> None:
    missing = set(ids) - {case.id for case in cases}
    if missing:
        raise NotFound(ids=sorted(missing))


def _prove_unchanged(session: Session, cases: Sequence[CaseRow], versions: Mapping[int, int]) -> None:
    for case in cases:
        seen = versions.get(case.id, case.version)
        if seen == case.version:
            continue
        since = select(CaseHistory).where(CaseHistory.case_id == case.id, CaseHistory.version > seen)
        acts = session.scalars(since.order_by(CaseHistory.version)).all()
        what = [{"do": act.do, "actor": act.actor, "at": act.at.isoformat(), "to": act.to_state} for act in acts]
        title = book().version(session, case.definition).title_of
        says = "、".join(f"{act.actor} 已办理“{title(act.do)}”" for act in acts)
        raise Conflict(f"您打开之后，{says}，请刷新后重试", case=case.id, version=case.version, since=what)


def advance(session: Session, cases: Sequence[CaseRow], request: Request) -> StepResult:
    """Steps 2 to 4 of take_step on cases that are already locked."""
    in_force, result = book(), StepResult()
    for hash_, ours in grouped((case.definition, case) for case in cases).items():
        definition = in_force.version(session, hash_)
        judged = judge(session, in_force, definition, ours, request)
        result.refused |= judged.refused
        for step, may in judged.moving:
            context = StepContext(session, in_force, definition, step, may, request)
            _carry_out(context, judged.verdicts)
            result.moved += context.ids
    return result


def _carry_out(context: StepContext, verdicts: Mapping[int, list[Verdict]]) -> None:
    session, definition, request = context.session, context.definition, context.request
    with held(session) as messages:
        for name in context.step.then:
            context.book.effects[name](context)
    sources = grouped((case.state, case.id) for case in context.cases)
    for source in sources:
        definition.destination(source, request.do)  # the library's own word on the move
    cases = _changed(context)
    since = [request.effective(case) for case in cases]
    days = {moment: business_date(moment) for moment in set(since)}
    on = [days[moment] for moment in since]
    armed, timers = entering(session, context.book, definition, context.step.to, cases, on)
    with together(session):
        emit_all(session, messages, request.now)
        _cancel(context, sources)
        _keep_changes(context, cases)
        arm(session, timers, 1)
        # History refers to the case, and goes in while the row that is locked is the one that it refers to.
        write_history(session, cases, request, context.step.to, since, verdicts)
        _move(context, sources, cases, since, armed)
    if armed.at_once:
        state = definition.states[context.step.to]
        moved = [_moved(case, state, moment) for case, moment in zip(cases, since, strict=True)]
        _do_at_once(session, moved, armed, request)


def _changed(context: StepContext) -> list[CaseRow]:
    """The cases with what effects put into their data, and with a new day zero."""
    zero, changes = context.request.day_zero, context.changes
    if not zero and not changes:
        return context.cases
    return [
        case._replace(
            day_zero=zero.get(case.id, case.day_zero), data={**case.data, **changes.get(case.id, {})}
        )
        for case in context.cases
    ]  # fmt: skip


def _keep_changes(context: StepContext, cases: Sequence[CaseRow]) -> None:
    changed = {*context.request.day_zero, *context.changes}
    rows = [{"case": case.id, "zero": case.day_zero, "kept": case.data} for case in cases if case.id in changed]
    if rows:
        keeping().run_each(context.session, rows)


def _cancel(context: StepContext, sources: Mapping[str, list[int]]) -> None:
    """Ends the timers of the states left; the one that takes this step is spoken for already."""
    request, definition = context.request, context.definition
    for source, ids in sources.items():
        goes_on = kept(definition, source, context.step.to)
        running = {timer.do for timer in definition.timers_in(source)} - goes_on - {request.do if request.fired else ""}
        if running:
            cancel(context.session, ids, goes_on, request.now)


def _standing(state: State) -> dict[str, Any]:
    return {"state": state.name, "light": state.light, "open": state.open, "inbox": state.inbox}


def _moved(case: CaseRow, state: State, since: datetime) -> CaseRow:
    return case._replace(
        state=state.name, light=state.light, version=case.version + 1, assignee=None, state_since=since
    )  # fmt: skip


def _move(
    context: StepContext,
    sources: Mapping[str, list[int]],
    cases: Sequence[CaseRow],
    since: Sequence[datetime],
    armed: Armed,
) -> None:
    """State, light, inbox, version, earliest timer: one UPDATE for the cases that share them. Nobody holds the case any more."""
    session, definition, state = context.session, context.definition, context.definition.states[context.step.to]
    standing = {**_standing(state), "closed_at": None if state.open else context.now}
    if {case.light for case in cases} == {state.light} and {definition.states[s].open for s in sources} == {state.open}:
        # SQLite writes an index anew that has a column which is set, changed or not.
        standing = {name: value for name, value in standing.items() if name not in ("light", "open")}
    due = armed.due_at
    groups = grouped(((moment, due.get(case.id)), case.id) for case, moment in zip(cases, since, strict=True))
    for (moment, due_at), ids in groups.items():
        values = {**standing, "state_since": moment, "due_at": due_at}
        shape, chosen = bound(session, ids)
        bound_to = {f"to_{name}": value for name, value in values.items()}
        moving(shape, tuple(values)).run(session, {**bound_to, "ids": chosen})
    runs_on = [id_ for source, ids in sources.items() if kept(definition, source, state.name) for id_ in ids]
    if runs_on:
        note_due(session, runs_on)


def _do_at_once(session: Session, cases: Sequence[CaseRow], armed: Armed, request: Request) -> None:
    """What is due at once in the new state, by the clock and effective at the same moment."""
    by_id = {case.id: case for case in cases}
    for do, ids in armed.at_once.items():
        effective = {id_: by_id[id_].state_since for id_ in ids}
        advance(
            session, [by_id[id_] for id_ in ids], Request(do, request.now, CLOCK, effective_at=effective, fired=True)
        )


def note_due(session: Session, case_ids: Collection[int]) -> None:
    """Copies the earliest armed timer of each case to the case, for sorting."""
    shape, chosen = bound(session, case_ids)
    noting_due(shape).run(session, {"ids": chosen})


def retitle(session: Session, titles: Mapping[int, str]) -> None:
    """Gives cases (id → title) the titles that follow from their forms as they are now."""
    for case_id, title in titles.items():
        session.execute(update(CASE).where(CASE.c.id == case_id).values(title=title))


def move_to_unit(session: Session, case_ids: Collection[int], unit_id: int) -> None:
    """Notes that the cases now concern another unit (their record moved); state and timers stay."""
    session.execute(update(CASE).where(among(session, CASE.c.id, case_ids)).values(unit_id=unit_id))
