"""A case judged once more from its document alone: versions, steps, verdicts, timers. Pure: asks no database and no clock (办法17).

Same facts and same versions give the same verdicts; a condition whose facts were not kept, or whose judge has another version by now,
is named and not passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from workflow.clock import business_date
from workflow.engine.actors import PLATFORM_ROLES
from workflow.engine.definition import NO_PART, Definition
from workflow.engine.judges import Judge, answers, judges
from workflow.errors import SandengError
from workflow.evidence.findings import CANNOT, DIFFERENT, SAME, Rejudged, Row, number_of
from workflow.evidence.timing import timed
from workflow.evidence.versions import calendar_read, proved, versions_read
from workflow.evidence.walking import in_force, traced, walked
from workflow.insight.wording import condition_titles

Kept = Mapping[str, Any]
BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, SandengError)  # facts that are none any more
PEOPLE: dict[str, tuple[str, ...]] = {"took_no_part": (), "not_the_applicant": ("open", "edit", "submit")}


def rejudged(document: Kept) -> Rejudged:
    """Every row of the judgement. A document that lacks a part is one different row, whatever else it holds."""
    found = Rejudged()
    try:
        for row in _rows(document):
            found.rows.append(row)
    except BROKEN as fault:
        found.rows.append(Row("case", "证据文件", DIFFERENT, f"内容不完整，不能读取（{type(fault).__name__}）"))
    return found


def _rows(document: Kept) -> Iterator[Row]:
    calendar, versions = calendar_read(document["calendar"]), versions_read(document)
    yield from proved(document, versions, calendar)
    case, acts = document["case"], document["history"]
    lives = in_force(versions, case["definition"], acts)
    yield from walked(lives, case, acts)
    yield from judged_again(lives, acts)
    yield from traced(case["process"], acts, document["audit"])
    yield from timed(lives, calendar, case, acts, document["timers"], document["pauses"])


def judged_again(lives: Sequence[Definition], acts: Sequence[Kept]) -> Iterator[Row]:
    """One row for each condition of each step."""
    for place, (definition, act) in enumerate(zip(lives, acts, strict=True)):
        yield from _verdicts(definition, acts[:place], act)


def _verdicts(definition: Definition, before: Sequence[Kept], act: Kept) -> Iterator[Row]:
    """One row for each condition of a step."""
    verdicts, read = act["facts"].get("verdicts", []), act["facts"].get("read", {})
    for guard in dict.fromkeys([verdict["guard"] for verdict in verdicts] + list(read)):
        where = f"{number_of(act, definition.title_of(act['do']))} · {condition_titles().get(guard, guard)}"
        given = [verdict for verdict in verdicts if verdict["guard"] == guard]
        yield Row("verdicts", where, *_again(guard, given, read.get(guard), before, act))


def _again(guard: str, given: list[Kept], read: Kept | None, before: Sequence[Kept], act: Kept) -> tuple[str, str]:
    """The result and its reason."""
    judge = judges().get(guard)
    if judge is None:
        return CANNOT, "该条件当时读取数据库，所读事实没有单独记下"
    if read is None:
        return CANNOT, "办理时尚未记下所读事实"
    if "facts" not in read:
        return CANNOT, "所读事实含有隐去的内容"
    if read["version"] != judge.version:
        return CANNOT, f"当时按判断第 {read['version']} 版，现为第 {judge.version} 版"
    off = _off(judge, given, read["facts"]) or _elsewhere(guard, read["facts"], before, act)
    return (DIFFERENT, off) if off else (SAME, "；".join(verdict["says"] for verdict in given))


def _off(judge: Judge, given: list[Kept], facts: Kept) -> str:
    try:
        again = [verdict.as_json() for verdict in answers(judge, facts)]
    except BROKEN as fault:
        return f"所记事实不完整，不能判断（{type(fault).__name__}）"
    if again == given:
        return ""
    spoken = "；".join(f"{'满足' if verdict['holds'] else '不满足'}：{verdict['says']}" for verdict in again)
    return f"按所记事实应为“{spoken}”，与记载的结论不符"


def _elsewhere(guard: str, facts: Kept, before: Sequence[Kept], act: Kept) -> str:
    """What the facts say that the history beside them does not: the day, who acted, who took part before."""
    today = business_date(datetime.fromisoformat(act["at"])).isoformat()
    if facts.get("today", today) != today:
        return f"所记事实为 {facts['today']} 的，办理却在 {today}"
    if guard not in PEOPLE:
        return ""
    acting = sorted({name for name in (act["actor"], act["on_behalf_of"]) if name})
    took_part = _people(before, PEOPLE[guard], act["do"])
    if facts["mine"] != acting or facts["took_part"] != took_part:
        return f"所记人员与办理经过不符：办理 {'、'.join(acting)}，此前参与 {'、'.join(took_part)}"
    return ""


def _people(acts: Sequence[Kept], dos: Sequence[str], now: str) -> list[str]:
    counted = [act for act in acts if act["do"] not in (*NO_PART, now) and (not dos or act["do"] in dos)]
    named = {name for act in counted for name in (act["actor"], act["on_behalf_of"]) if name}
    return sorted(named - PLATFORM_ROLES.keys())
