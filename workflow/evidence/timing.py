"""Each timer derived once more: armed by the table in that state, from its start, over the calendar and the pauses in the document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.deadline import Pause
from workflow.clock import business_date
from workflow.engine.arming import DueDate, due_date
from workflow.engine.definition import Definition, TimerRule
from workflow.engine.migrating import MIGRATE
from workflow.engine.registry import Book
from workflow.errors import BadInput
from workflow.evidence.findings import CANNOT, SAME, Row, told
from workflow.policy import Term

RUNNING = ("armed", "paused")
Kept = Mapping[str, Any]
UNITS = {"working_days": "个工作日", "months": "个月"}


def timed(
    lives: Sequence[Definition],
    calendar: WorkCalendar,
    case: Kept,
    acts: Sequence[Kept],
    timers: Sequence[Kept],
    pauses: Sequence[Kept],
) -> Iterator[Row]:
    """One row for each timer. `lives`: the table in force after each step."""
    book = Book({}, calendar=calendar)
    armed_by = {act["version"]: (definition, act) for definition, act in zip(lives, acts, strict=True)}
    for timer in timers:
        definition, act = armed_by.get(timer["arming"], (lives[-1], None))
        where = f"{definition.title_of(timer['name'])}（第 {timer['arming']} 步起）"
        rule = _rule(definition, act, timer["name"])
        if act is None or rule is None:
            yield told("timers", where, ["流程表在该状态没有这个期限"], "")
        elif act["do"] == MIGRATE and _carried_over(act, timer, timers):
            yield Row("timers", where, SAME, f"改用新版时沿用原来的期限，至 {timer['due_on']}")
        else:
            faults = [*_begun(rule, case, act, timer), *_fired(timer, acts)]
            yield _row(where, faults, _derived(book, rule, case, timer, pauses), timer)


def _row(where: str, faults: Sequence[str], off: str, timer: Kept) -> Row:
    if off and not faults and timer["provisional"]:
        return Row("timers", where, CANNOT, f"当时的放假安排为暂定，现已公布：{off}")
    return told("timers", where, [*faults, *([off] if off else [])], _good(timer))


def _carried_over(act: Kept, timer: Kept, timers: Sequence[Kept]) -> bool:
    """Whether a timer took over, with the very same dates, from one that ended as the case moved to a new version."""
    dates = ("start_on", "term", "n", "unit", "due_on", "due_at")
    ended = [one for one in timers if one["ended_at"] == act["at"] and one["arming"] < timer["arming"]]
    return any(all(one[name] == timer[name] for name in dates) for one in ended)


def _rule(definition: Definition, act: Kept | None, do: str) -> TimerRule | None:
    rules = definition.timers_in(act["to_state"]) if act else ()
    return next((rule for rule in rules if rule.do == do), None)


def _good(timer: Kept) -> str:
    length = f" {timer['n']} {UNITS[timer['unit']]}" if timer["n"] is not None else ""
    return f"自 {timer['start_on']} 起{length}，至 {timer['due_on']}，重算一致"


def _begun(rule: TimerRule, case: Kept, act: Kept, timer: Kept) -> Iterator[str]:
    """The term and the day zero that the table gives, as far as the case still shows them."""
    if timer["term"] != (rule.after or rule.until):
        yield f"流程表的期限条目为 {rule.after or rule.until}，记载为 {timer['term']}"
    running, start = timer["state"] in RUNNING, timer["start_on"]
    if rule.since == "state" and act["do"] == MIGRATE:
        expected = business_date(datetime.fromisoformat(case["state_since"])).isoformat() if running else start
    elif rule.since == "state":
        expected = business_date(datetime.fromisoformat(act["effective_at"])).isoformat()
    elif running:
        expected = case["day_zero"] if rule.since == "day_zero" else str(case["data"].get(rule.since))
    else:
        expected = start  # the case shows its present day zero only
    if start != expected:
        yield f"起算日应为 {expected}，记载为 {start}"
    if rule.until and running and timer["due_on"] != str(case["data"].get(rule.until)):
        yield f"截止日应为 {case['data'].get(rule.until)}，记载为 {timer['due_on']}"


def _fired(timer: Kept, acts: Sequence[Kept]) -> Iterator[str]:
    """A timer that fired left a step of that name, not before it was due."""
    if timer["state"] != "fired":
        return
    due = datetime.fromisoformat(timer["due_at"])
    after = [act for act in acts if act["do"] == timer["name"] and act["version"] > timer["arming"]]
    if not after:
        yield "已到期办理，但办理经过中没有这一步"
    elif datetime.fromisoformat(after[0]["effective_at"]) < due:
        yield "办理早于到期"


def _derived(book: Book, rule: TimerRule, case: Kept, timer: Kept, pauses: Sequence[Kept]) -> str:
    """What is off about the due date; empty where it is found again."""
    term = Term(timer["n"], timer["unit"]) if timer["n"] is not None else None
    data = {**case["data"], rule.until: timer["due_on"]} if rule.until else case["data"]
    kept, again = (timer["due_on"], datetime.fromisoformat(timer["due_at"])), []
    for stops in _stops(timer, pauses):
        try:
            when = due_date(book, rule, term, date.fromisoformat(timer["start_on"]), data, stops)
        except (BadInput, ValueError) as fault:
            return f"不能推算：{fault}"
        if _matches(when, kept, timer):
            return ""
        again.append(when)
    return f"重算至 {again[0].due_on}（{again[0].due_at.isoformat()}），记载为 {kept[0]}（{timer['due_at']}）"


def _matches(when: DueDate, kept: tuple[str, datetime], timer: Kept) -> bool:
    same = (when.due_on.isoformat(), when.due_at) == kept
    return same and (timer["state"] not in RUNNING or when.known == (timer["state"] == "armed"))


def _stops(timer: Kept, pauses: Sequence[Kept]) -> list[list[Pause]]:
    """The pauses as a timer may have known them: those of now, or, for one that ended, those written by then, the last still open."""
    if timer["ended_at"] is None:
        return [[_stop(pause, False) for pause in pauses if not _annulled(pause)]]
    ended = datetime.fromisoformat(timer["ended_at"])
    known = [pause for pause in pauses if datetime.fromisoformat(pause["written_at"]) <= ended]
    last = business_date(ended).isoformat()
    as_now = [_stop(pause, False) for pause in known if not _annulled(pause)]
    still_open = [_stop(pause, _annulled(pause) or pause["to_on"] is None or pause["to_on"] >= last) for pause in known]
    return [as_now, still_open]


def _annulled(pause: Kept) -> bool:
    return pause["to_on"] is not None and pause["to_on"] < pause["from_on"]


def _stop(pause: Kept, still_open: bool) -> Pause:
    to_on = None if still_open or pause["to_on"] is None else date.fromisoformat(pause["to_on"])
    return Pause(pause["cause"], date.fromisoformat(pause["from_on"]), to_on)
