"""Timers as rows: which a state arms, from which day zero, until which moment; which a step cancels. Fires nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from workflow.calendar.deadline import Pause as Stop
from workflow.calendar.deadline import deadline
from workflow.calendar.moments import local_midnight_utc
from workflow.calendar.months import add_months
from workflow.engine.context import CaseRow
from workflow.engine.definition import Definition, TimerRule
from workflow.engine.models import TIMER
from workflow.engine.registry import Book
from workflow.engine.sets import bound, grouped, insert_for_cases
from workflow.engine.statements import INSERT_TIMER, cancelling, pausing
from workflow.errors import BadInput
from workflow.policy import Term

FEW = 4  # up to that many groups go in as INSERT … SELECT, more as rows


class DueDate(NamedTuple):
    """When a timer comes due; `known` is false while an open pause keeps the date open (the date is then the last known one)."""

    start_on: date
    term: str
    n: int | None
    unit: str
    due_on: date
    due_at: datetime
    provisional: bool
    known: bool


Timers = dict[tuple[str, DueDate], list[CaseRow]]  # by action and date, the cases that come due together


@dataclass
class Armed:
    """What entering led to: by action, the cases for which it is due at once (a term of 0 working days); by case, the earliest timer."""

    at_once: dict[str, list[int]] = field(default_factory=dict)
    due_at: dict[int, datetime] = field(default_factory=dict)


def entering(
    session: Session,
    book: Book,
    definition: Definition,
    state: str,
    cases: Sequence[CaseRow],
    on: Sequence[date],
    *,
    opening: bool = False,
) -> tuple[Armed, Timers]:
    """The timers to arm for the state that the cases enter, except those that run on from the state left, and what they lead to. Reads only.

    `on`: for each case the business date on which the step takes effect. Asked before the case rows change (`opening`: they are
    new, and in the state already), so that the same UPDATE can note the earliest timer.
    """
    rules = definition.timers_in(state)
    return counted(session, book, rules, cases, on, opening=opening) if rules else (Armed(), {})


def begin(
    session: Session, book: Book, rules: Sequence[TimerRule], cases: Sequence[CaseRow], on: Sequence[date]
) -> Armed:
    """Arms only these timers of the state in which the cases stand since `on`, under their present version; reports what is due at once."""
    armed, timers = counted(session, book, rules, cases, on, opening=True)
    arm(session, timers, 0)
    return armed


def counted(
    session: Session,
    book: Book,
    rules: Sequence[TimerRule],
    cases: Sequence[CaseRow],
    on: Sequence[date],
    *,
    opening: bool,
) -> tuple[Armed, Timers]:
    """What these rules would arm for the cases, by action and date, and what it leads to. Reads only."""
    armed, timers = Armed(), Timers()
    stops = pauses_of(session, [case.id for case in cases])
    for rule in rules:
        entering = [pair for pair in zip(cases, on, strict=True) if opening or pair[0].state not in rule.states]
        units = {case.unit_id for case, _ in entering}
        terms = book.term(session, rule.after, units) if rule.after and entering else {}
        _group(book, rule, terms, stops, entering, timers, armed)
    return armed, timers


def _group(
    book: Book,
    rule: TimerRule,
    terms: Mapping[int | None, Term],
    stops: Mapping[int, Sequence[Stop]],
    entering: Sequence[tuple[CaseRow, date]],
    timers: Timers,
    armed: Armed,
) -> None:
    """Puts the cases that come due together side by side; cases of one term and day zero without a pause are counted once."""
    known: dict[tuple[Term, date], tuple[DueDate, list[CaseRow]]] = {}
    for case, today in entering:
        term, paused = terms.get(case.unit_id), stops.get(case.id)
        if term is not None and term == (0, "working_days"):
            armed.at_once.setdefault(rule.do, []).append(case.id)
            continue
        start = day_zero(rule, case, today)
        found = known.get((term, start)) if term is not None and not paused else None
        if found is None:
            when = due_date(book, rule, term, start, case.data, paused or ())
            found = when, timers.setdefault((rule.do, when), [])
            if term is not None and not paused:
                known[term, start] = found
        when, together = found
        together.append(case)
        if when.known:
            earlier = armed.due_at.get(case.id)
            if earlier is None or when.due_at < earlier:
                armed.due_at[case.id] = when.due_at


def day_zero(rule: TimerRule, case: CaseRow, today: date) -> date:
    """The day from which a timer counts: the case's day zero, a date of its data, or the day of entering the state (`today`)."""
    if rule.since == "state":
        return today
    if rule.since == "day_zero":
        return case.day_zero
    return _date_in(case.data, rule.since)


def due_date(
    book: Book,
    rule: TimerRule,
    term: Term | None,
    start: date,
    data: Mapping[str, Any],
    stops: Sequence[Stop],
) -> DueDate:
    """The date and moment at which a timer comes due: after n working days, after n months, or past a given date."""
    if rule.until is not None:
        return _past(start, rule.until, None, "date", _date_in(data, rule.until))
    if term is None or rule.after is None:
        raise BadInput("期限条目没有给出时长", timer=rule.do)
    if term.unit == "months":
        return _past(start, rule.after, term.n, "months", add_months(start, term.n))
    counted = deadline(start, term.n, book.calendar, tuple(stops))
    known = counted.due_on is not None
    if not known:
        counted = deadline(start, term.n, book.calendar, tuple(stop for stop in stops if stop.to_on is not None))
    if counted.due_on is None or counted.due_at is None:
        raise BadInput("期限无法推算", timer=rule.do)
    unit = "working_days"
    return DueDate(start, rule.after, term.n, unit, counted.due_on, counted.due_at, counted.provisional, known)


def _past(start: date, term: str, n: int | None, unit: str, last: date) -> DueDate:
    return DueDate(start, term, n, unit, last, local_midnight_utc(last + timedelta(1)), False, True)


def _date_in(data: Mapping[str, Any], key: str) -> date:
    if key not in data:
        raise BadInput(f"事项缺少日期“{key}”", field=key)
    return date.fromisoformat(str(data[key]))


def pauses_of(session: Session, case_ids: Collection[int]) -> dict[int, list[Stop]]:
    """Case id → its pauses and those of every case, in order of their first day; annulled ones left out."""
    shape, chosen = bound(session, case_ids)
    rows = pausing(shape).rows(session, {"ids": chosen})
    found: dict[Any, list[Stop]] = grouped((case_id, Stop(*stop)) for case_id, *stop in rows)
    everywhere = found.pop(None, [])
    if everywhere:
        return {case_id: [*everywhere, *found.get(case_id, [])] for case_id in case_ids}
    return found


def arm(session: Session, timers: Timers, taking: int) -> None:
    """Writes the timers. `taking`: 1 for a step that is being taken, which counts already."""
    if len(timers) <= FEW:
        for (do, when), cases in timers.items():
            ids = [case.id for case in cases]
            insert_for_cases(session, TIMER, ids, _values(do, when), version="arming", bump=taking)
        return
    rows = [
        {"case_id": case.id, "arming": case.version + taking, **_values(do, when)}
        for (do, when), cases in timers.items()
        for case in cases
    ]
    INSERT_TIMER.run_each(session, rows)


def _values(do: str, when: DueDate) -> dict[str, Any]:
    return {
        "name": do,
        "start_on": when.start_on,
        "term": when.term,
        "n": when.n,
        "unit": when.unit,
        "due_on": when.due_on,
        "due_at": when.due_at,
        "provisional": when.provisional,
        "state": "armed" if when.known else "paused",
        "attempts": 0,
        "next_try_at": when.due_at,
    }


def cancel(session: Session, case_ids: Collection[int], keep: Collection[str], now: datetime) -> None:
    """Cancels the running timers of the cases, except those that go on in the new state."""
    shape, chosen = bound(session, case_ids)
    cancelling(shape, frozenset(keep)).run(session, {"ids": chosen, "at": now})


def kept(definition: Definition, source: str, to: str) -> frozenset[str]:
    """The actions whose timer runs on through a step."""
    return frozenset(rule.do for rule in definition.timers if source in rule.states and to in rule.states)
