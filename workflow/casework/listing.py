"""负面清单 (办法10(一), 办法21): leaving the list is an official's act after the watch period; a mistaken entry is reversed by two people.

Guards and effects of definitions/processes/negative_list.yaml. The entry's own dates are the truth; the case holds the acts on it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from workflow.casework.four_eyes import judged_people, of_people
from workflow.engine.actors import Actor
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE, HISTORY
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.verdicts import Verdict
from workflow.errors import NotFound
from workflow.quality.models import ENTRY, TICKET
from workflow.quality.negative_list import state_of

PROCESS = "negative_list"
BASIS = "办法10(一)、办法21"
STATES = {"listed": "在册", "watched": "在观察期", "left": "已移出", "reversed": "误列已撤销"}


def case_of_entry(
    session: Session, entry_id: int, *, now: datetime, actor: Actor, on_behalf_of: str | None = None
) -> int:
    """The case about an entry, opened at the first act on it. Raises NotFound."""
    there = case_if_any(session, entry_id)
    if there is not None:
        return there
    entry = session.execute(_entries().where(ENTRY.c.id == entry_id)).one_or_none()
    if entry is None:
        raise NotFound(entry=entry_id)
    title = f"负面清单：{entry.rule_id}（{entry.record_key}）"
    facts = {"entry": entry_id, "ticket": entry.ticket_id}
    new = NewCase(entry.unit_id, _subject(entry_id), title, entry.entered_on, facts)
    return open_cases(session, PROCESS, [new], now=now, actor=actor, on_behalf_of=on_behalf_of)[0]


def case_if_any(session: Session, entry_id: int) -> int | None:
    """The case about an entry; None while nobody has acted on it."""
    return session.scalar(select(CASE.c.id).where(CASE.c.process == PROCESS, CASE.c.subject == _subject(entry_id)))


def _subject(entry_id: int) -> str:
    return f"entry:{entry_id}"


def _entries() -> Any:
    joined = select(*ENTRY.c, TICKET.c.rule_id, TICKET.c.record_key)
    return joined.join(TICKET, TICKET.c.id == ENTRY.c.ticket_id)


def _by_case(context: StepContext) -> dict[int, Any]:
    wanted = {int(case.data["entry"]) for case in context.cases}
    rows = context.session.execute(_entries().where(among(context.session, ENTRY.c.id, wanted)))
    by_id = {row.id: row for row in rows}
    return {case.id: by_id[int(case.data["entry"])] for case in context.cases}


@guard("entry_still_stands")
def entry_still_stands(context: StepContext) -> dict[int, list[Verdict]]:
    """The entry was neither removed nor reversed meanwhile (a voided light reverses it)."""
    found = _by_case(context)
    read = {
        id_: {"record": entry.record_key, "ticket": entry.ticket_id, "state": state_of(entry), "entered_on": entry.entered_on}
        for id_, entry in found.items()
    }  # fmt: skip
    return {id_: judged("entry_still_stands", facts) for id_, facts in read.items()}


@judge_of("entry_still_stands")
def _stands(facts: Facts) -> Verdict:
    state, since = facts["state"], date.fromisoformat(facts["entered_on"])
    told = [{"record": facts["record"], "field": "state", "value": state}]
    holds, link = state in ("listed", "watched"), f"/tickets/{facts['ticket']}"
    return Verdict("entry_still_stands", holds, f"该问题{STATES[state]}", told, BASIS, since=since, link=link)


@guard("problem_was_fixed")
def problem_was_fixed(context: StepContext) -> dict[int, list[Verdict]]:
    """Nothing leaves the list unfixed."""
    read = {id_: {"ticket": e.ticket_id, "fixed_on": e.fixed_on} for id_, e in _by_case(context).items()}
    return {id_: judged("problem_was_fixed", facts) for id_, facts in read.items()}


@judge_of("problem_was_fixed")
def _fixed(facts: Facts) -> Verdict:
    fixed_on = facts["fixed_on"]
    says = f"问题已于 {fixed_on} 整改" if fixed_on else "问题尚未整改，整改并复核通过后进入观察期"
    link = f"/tickets/{facts['ticket']}"
    return Verdict("problem_was_fixed", fixed_on is not None, says, basis=BASIS, clears_by="unit_clerk", link=link)


@guard("watch_period_is_over")
def watch_period_is_over(context: StepContext) -> dict[int, list[Verdict]]:
    """The observation period has passed, and that of each entry which fell into it (negative_list.observation)."""
    return {
        id_: judged("watch_period_is_over", _watch_read(context.session, entry, context.today))
        for id_, entry in _by_case(context).items()
    }


def _watch_read(session: Session, entry: Any, today: date) -> dict[str, Any]:
    read = {"record": entry.record_key, "fixed_on": entry.fixed_on, "today": today}
    if entry.fixed_on is None:
        return read
    until, again = watch_end(session, entry)
    return {**read, "until": until, "again": again}


@judge_of("watch_period_is_over")
def _watched(facts: Facts) -> Verdict:
    name = "watch_period_is_over"
    if facts["fixed_on"] is None:
        return Verdict(name, False, "整改后才开始观察", basis=BASIS, clears_by="unit_clerk")
    fixed_on = date.fromisoformat(facts["fixed_on"])
    if facts["until"] is None:
        says = "观察期内又有问题列入清单且尚未整改"
        return Verdict(name, False, says, basis=BASIS, since=fixed_on, clears_by="unit_clerk")
    until = date.fromisoformat(facts["until"])
    holds = date.fromisoformat(facts["today"]) > until
    note = "（观察期内再次列入，顺延）" if facts["again"] else ""
    says = f"观察期至 {until}{note}，{'已满' if holds else '未满'}"
    told = [{"record": facts["record"], "field": "watch_until", "value": until.isoformat()}]
    earliest = None if holds else date.fromordinal(until.toordinal() + 1)
    return Verdict(
        name, holds, says, told, BASIS, since=fixed_on, clears_by="" if holds else "reviewer", earliest=earliest
    )


def watch_end(session: Session, entry: Any) -> tuple[date | None, bool]:
    """The last day of watching a fixed entry, and whether later entries of the unit prolonged it; None while one of these is unfixed."""
    later = select(ENTRY.c.entered_on, ENTRY.c.fixed_on, ENTRY.c.watch_until).where(
        ENTRY.c.unit_id == entry.unit_id,
        ENTRY.c.id != entry.id,
        ENTRY.c.reversed_on.is_(None),
        ENTRY.c.entered_on > entry.fixed_on,
    )
    until, again = entry.watch_until, False
    for row in session.execute(later.order_by(ENTRY.c.entered_on, ENTRY.c.id)):
        if row.entered_on > until:
            break
        if row.fixed_on is None:
            return None, True
        until, again = max(until, row.watch_until), True
    return until, again


@guard("first_and_only_entry")
def first_and_only_entry(context: StepContext) -> dict[int, list[Verdict]]:
    """The short way for a unit that was never listed before or since (readings 5.4)."""
    verdicts = {}
    for id_, entry in _by_case(context).items():
        every = select(func.count()).where(ENTRY.c.unit_id == entry.unit_id, ENTRY.c.reversed_on.is_(None))
        verdicts[id_] = judged("first_and_only_entry", {"entries": context.session.scalar(every) or 0})
    return verdicts


@judge_of("first_and_only_entry")
def _first(facts: Facts) -> Verdict:
    count = facts["entries"]
    says = "首次列入，且只此一项" if count == 1 else f"本单位曾列入 {count} 项，须经观察期"
    return Verdict("first_and_only_entry", count == 1, says, basis=BASIS, clears_by="reviewer")


of_people("reversal_asked_by_another", "撤销人不是提请人", "不得撤销自己提请的误列", basis=BASIS)


@guard("reversal_asked_by_another")
def reversal_asked_by_another(context: StepContext) -> dict[int, list[Verdict]]:
    """The second person is another person, also behind a substitute."""
    acts = select(HISTORY.c.case_id, HISTORY.c.actor, HISTORY.c.on_behalf_of).where(
        among(context.session, HISTORY.c.case_id, context.ids), HISTORY.c.do == "ask_reversal"
    )
    asked = {
        row.case_id: {row.actor, row.on_behalf_of} for row in context.session.execute(acts.order_by(HISTORY.c.version))
    }
    return judged_people(context, "reversal_asked_by_another", asked, "leader")


@effect("keep_reversal_reason")
def keep_reversal_reason(context: StepContext) -> None:
    """Why the entry was a mistake."""
    for case in context.cases:
        context.keep(case, reason=context.request.reason)


@effect("leave_list")
def leave_list(context: StepContext) -> None:
    """The entry leaves the list today; it stays in the history."""
    for case in context.cases:
        _set_one(context, case, left_on=context.today, reason=context.request.reason)


@effect("reverse_entry")
def reverse_entry(context: StepContext) -> None:
    """The entry is taken back with the reason given."""
    for case in context.cases:
        _set_one(context, case, reversed_on=context.today, reason=case.data["reason"])


def _set_one(context: StepContext, case: CaseRow, **values: Any) -> None:
    context.session.execute(update(ENTRY).where(ENTRY.c.id == int(case.data["entry"])).values(**values))
