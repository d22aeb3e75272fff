"""May this unit apply? Holds, negative list, red lights as verdicts, for every approval and for the unit before it files (办法10(一), 办法21).

Three read functions, registered as guards of the same names. They never bind corrections, exits, monthly reports, explanations and
rectification: those processes do not name them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.casework.holds import Span, band_on, binding, spans_and_names
from workflow.casework.suspending import lock_units
from workflow.engine.context import StepContext, once
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE
from workflow.engine.registry import effect, guard
from workflow.engine.sets import Shape, bound, grouped
from workflow.engine.verdicts import Verdict, failing
from workflow.errors import Refused
from workflow.insight.wording import rule_titles
from workflow.prepared import Prepared
from workflow.quality.models import ENTRY, TICKET
from workflow.quality.negative_list import STANDING
from workflow.registry.tables import TABLES

SHOWN = 50  # facts of one verdict; the link leads to all of them
UNIT = TABLES["unit"].c
Verdicts = dict[int, Verdict]
Reader = Callable[[Session, Collection[int], date], Verdicts]


def no_hold_on_unit_or_above(session: Session, unit_ids: Collection[int], today: date) -> Verdicts:
    """No hold binds the unit, its own or from above, by the units noted when each was decided (办法21)."""
    every, names = spans_and_names(session, unit_ids)
    return {unit_id: _bound(every.get(unit_id, []), names, today) for unit_id in unit_ids}


def _bound(every: list[Span], names: Mapping[int, tuple[str, str]], today: date) -> Verdict:
    if not any(span.binds(today) for span in every):
        every = []
    sources = {str(span.source_unit_id): list(names[span.source_unit_id]) for span in every if span.binds(today)}
    return _judged("no_hold_on_unit_or_above", today=today, spans=_kept(every), names=sources)


def _of_holds(facts: Facts) -> Verdict:
    name, basis = "no_hold_on_unit_or_above", "办法21"
    today, every = date.fromisoformat(facts["today"]), _spans(facts)
    spans, band = [span for span in every if span.binds(today)], band_on(every, today)
    if not spans or band is None:
        return Verdict(name, True, "本单位没有暂停办理的决定", basis=basis)
    whose = "，由上级单位的暂停及于本单位" if all(span.inherited for span in spans) else ""
    names = {int(unit_id): told for unit_id, told in facts["names"].items()}
    told = [
        {
            "record": names[span.source_unit_id][0],
            "field": "until_on",
            "value": span.last_on.isoformat(),
            "says": f"{names[span.source_unit_id][1]} {span.from_on} 起{'暂停使用编制' if span.stops_use else '暂停'}至 {span.last_on}",
            "link": f"/cases/{span.case_id}",
        }
        for span in spans
    ]
    return Verdict(
        name, False, f"暂停办理机构编制申请事项至 {band.last_on}{whose}", told, basis,
        since=min(span.from_on for span in spans), clears_by="leader", earliest=band.free_on,
        link=f"/cases/{band.governing.case_id}",
    )  # fmt: skip


def use_is_not_suspended(session: Session, unit_ids: Collection[int], today: date) -> Verdicts:
    """No hold on the use of quotas binds the unit (办法22): entries wait too, even on a notice issued before."""
    bound = binding(session, unit_ids, today)
    found = {unit_id: [span for span in bound.get(unit_id, []) if span.stops_use] for unit_id in unit_ids}
    return {unit_id: _judged("use_is_not_suspended", spans=_kept(spans)) for unit_id, spans in found.items()}


def _of_use_holds(facts: Facts) -> Verdict:
    name, basis, spans = "use_is_not_suspended", "办法22", _spans(facts)
    if not spans:
        return Verdict(name, True, "本单位没有暂停使用编制的决定", basis=basis)
    last = max(spans, key=lambda span: span.last_on)
    return Verdict(
        name, False, f"因违规案件暂停使用编制至 {last.last_on}", basis=basis, since=last.from_on,
        clears_by="leader", earliest=last.last_on + timedelta(1), link=f"/cases/{last.case_id}",
    )  # fmt: skip


def _kept(spans: Collection[Span]) -> list[dict[str, Any]]:
    return [asdict(span) for span in spans]


def _spans(facts: Facts) -> list[Span]:
    days = ("from_on", "until_on", "lifted_on")
    return [Span(**{**row, **{day: _day(row[day]) for day in days}}) for row in facts["spans"]]


def _day(text: str | None) -> Any:
    return date.fromisoformat(text) if text else None


def not_on_negative_list(session: Session, unit_ids: Collection[int], today: date) -> Verdicts:
    """No problem of the unit stands on the negative list unfixed (办法10(一), 办法21).

    A fixed problem under watch is told but refuses nothing: otherwise a single red light would stop a unit for the whole watch
    period, more than 办法21 gives for two in a row.
    """
    shape, chosen = bound(session, unit_ids)
    rows = map(_Entry._make, _standing(shape).rows(session, {"ids": chosen}))
    found = grouped((row.unit_id, row) for row in rows)
    return {unit_id: _listed(found.get(unit_id, [])) for unit_id in unit_ids}


class _Entry(NamedTuple):
    """An entry of the negative list that stands, with its problem."""

    unit_id: int
    entered_on: date
    fixed_on: date | None
    watch_until: date | None
    rule_id: str
    record_key: str
    ticket: int
    unit_code: str


@cache
def _standing(shape: Shape) -> Prepared:
    """The entries of units that stand, with their problem; built once, as it is asked at each step of an application."""
    columns = [*(ENTRY.c[name] for name in ("unit_id", "entered_on", "fixed_on", "watch_until")), TICKET.c.rule_id]
    chosen = (
        select(*columns, TICKET.c.record_key, TICKET.c.id.label("ticket"), UNIT.unit_code)
        .join(TICKET, TICKET.c.id == ENTRY.c.ticket_id)
        .join(TABLES["unit"], UNIT.id == ENTRY.c.unit_id)
        .where(STANDING, shape.holds(ENTRY.c.unit_id))
        .order_by(ENTRY.c.entered_on, ENTRY.c.id)
    )
    return Prepared(chosen, ["ids"])


def _listed(rows: list[Any]) -> Verdict:
    listed = [row for row in rows if row.fixed_on is None]
    shown = [{**_problem(row), "entered_on": row.entered_on, "ticket": row.ticket} for row in listed[:SHOWN]]
    return _judged(
        "not_on_negative_list", listed=len(listed), watched=len(rows) - len(listed), rows=shown, code=listed[0].unit_code if listed else ""
    )  # fmt: skip


def _of_entries(facts: Facts) -> Verdict:
    name, basis, rows = "not_on_negative_list", "办法10(一)、办法21", facts["rows"]
    note = f"，另有 {facts['watched']} 项已整改、在观察期内" if facts["watched"] else ""
    if not facts["listed"]:
        return Verdict(name, True, f"没有在册的负面清单问题{note}", basis=basis)
    told = [
        {
            "record": row["record_key"],
            "field": row["rule_id"],
            "value": row["entered_on"],
            "says": f"{_titled(row)}自 {row['entered_on']} 在册",
            "link": f"/tickets/{row['ticket']}",
        }
        for row in rows
    ]
    return Verdict(
        name, False, f"负面清单在册 {facts['listed']} 项{note}", told, basis,
        since=_day(rows[0]["entered_on"]), clears_by="unit_clerk", link=f"/units/{facts['code']}/standing",
    )  # fmt: skip


def no_red_light(session: Session, unit_ids: Collection[int], today: date) -> Verdicts:
    """The unit itself has no red light; its subordinates' do not count upward (办法21, readings 5.3)."""
    shape, chosen = bound(session, unit_ids)
    found = grouped((row.unit_id, row) for row in map(_Red._make, _red(shape).rows(session, {"ids": chosen})))
    return {unit_id: _lit(found.get(unit_id, [])) for unit_id in unit_ids}


class _Red(NamedTuple):
    """A red light, with its problem."""

    unit_id: int
    id: int
    rule_id: str
    record_key: str
    red_on: date | None
    unit_code: str


@cache
def _red(shape: Shape) -> Prepared:
    """The red lights of units, the oldest first; built once."""
    red = (CASE.c.process == "rectification") & CASE.c.open & (CASE.c.light == "red")
    columns = [CASE.c.unit_id, TICKET.c.id, TICKET.c.rule_id, TICKET.c.record_key, TICKET.c.red_on, UNIT.unit_code]
    chosen = (
        select(*columns)
        .join(TICKET, TICKET.c.case_id == CASE.c.id)
        .join(TABLES["unit"], UNIT.id == CASE.c.unit_id)
        .where(red, shape.holds(CASE.c.unit_id))
        .order_by(TICKET.c.red_on, TICKET.c.id)
    )
    return Prepared(chosen, ["ids"])


def _lit(rows: list[Any]) -> Verdict:
    since = min((row.red_on for row in rows if row.red_on is not None), default=None)
    shown = [{**_problem(row), "red_on": row.red_on, "ticket": row.id} for row in rows[:SHOWN]]
    return _judged("no_red_light", count=len(rows), since=since, rows=shown, code=rows[0].unit_code if rows else "")


def _of_lights(facts: Facts) -> Verdict:
    name, basis = "no_red_light", "办法10(一)、办法21"
    if not facts["count"]:
        return Verdict(name, True, "本单位没有红灯", basis=basis)
    told = [
        {
            "record": row["record_key"],
            "field": row["rule_id"],
            "value": "red",
            "says": f"{_titled(row)}自 {row['red_on']} 亮红灯",
            "link": f"/tickets/{row['ticket']}",
        }
        for row in facts["rows"]
    ]
    return Verdict(
        name, False, f"亮红灯的问题 {facts['count']} 项，整改并复核通过即可", told, basis,
        since=_day(facts["since"]), clears_by="unit_clerk", link=f"/tickets?unit={facts['code']}&light=red",
    )  # fmt: skip


def _problem(row: Any) -> dict[str, Any]:
    title = rule_titles().get(row.rule_id, row.rule_id)
    return {"rule_id": row.rule_id, "title": title, "record_key": row.record_key}


def _titled(row: Facts) -> str:
    return f"{row['title']}（{row['rule_id']}，{row['record_key']}）"


def _judged(name: str, **facts: Any) -> Verdict:
    return judged(name, facts)[0]


NOBODY = {"unit": None}  # what was read for a case that concerns no unit
JUDGES: dict[str, Callable[[Facts], Verdict]] = {
    "no_hold_on_unit_or_above": _of_holds,
    "use_is_not_suspended": _of_use_holds,
    "not_on_negative_list": _of_entries,
    "no_red_light": _of_lights,
}


READERS: dict[str, Reader] = {
    "no_hold_on_unit_or_above": no_hold_on_unit_or_above,
    "no_red_light": no_red_light,
    "not_on_negative_list": not_on_negative_list,
}


def standing_verdicts(
    session: Session, unit_id: int, today: date, memory: dict[Any, Any] | None = None
) -> list[Verdict]:
    """Every verdict on one unit, before it files anything. `memory`: what guards of the same page have read."""
    known = {} if memory is None else memory
    return [_remembered(known, name, read, session, {unit_id}, today)[unit_id] for name, read in READERS.items()]


def _remembered(memory: dict[Any, Any], name: str, read: Reader, session: Session, units: set[int], today: date) -> Verdicts:  # fmt: skip
    return once(memory, (name, frozenset(units)), lambda: read(session, units, today))


def _register(name: str, read: Reader) -> None:
    def answer(facts: Facts) -> Verdict:
        return Verdict(name, True, "事项不涉及单位", basis="办法21") if facts == NOBODY else JUDGES[name](facts)

    def on_cases(context: StepContext) -> dict[int, list[Verdict]]:
        units = {case.unit_id for case in context.cases if case.unit_id is not None}
        found = _remembered(context.memory, name, read, context.session, units, context.today)
        nobody = _judged(name, **NOBODY)
        return {case.id: [found[case.unit_id] if case.unit_id is not None else nobody] for case in context.cases}

    on_cases.__doc__ = read.__doc__
    guard(name)(on_cases)
    judge_of(name)(answer)


for _name, _read in (READERS | {"use_is_not_suspended": use_is_not_suspended}).items():
    _register(_name, _read)


@effect("prove_no_hold_again")
def prove_no_hold_again(context: StepContext) -> None:
    """First effect of a step that approves: a suspension decided at this very moment is waited for and seen, so that none is overtaken.

    Raises Refused with the verdict that the guard would give now.
    """
    units = {case.unit_id for case in context.cases if case.unit_id is not None}
    lock_units(context.session, units, shared=True)
    held = failing(no_hold_on_unit_or_above(context.session, units, context.today).values())
    if held:
        raise Refused("；".join(verdict.says for verdict in held), verdicts=held)


@dataclass(frozen=True)
class Way:
    """One open item that has to go before the unit may apply: what, where, by whom, and from when it is gone by itself."""

    says: str
    link: str
    clears_by: str
    basis: str
    earliest: date | None


def shortest_way(verdicts: Collection[Verdict]) -> list[Way]:
    """The smallest set of open items whose end makes every verdict hold: each problem once, though it is red and listed."""
    ways: dict[str, Way] = {}
    for verdict in failing(verdicts):
        for fact in verdict.facts or [{"says": verdict.says, "link": verdict.link}]:
            link = str(fact.get("link") or verdict.link)
            earliest = verdict.earliest
            way = Way(str(fact.get("says", verdict.says)), link, verdict.clears_by, verdict.basis, earliest)
            ways.setdefault(link, way)
    return list(ways.values())
