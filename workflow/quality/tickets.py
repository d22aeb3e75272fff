"""Findings against tickets, set by set: open the new, reopen what came back, refresh what stays, close what passed a re-check.

The findings stand in the temporary table `found`, those without a ticket also in `fresh`, the (rule, data set) pairs that were judged
without failure in `judged`, the records of a scoped run in `scope`. A ticket of a pair that was not judged, or of a record out of scope,
is never touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.orm import Session

from workflow.db import ymd
from workflow.engine.actors import CHECKER
from workflow.engine.models import TIMER
from workflow.engine.registry import book
from workflow.engine.sets import among, chunks, grouped
from workflow.engine.steps import NewCase, lock_cases, move_to_unit, open_cases, take_step
from workflow.quality.findings import FINDING
from workflow.quality.models import TICKET
from workflow.quality.terms import policies_of
from workflow.registry.tables import TABLES

PROCESS = "rectification"
TURN = 730101  # advisory lock on PostgreSQL: runs change tickets one after the other
LIT = ("found", "yellow", "red")
SAME = "f.rule_id = t.rule_id AND f.dataset = t.dataset AND f.record_id = t.record_id AND f.part = t.part"
SUBJECT = "f.rule_id || ':' || f.dataset || ':' || f.record_id || ':' || f.part"
UNOPENED = "(t.id IS NULL OR (t.case_id IS NULL AND f.level <> 'H'))"
# Each asks the unique index: as a join, a planner that knows little of the table reads every case of the process.
CASE_OF = f"(SELECT c.id FROM case_file c WHERE c.process = 'rectification' AND c.subject = {SUBJECT})"


@dataclass
class Applied:
    """What one run changed, in tickets (hints included)."""

    opened: int = 0
    recurred: int = 0
    still_open: int = 0
    resolved: int = 0


@dataclass(frozen=True)
class Run:
    """The run whose findings are applied: its id and the last record version it saw; scoped runs judge only their records."""

    id: int
    watermark: int
    scoped: bool
    today: date
    now: datetime


def apply_findings(session: Session, run: Run, titles: Mapping[str, str], *, limit: int | None = None) -> Applied:
    """Brings the tickets in line with `found`, in this order: closed, reopened, refreshed, opened (办法10(一)).

    `limit` bounds how many new tickets are opened here; open_new does the rest of the `fresh` in transactions of their own, so that
    a first load of a city never holds the write lock for long. Records that changed after the run's snapshot are left to the next run.
    """
    prepare(session, run)
    passed, back, changed = _passed(session, run), _back(session, run), _changed(session)
    still = _scalar(session, f"SELECT count(*) FROM found f JOIN ticket t ON {SAME} WHERE t.present")
    states = _lock(session, [*passed, *back, *changed])
    _close_passed(session, run, passed, states)
    _reopen(session, run, back, states)
    _refresh(session, run, changed)
    _close_downgraded(session, run)
    _number_fresh(session)
    opened = open_new(session, run, titles, 0, count_fresh(session) if limit is None else limit)
    return Applied(opened, len(back), still, len(passed))


def _lock(session: Session, rows: Iterable[Row[Any]]) -> dict[int, str]:
    """Locks the cases concerned, all at once and in the order of their ids, before any ticket row: case first, as everywhere.

    Returns their states as they are now.
    """
    ids = sorted({row.case_id for row in rows if row.case_id is not None})
    return {case.id: case.state for part in chunks(ids, 5000) for case in lock_cases(session, PROCESS, part)}


def prepare(session: Session, run: Run) -> None:
    """Waits for its turn, indexes and counts the temporary tables, drops findings about records that changed meanwhile."""
    json = "JSONB" if _postgresql(session) else "TEXT"
    if _postgresql(session):
        session.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": TURN})
    for statement in (
        "CREATE TEMPORARY TABLE IF NOT EXISTS changed_since "
        "(dataset VARCHAR(30), record_id BIGINT, PRIMARY KEY (dataset, record_id))",
        "CREATE INDEX IF NOT EXISTS ix_found_key ON found (rule_id, dataset, record_id, part)",
        f"CREATE TEMPORARY TABLE IF NOT EXISTS fresh (n INTEGER PRIMARY KEY, {FINDING})".format(json=json),
        "DELETE FROM changed_since",
        "DELETE FROM fresh",
    ):
        session.execute(text(statement))
    newer = "SELECT DISTINCT dataset, record_id FROM record_version WHERE id > :watermark"
    session.execute(text(f"INSERT INTO changed_since {newer}"), {"watermark": run.watermark})
    session.execute(
        text(
            "DELETE FROM found WHERE EXISTS (SELECT 1 FROM changed_since c "
            "WHERE c.dataset = found.dataset AND c.record_id = found.record_id)"
        )
    )
    for table in ("found", "judged", "changed_since"):
        _count(session, table)


def _count(session: Session, table: str) -> None:
    """Lets the planner know of a temporary table."""
    session.execute(text(f"ANALYZE {table}" if _postgresql(session) else f"ANALYZE temp.{table}"))


def _postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _scalar(session: Session, statement: str, **values: Any) -> int:
    return int(session.scalar(text(statement), values) or 0)


def _passed(session: Session, run: Run) -> Sequence[Row[Any]]:
    """Tickets that were judged and not found."""
    in_scope = (
        "AND EXISTS (SELECT 1 FROM scope s WHERE s.dataset = t.dataset AND s.record_id = t.record_id)"
        if run.scoped
        else ""
    )
    return session.execute(
        text(
            "SELECT t.id, t.case_id, t.dataset, t.record_id FROM ticket t "
            "JOIN judged j ON j.rule_id = t.rule_id AND j.dataset = t.dataset "
            f"WHERE t.present AND t.last_run_id <= :run {in_scope} "
            f"AND NOT EXISTS (SELECT 1 FROM found f WHERE {SAME}) "
            "AND NOT EXISTS (SELECT 1 FROM changed_since n WHERE n.dataset = t.dataset AND n.record_id = t.record_id)"
        ),
        {"run": run.id},
    ).all()


def _close_passed(session: Session, run: Run, passed: Sequence[Row[Any]], states: Mapping[int, str]) -> None:
    """They passed, or are gone with their record; a lit one turns green."""
    removed = _removed(session, passed)
    for how, rows in grouped(
        ("gone" if (row.dataset, row.record_id) in removed else "passed", row) for row in passed
    ).items():
        closed = {"resolved_on": run.today, "resolved_how": how, "last_run_id": run.id}
        lit = {row.id for row in rows if row.case_id is None or states[row.case_id] in LIT}
        _set_tickets(session, lit, present=False, **closed)
        _set_tickets(session, {row.id for row in rows} - lit, present=False, last_run_id=run.id)
    _resolve(session, [row.case_id for row in passed if states.get(row.case_id) in LIT], run)


def _resolve(session: Session, case_ids: Collection[int], run: Run, reason: str | None = None) -> None:
    if case_ids:
        take_step(session, PROCESS, "resolve", case_ids, now=run.now, actor=CHECKER, reason=reason)


def _set_tickets(session: Session, ids: Collection[int], **values: Any) -> None:
    if ids:
        session.execute(update(TICKET).where(among(session, TICKET.c.id, ids)).values(**values))


def _removed(session: Session, rows: Iterable[Row[Any]]) -> set[tuple[str, int]]:
    """(data set, record) of those whose record is no longer there."""
    found: set[tuple[str, int]] = set()
    for dataset, ids in grouped((row.dataset, row.record_id) for row in rows).items():
        table = TABLES.get(dataset)
        if table is not None:
            gone = select(table.c.id).where(among(session, table.c.id, set(ids)), table.c.removed_on.is_not(None))
            found |= {(dataset, id_) for id_ in session.scalars(gone)}
    return found


def _back(session: Session, run: Run) -> Sequence[Row[Any]]:
    """Tickets that had passed and are found again, and hints of old that light a lamp again."""
    columns = [TICKET.c[name] for name in ("id", "case_id", "unit_id", "found_on", "resolved_on", "resolved_how")]
    return session.execute(
        text(
            "SELECT t.id, t.case_id, t.unit_id, t.found_on, t.resolved_on, t.resolved_how FROM found f "
            f"JOIN ticket t ON {SAME} LEFT JOIN case_file c ON c.id = t.case_id "
            "WHERE t.last_run_id <= :run AND (NOT t.present OR (c.state = 'green' AND f.level <> 'H'))"
        ).columns(*columns),
        {"run": run.id},
    ).all()


def _reopen(session: Session, run: Run, back: Sequence[Row[Any]], states: Mapping[int, str]) -> None:
    """The same ticket, counted once more (办法10(一)).

    The old term goes on where the record had only been removed, or the fix held no longer than light.relapse; otherwise a new
    term begins today. The first day of finding never changes. What is waived by an approved explanation stays waived.
    """
    zero = _day_zeros(session, back, run.today)
    waived = {row.id for row in back if states.get(row.case_id) == "waived"}
    steps = {row.case_id: zero[row.id] for row in back if states.get(row.case_id) in ("green", "voided")}
    for found_on, ids in grouped((zero[row.id], row.id) for row in back if row.id not in waived).items():
        again = {"resolved_on": None, "resolved_how": None, "recurrences": TICKET.c.recurrences + 1}
        _set_tickets(session, ids, present=True, found_on=found_on, last_run_id=run.id, **again)
    _set_tickets(session, waived, present=True, last_run_id=run.id)
    if steps:
        take_step(session, PROCESS, "recur", steps, now=run.now, actor=CHECKER, day_zero=steps)
        note_deadlines(session, steps)


def _day_zeros(session: Session, back: Collection[Row[Any]], today: date) -> dict[int, date]:
    policies = policies_of(session, {row.unit_id for row in back})
    calendar = book().calendar
    zero = {}
    for row in back:
        relapse = policies[row.unit_id].term("light.relapse").n
        soon = row.resolved_on is not None and calendar.working_days_between(row.resolved_on, today) <= relapse
        goes_on = row.resolved_how == "gone" or (row.resolved_how == "passed" and soon)
        zero[row.id] = row.found_on if goes_on else today
    return zero


def _changed(session: Session) -> Sequence[Row[Any]]:
    """Tickets of which the finding now says something else: values, level, the record's key, unit or batch."""
    statement = f"SELECT t.id, t.case_id, t.unit_id AS old_unit, f.unit_id FROM found f JOIN ticket t ON {SAME} WHERE "
    return session.execute(text(statement + _differs(session))).all()


def _differs(session: Session) -> str:
    json = "jsonb" if _postgresql(session) else "text"
    return (
        f"(CAST(t.facts AS {json}) <> CAST(f.facts AS {json}) OR t.level <> f.level OR t.field <> f.field OR "
        "t.record_key <> f.record_key OR t.unit_id <> f.unit_id OR coalesce(t.batch_id, 0) <> coalesce(f.batch_id, 0))"
    )


def _refresh(session: Session, run: Run, changed: Sequence[Row[Any]]) -> None:
    """Takes it over; the term stays. A case follows its record to another unit."""
    if not changed:
        return
    facts = "CAST(f.facts AS jsonb)" if _postgresql(session) else "f.facts"
    session.execute(
        text(
            f"UPDATE ticket AS t SET facts = {facts}, level = f.level, field = f.field, record_key = f.record_key, "
            f"unit_id = f.unit_id, batch_id = f.batch_id, last_run_id = :run FROM found f WHERE {SAME} AND "
            f"t.last_run_id <= :run AND {_differs(session)}"
        ),
        {"run": run.id},
    )
    moved = grouped((row.unit_id, row.case_id) for row in changed if row.case_id and row.unit_id != row.old_unit)
    for unit_id, case_ids in moved.items():
        move_to_unit(session, case_ids, unit_id)


def _close_downgraded(session: Session, run: Run) -> None:
    """A rule that is only a hint from now on lights no lamp: its cases close, the tickets stay as hints."""
    hints = session.scalars(
        text(
            f"SELECT t.case_id FROM found f JOIN ticket t ON {SAME} JOIN case_file c ON c.id = t.case_id "
            "WHERE f.level = 'H' AND c.state IN ('found', 'yellow', 'red')"
        )
    ).all()
    _resolve(session, hints, run, "规则已改为提示")


def _number_fresh(session: Session) -> None:
    """Fills `fresh`, numbered from 1, with the findings that have no ticket, or a hint that lights up."""
    numbered = f"SELECT row_number() OVER (), f.* FROM found f LEFT JOIN ticket t ON {SAME} WHERE {UNOPENED}"
    session.execute(text(f"INSERT INTO fresh {numbered}"))
    _count(session, "fresh")


def count_fresh(session: Session) -> int:
    """How many findings are numbered in `fresh`."""
    return _scalar(session, "SELECT count(*) FROM fresh")


def open_new(session: Session, run: Run, titles: Mapping[str, str], after: int, limit: int) -> int:
    """Opens the tickets of at most `limit` of the `fresh` after a number, with a case unless it is a hint; returns how many are new.

    What got its ticket meanwhile, from a run beside this one, is left out.
    """
    slice_ = {"after": after, "upto": after + limit}
    fresh = session.execute(
        text(
            f"SELECT f.rule_id, f.unit_id, f.level, {SUBJECT} AS subject, t.id AS ticket_id "
            f"FROM fresh f LEFT JOIN ticket t ON {SAME} WHERE f.n > :after AND f.n <= :upto AND {UNOPENED}"
        ),
        slice_,
    ).all()
    lit = [row for row in fresh if row.level != "H"]
    new = [NewCase(row.unit_id, row.subject, titles.get(row.rule_id, row.rule_id), run.today) for row in lit]
    ids = open_cases(session, PROCESS, new, now=run.now, actor=CHECKER)
    opened = _write_tickets(session, run, slice_)
    if any(row.ticket_id for row in lit):
        _upgrade_hints(session, run, slice_)
    note_deadlines(session, ids)
    return opened


def _write_tickets(session: Session, run: Run, slice_: Mapping[str, int]) -> int:
    """Ticket rows beside the cases just opened, and of hints, in one INSERT … SELECT; returns how many."""
    facts = "CAST(f.facts AS jsonb)" if _postgresql(session) else "f.facts"
    yes = "true" if _postgresql(session) else "1"
    written = session.execute(
        text(
            "INSERT INTO ticket (case_id, rule_id, dataset, record_id, part, record_key, unit_id, level, field, facts, "
            "present, first_found_on, found_on, recurrences, batch_id, last_run_id) "
            f"SELECT CASE WHEN f.level <> 'H' THEN {CASE_OF} END, f.rule_id, f.dataset, f.record_id, f.part, f.record_key, "
            f"f.unit_id, f.level, f.field, {facts}, {yes}, :today, :today, 0, f.batch_id, :run FROM fresh f "
            f"LEFT JOIN ticket t ON {SAME} WHERE f.n > :after AND f.n <= :upto AND t.id IS NULL"
        ),
        {"today": ymd(run.today), "run": run.id, **slice_},
    )
    return int(written.rowcount)  # type: ignore[attr-defined]


def _upgrade_hints(session: Session, run: Run, slice_: Mapping[str, int]) -> None:
    """Hints whose rule lights a lamp from now on get their case; their term begins today."""
    session.execute(
        text(
            f"UPDATE ticket AS t SET case_id = {CASE_OF}, found_on = :today, last_run_id = :run FROM fresh f "
            f"WHERE {SAME} AND f.n > :after AND f.n <= :upto AND t.case_id IS NULL AND f.level <> 'H'"
        ),
        {"today": ymd(run.today), "run": run.id, **slice_},
    )


def note_deadlines(session: Session, case_ids: Collection[int]) -> None:
    """Copies each case's red timer to its ticket: the last day in time, and the first day on which the light is red."""
    red = (TIMER.c.name == "escalate") & TIMER.c.state.in_(["armed", "paused", "fired"])
    last = select(TIMER.c.case_id, func.max(TIMER.c.id).label("id")).where(
        red, among(session, TIMER.c.case_id, case_ids)
    )
    newest = last.group_by(TIMER.c.case_id).subquery()
    due = session.execute(select(TIMER.c.case_id, TIMER.c.due_on).join(newest, newest.c.id == TIMER.c.id)).all()
    for due_on, ids in grouped((row.due_on, row.case_id) for row in due).items():
        dates = {"deadline_on": due_on, "red_on": due_on + timedelta(1)}
        session.execute(update(TICKET).where(among(session, TICKET.c.case_id, ids)).values(**dates))
