"""The ledger of red rounds and what follows from it (办法21). Append-only; consequences are a pure function of the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.months import add_months
from workflow.engine.actors import SYSTEM
from workflow.engine.models import CASE
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import book
from workflow.engine.sets import among, grouped
from workflow.engine.steps import NewCase, open_cases, take_step
from workflow.policy import Policy
from workflow.quality.models import ENTRY, ROUND, TICKET
from workflow.quality.terms import policies_of

STILL_TO_ACT = {"reminder": ("sent", "overdue"), "suspension": ("proposed", "in_force", "lift_requested")}
RED = (CASE.c.process == "rectification") & (CASE.c.light == "red")


class Entry(NamedTuple):
    """One row of a unit's ledger."""

    id: int
    unit_id: int
    kind: str
    on: date
    streak: int
    tickets: list[int]
    voids_id: int | None


@dataclass(frozen=True)
class Consequence:
    """What one red round leads to: a reminder, or the proposal of a suspension of so many months."""

    round_id: int
    unit_id: int
    on: date
    streak: int
    do: str
    months: int | None

    @property
    def process(self) -> str:
        """The process that carries it out."""
        return "reminder" if self.do == "remind" else "suspension"

    @property
    def subject(self) -> str:
        """One case for each round and measure, however often this is recomputed."""
        return f"red_round:{self.round_id}:{self.months or 0}"

    @property
    def title(self) -> str:
        """As the inbox shows it."""
        if self.do == "remind":
            return f"亮红灯提醒（第{self.streak}次）"
        return f"连续亮红灯{self.streak}次，建议暂停办理机构编制申请事项{self.months}个月"


def standing_rounds(ledger: Iterable[Entry]) -> list[Entry]:
    """The rounds of the running streak, those taken back left out; `ledger` is one unit's rows in order."""
    rows = list(ledger)
    voided = {row.voids_id for row in rows if row.kind == "void"}
    streak: list[Entry] = []
    for row in rows:
        if row.kind == "broken":
            streak = []
        elif row.kind == "round" and row.id not in voided:
            streak.append(row)
    return streak


def next_entry(streak: Sequence[Entry], red: bool, today: date, policy: Policy, calendar: WorkCalendar) -> str | None:
    """What the daily run of `today` writes for a unit: `round`, `broken` or nothing (readings 5.2).

    A red unit counts once for each round of round.length working days (or month, or day, as streak.reading has it);
    a day without red breaks the streak.
    """
    if not red:
        return "broken" if streak else None
    if not streak:
        return "round"
    last = streak[-1].on
    reading = policy.value("streak.reading")
    if reading == "month":
        due = (last.year, last.month) < (today.year, today.month)
    elif reading == "daily":
        due = last < today
    else:
        due = calendar.working_days_between(last, today) >= policy.term("round.length").n
    return "round" if due else None


def consequences(ledger: Iterable[Entry], policy: Policy) -> list[Consequence]:
    """What the running streak leads to, round by round: 1 reminds, 2 and 3 propose 3 and 6 months (办法21). Pure.

    A round beyond the ladder's last step leads to nothing while the months of that step's last proposal are running: one
    proposal is enough for a leader to decide on.
    """
    found: list[Consequence] = []
    for count, row in enumerate(standing_rounds(ledger), 1):
        step = policy.ladder_step(count)
        if step is not None and not (count > step.red_rounds and found and _still_runs(found[-1], row.on)):
            found.append(Consequence(row.id, row.unit_id, row.on, count, step.do, step.months))
    return found


def _still_runs(last: Consequence, today: date) -> bool:
    return today < add_months(last.on, last.months or 0)


def count_rounds(session: Session, today: date, now: datetime) -> list[Consequence]:
    """The daily count: writes the rounds and broken streaks of `today`, carries out what follows, and returns what is new.

    A second count of the same day writes nothing. Units count for themselves: subordinates do not count upward.
    """
    red, running = _red_units(session), _running(session)
    policies = policies_of(session, {*red, *running})
    calendar = book().calendar
    kinds: dict[int, tuple[str, int]] = {}
    for unit_id in sorted({*red, *running}):
        count, last = running.get(unit_id, (0, None))
        streak = [Entry(0, unit_id, "round", last, count, [], None)] if last else []
        kind = next_entry(streak, unit_id in red, today, policies[unit_id], calendar)
        if kind is not None:
            kinds[unit_id] = kind, count + 1 if kind == "round" else 0
    if not kinds:
        return []
    lit = _red_tickets(session, [unit_id for unit_id, (kind, _) in kinds.items() if kind == "round"])
    rows = [
        _row(unit_id, kind, today, now, streak=count, tickets=lit.get(unit_id, []))
        for unit_id, (kind, count) in kinds.items()
    ]
    ids = session.scalars(insert(ROUND).returning(ROUND.c.id, sort_by_parameter_order=True), rows)
    rounds = {id_ for id_, row in zip(ids, rows, strict=True) if row["kind"] == "round"}
    opened = _following(session, rounds, policies)
    for process, ours in grouped((consequence.process, consequence) for consequence in opened).items():
        _open(session, process, ours, now)
    return opened


def _following(session: Session, rounds: Collection[int], policies: Mapping[Any, Policy]) -> list[Consequence]:
    """What these new rounds lead to, each seen at the end of its unit's ledger."""
    units = select(ROUND.c.unit_id).where(among(session, ROUND.c.id, rounds))
    ledgers = _ledger(session, ROUND.c.unit_id.in_(units))
    found = (c for unit_id, ledger in ledgers.items() for c in consequences(ledger, policies[unit_id]))
    return sorted((c for c in found if c.round_id in rounds), key=lambda c: c.round_id)


def _row(unit_id: int, kind: str, today: date, now: datetime, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"tickets": [], "voids_id": None, "reason": None, "by": "clock"}
    return {"unit_id": unit_id, "kind": kind, "on": today, "written_at": now, **plain, **more}


def _red_units(session: Session) -> set[int]:
    """The units that have a red ticket."""
    return set(session.scalars(select(CASE.c.unit_id).where(RED).distinct()))


def _red_tickets(session: Session, unit_ids: Collection[int]) -> dict[int, list[int]]:
    """Unit id → ids of its red tickets."""
    red = select(CASE.c.unit_id, TICKET.c.id).join(TICKET, TICKET.c.case_id == CASE.c.id)
    rows = session.execute(red.where(RED, among(session, CASE.c.unit_id, unit_ids)).order_by(TICKET.c.id))
    return grouped((unit_id, ticket_id) for unit_id, ticket_id in rows)


def _ledger(session: Session, condition: Any) -> dict[int, list[Entry]]:
    columns = [ROUND.c[name] for name in Entry._fields]
    rows = session.execute(select(*columns).where(condition).order_by(ROUND.c.id))
    return grouped((row.unit_id, Entry._make(row)) for row in rows)


def _running(session: Session) -> dict[int, tuple[int, date]]:
    """Unit id → length and last day of its running streak, those taken back left out (standing_rounds, for all units at once)."""
    ended = select(ROUND.c.unit_id, func.max(ROUND.c.id).label("id")).where(ROUND.c.kind == "broken")
    broken = ended.group_by(ROUND.c.unit_id).subquery()
    taken_back = select(ROUND.c.voids_id).where(ROUND.c.voids_id.is_not(None))
    standing = (
        select(ROUND.c.unit_id, func.count(), func.max(ROUND.c.on))
        .outerjoin(broken, broken.c.unit_id == ROUND.c.unit_id)
        .where(ROUND.c.kind == "round", ROUND.c.id.not_in(taken_back))
        .where(broken.c.id.is_(None) | (ROUND.c.id > broken.c.id))
    )
    rows = session.execute(standing.group_by(ROUND.c.unit_id))
    return {unit_id: (count, last) for unit_id, count, last in rows}


def carry_out(session: Session, unit_ids: Collection[int], today: date, now: datetime) -> list[Consequence]:
    """Brings reminders and proposals of these units in line with their ledger: opens what is missing, withdraws what no longer
    follows. Doing it again changes nothing. Returns what was opened."""
    ledgers = _ledger(session, among(session, ROUND.c.unit_id, unit_ids))
    policies = policies_of(session, unit_ids)
    wanted = {c.subject: c for unit_id, ledger in ledgers.items() for c in consequences(ledger, policies[unit_id])}
    processes = CASE.c.process.in_(list(STILL_TO_ACT))
    ours = select(CASE.c.id, CASE.c.process, CASE.c.subject, CASE.c.state, CASE.c.data).where(processes)
    there = {row.subject: row for row in session.execute(ours.where(among(session, CASE.c.unit_id, unit_ids)))}
    gone = _withdraw(session, [row for subject, row in there.items() if subject not in wanted], ledgers, now)
    standing = [row for row in there.values() if row.id not in gone and row.state != "withdrawn"]
    joined = {round_id for row in standing for round_id in row.data.get("joined", ())}
    missing = [c for subject, c in wanted.items() if subject not in there and c.round_id not in joined]
    for process, news in grouped((consequence.process, consequence) for consequence in missing).items():
        _open(session, process, news, now)
    return missing


def _open(session: Session, process: str, news: Sequence[Consequence], now: datetime) -> None:
    news = _join(session, news, now) if process == "suspension" else news
    cases = [
        NewCase(c.unit_id, c.subject, c.title, c.on, {"round": c.round_id, "streak": c.streak, "months": c.months})
        for c in news
    ]
    ids = open_cases(session, process, cases, now=now, actor=SYSTEM)
    role = "unit_head" if process == "reminder" else "leader"
    told = [
        {"kind": process, "title": c.title, "role": role, "unit_id": c.unit_id, "case_id": id_, "link": f"/cases/{id_}"}
        for id_, c in zip(ids, news, strict=True)
    ]
    emit_all(session, [Message("notice", f"{process}:{item['case_id']}:opened", item) for item in told], now)


def _join(session: Session, news: Sequence[Consequence], now: datetime) -> list[Consequence]:
    """Joins a proposal to the one of the same months that a leader has yet to decide on for the unit; returns what is left to open.

    Two proposals of one measure side by side would let the same red lights count twice (办法21, readings 5.2).
    """
    waiting = select(CASE.c.id, CASE.c.unit_id, CASE.c.data).where(
        CASE.c.process == "suspension", CASE.c.state == "proposed", among(session, CASE.c.unit_id, {c.unit_id for c in news})
    )  # fmt: skip
    first = {
        (row.unit_id, row.data.get("months")): row.id for row in session.execute(waiting.order_by(CASE.c.id.desc()))
    }
    left = []
    for one in news:
        case_id = first.get((one.unit_id, one.months))
        if case_id is None:
            left.append(one)
            continue
        reason = f"{one.on} 再次{one.title}；前一建议尚未决定，并入一并决定"
        given = {"round": one.round_id}
        take_step(session, "suspension", "join", [case_id], now=now, actor=SYSTEM, reason=reason, inputs=given)
    return left


def _withdraw(
    session: Session, unwanted: Sequence[Any], ledgers: Mapping[int, Sequence[Entry]], now: datetime
) -> set[int]:
    """Withdraws what rests on a round that was taken back, and returns it; what follows from streaks long broken stays as it was."""
    gone: set[int] = set()
    voided = {row.voids_id for ledger in ledgers.values() for row in ledger if row.kind == "void"}
    since = {row.on for ledger in ledgers.values() for row in ledger if row.id in voided}
    for process, rows in grouped((row.process, row) for row in unwanted).items():
        ids = [row.id for row in rows if row.state in STILL_TO_ACT[process] and _rests_on(row, ledgers, since)]
        if ids:
            reason = "所依据的红灯轮次已撤销或已重新计算"
            take_step(session, process, "withdraw", ids, now=now, actor=SYSTEM, reason=reason)
            gone |= {*ids}
    return gone


def _rests_on(case: Any, ledgers: Mapping[int, Sequence[Entry]], since: Collection[date]) -> bool:
    days = [row.on for ledger in ledgers.values() for row in ledger if row.id == case.data.get("round")]
    return bool(since) and all(day >= min(since) for day in days)


def void_rounds(
    session: Session, ticket_ids: Collection[int], *, today: date, now: datetime, by: str, reason: str
) -> list[int]:
    """Takes back, by a compensating entry, each round all of whose lights were wrong; recomputes what follows. Returns their ids."""
    units = set(session.scalars(select(ENTRY.c.unit_id).where(among(session, ENTRY.c.ticket_id, ticket_ids))))
    ledgers = _ledger(session, among(session, ROUND.c.unit_id, units))
    wrong = set(session.scalars(select(TICKET.c.id).where(TICKET.c.resolved_how == "voided"))) | set(ticket_ids)
    rows = []
    for unit_id, ledger in ledgers.items():
        voided = {row.voids_id for row in ledger if row.kind == "void"}
        for row in ledger:
            if row.kind == "round" and row.id not in voided and set(row.tickets) <= wrong:
                more = {"streak": 0, "voids_id": row.id, "by": by, "reason": reason, "tickets": row.tickets}
                rows.append(_row(unit_id, "void", today, now, **more))
    if rows:
        session.execute(insert(ROUND), rows)
        carry_out(session, units, today, now)
    return [row["voids_id"] for row in rows]
