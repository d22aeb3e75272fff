"""Is a mapping complete? Every state and timer of the old version has its place in the new one, or the row at fault is named. Pure, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from workflow.engine.definition import Definition, Step, TimerRule
from workflow.engine.form import COMPLETE
from workflow.engine.mapping import WRITTEN, CaseMapping, Onto, Standing


def suggested(old: Definition, new: Definition, standing: Standing) -> CaseMapping:
    """Equal names onto equal names, for a person to complete and to judge."""
    states = {state: state for state in old.states if standing.cases.get(state) and state in new.states}
    timers: dict[str, dict[str, Onto]] = {}
    for state, do in standing.timers:
        if state in states and rule_for(new, state, do):
            timers.setdefault(state, {})[do] = Onto(do)
    return CaseMapping(states, timers)


def prove_mapping(old: Definition, new: Definition, mapping: CaseMapping, standing: Standing) -> list[str]:
    """What is wrong or missing, one sentence a row with the known names; empty where the mapping is complete."""
    return [
        *_states_at_fault(old, new, mapping, standing),
        *_timers_at_fault(old, new, mapping, standing),
        *_begin_at_fault(old, new, mapping, standing),
        *_stuck(new, mapping, standing),
    ]


def _states_at_fault(old: Definition, new: Definition, mapping: CaseMapping, standing: Standing) -> Iterator[str]:
    for source, to in mapping.states.items():
        row = f"states.{source}"
        if source not in old.states:
            yield f"{row}：第 {old.version} 版没有状态“{source}”（可用：{'、'.join(old.states)}）"
        elif to not in new.states:
            yield f"{row}：第 {new.version} 版没有状态“{to}”（可用：{'、'.join(new.states)}）"
        elif new.states[to].final:
            yield f"{row}：“{new.states[to].title}”是终结状态，迁移不能替人办结"
        elif (before := old.states[source]).light != (after := new.states[to]).light or before.open != after.open:
            yield f"{row}：“{before.title}”与“{after.title}”的灯或是否未了不同，灯只由校验和时钟改变"
    for state, count in standing.cases.items():
        if count and state not in mapping.states:
            title = old.states[state].title
            yield f"states.{state}：有 {count} 件停在“{title}”，没有写明去向（可用：{'、'.join(new.states)}）"


def _timers_at_fault(old: Definition, new: Definition, mapping: CaseMapping, standing: Standing) -> Iterator[str]:
    for state, rows in mapping.timers.items():
        to = mapping.states.get(state, "")
        if state not in old.states or to not in new.states:
            yield f"timers.{state}：states 没有写明它的去向（可用：{'、'.join(mapping.states)}）"
            continue
        onto = Counter(each.name for each in rows.values() if each.name)
        for do, each in rows.items():
            yield from _timer_at_fault(old, new, (state, do, to), each, onto)
    for (state, do), count in standing.timers.items():
        if count and state in mapping.states and do not in mapping.timers.get(state, {}):
            known = "、".join(rule.do for rule in new.timers_in(mapping.states.get(state, "")))
            yield f"timers.{state}.{do}：有 {count} 个期限在走，没有写明去向（可用：{known or '无'}，或 {{drop: 理由}}）"


def _timer_at_fault(
    old: Definition, new: Definition, place: tuple[str, str, str], onto: Onto, names: Counter[str]
) -> Iterator[str]:
    state, do, to = place
    row, before = f"timers.{state}.{do}", rule_for(old, state, do)
    if before is None:
        known = "、".join(rule.do for rule in old.timers_in(state)) or "无"
        yield f"{row}：第 {old.version} 版的“{old.states[state].title}”没有期限“{do}”（可用：{known}）"
        return
    if onto.name is None:
        return
    after = rule_for(new, to, onto.name)
    if after is None:
        known = "、".join(rule.do for rule in new.timers_in(to)) or "无"
        yield f"{row}：第 {new.version} 版的“{new.states[to].title}”没有期限“{onto.name}”（可用：{known}，或 {{drop: 理由}}）"
    elif (before.until is None) != (after.until is None):
        yield f"{row}：一个按期限条目计算，一个到给定日期为止，不能互换"
    elif names[onto.name] > 1:
        yield f"{row}：有两个期限都改作“{onto.name}”"


def _begin_at_fault(old: Definition, new: Definition, mapping: CaseMapping, standing: Standing) -> Iterator[str]:
    for state, to in mapping.states.items():
        if not standing.cases.get(state) or to not in new.states or state not in old.states:
            continue
        decided = mapping.begin.get(state, {})
        only_new = new_timers(old, new, mapping, state)
        for do in only_new:
            if do not in decided:
                yield f"begin.{state}.{do}：新版在“{new.states[to].title}”另有期限“{do}”，须写明 {WRITTEN['begin']}"
    for state, rows in mapping.begin.items():
        known = new_timers(old, new, mapping, state)
        for do in rows:
            if do not in known:
                yield f"begin.{state}.{do}：不是只有新版才有的期限（可用：{'、'.join(known) or '无'}）"


def _stuck(new: Definition, mapping: CaseMapping, standing: Standing) -> Iterator[str]:
    for state, to in mapping.states.items():
        ways = {step.by for step in new.steps if to in step.sources}
        if standing.cases.get(state) and ways == {("clock",)} and not running_after(mapping, state):
            says = f"新版的“{new.states[to].title}”只由时钟办理，却没有期限在走，事项将停在那里"
            yield f"states.{state}：{says}（可用：{'、'.join(rule.do for rule in new.timers_in(to))}）"


def running_after(mapping: CaseMapping, state: str) -> set[str]:
    """The timers of the new version that may run for cases of an old state: those carried over and those that begin."""
    carried = {onto.name for onto in mapping.timers.get(state, {}).values() if onto.name}
    return carried | begun(mapping, state)


def begun(mapping: CaseMapping, state: str) -> set[str]:
    """The timers that begin to run with the move."""
    return {do for do, why in mapping.begin.get(state, {}).items() if why is None}


def new_timers(old: Definition, new: Definition, mapping: CaseMapping, state: str) -> list[str]:
    """The timers that only the new version runs where cases of an old state go; one that was spent is none of them."""
    taken = {onto.name for onto in mapping.timers.get(state, {}).values()} | {rule.do for rule in old.timers_in(state)}
    return [rule.do for rule in new.timers_in(mapping.states.get(state, "")) if rule.do not in taken]


def rule_for(definition: Definition, state: str, do: str) -> TimerRule | None:
    """The timer of that name in a state."""
    return next((rule for rule in definition.timers_in(state) if rule.do == do), None)


def passed_on_the_way(definition: Definition, of: Callable[[Step], Iterable[str]]) -> dict[str, frozenset[str]]:
    """State → what every way from the initial state to it has gone through, by what `of` says of each step."""
    passed: dict[str, frozenset[str]] = {definition.initial: frozenset()}
    changed = True
    while changed:
        changed = False
        for step in definition.steps:
            for source in (source for source in step.sources if source in passed):
                coming = passed[source] | frozenset(of(step))
                known = passed.get(step.to, coming) & coming
                changed |= passed.get(step.to) != known
                passed[step.to] = known
    return passed


def asked_for(old: Definition, new: Definition, mapping: CaseMapping) -> dict[str, frozenset[str]]:
    """Old state → inputs that a case must have given by then in the new version, and need not have in the old; `COMPLETE`: its form.

    Date fields that the timers of the new state count by belong to them.
    """
    given, wanted = (passed_on_the_way(each, lambda step: step.needs) for each in (old, new))
    proved = passed_on_the_way(new, lambda step: step.when)
    found = {}
    for state, to in mapping.states.items():
        names = wanted[to] - given[state]
        if COMPLETE in proved[to] and any(field.required for field in new.form):
            names |= {COMPLETE}
        found[state] = names | _dates_of(old, new, mapping, state)
    return {state: names for state, names in found.items() if names}


def _dates_of(old: Definition, new: Definition, mapping: CaseMapping, state: str) -> frozenset[str]:
    running, begins = running_after(mapping, state), begun(mapping, state)
    here = new.timers_in(mapping.states[state])
    until = {rule.until for rule in here if rule.until and rule.do in running}
    since = {rule.since for rule in here if rule.after and rule.do in begins}
    had = {rule.until for rule in old.timers_in(state) if rule.do in mapping.timers.get(state, {})}
    return frozenset((until | since) - had - {"state", "day_zero"})
