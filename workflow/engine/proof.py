"""Proves a definition before anything runs under it: every name known, every state reachable and left, every timer able to act."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from workflow.engine.definition import Definition
from workflow.engine.form import COMMON
from workflow.errors import DefinitionError


@dataclass(frozen=True)
class Names:
    """What a definition may refer to."""

    guards: Collection[str]
    effects: Collection[str]
    terms: Collection[str]
    roles: Collection[str]


def prove(definition: Definition, names: Names) -> Definition:
    """The definition itself, once it is proved. Raises DefinitionError naming file, row and the known names."""
    _prove_names(definition, names)
    _prove_one_way(definition)
    _prove_reachable(definition)
    _prove_ends(definition)
    _prove_timers(definition)
    return definition


def _known(kind: str, used: Collection[str], known: Collection[str], definition: Definition, row: str) -> None:
    for name in used:
        if name not in known:
            raise DefinitionError(f"不认识的{kind}“{name}”", file=definition.file, row=row, known=list(known))


def _prove_names(definition: Definition, names: Names) -> None:
    states = definition.states
    _known("状态", [definition.initial], states, definition, "initial")
    _known("角色", definition.opened_by, names.roles, definition, "opened_by")
    for state in states.values():
        _known("角色", [state.inbox] if state.inbox else [], names.roles, definition, f"states.{state.name}")
    for number, step in enumerate(definition.steps, 1):
        row = f"transitions 第 {number} 行（{step.do}）"
        _known("状态", [*step.sources, step.to], states, definition, row)
        _known("角色", step.by, names.roles, definition, row)
        _known("条件", step.when, names.guards, definition, row)
        _known("动作", step.then, names.effects, definition, row)
        _known(
            "所需填写",
            (*step.needs, *step.takes),
            [*definition.inputs, *COMMON, *(f.name for f in definition.form)],
            definition,
            row,
        )
    for number, timer in enumerate(definition.timers, 1):
        row = f"timers 第 {number} 行（{timer.do}）"
        _known("状态", timer.states, states, definition, row)
        _known("期限", [timer.after] if timer.after else [], names.terms, definition, row)


def _prove_one_way(definition: Definition) -> None:
    seen: set[tuple[str, str]] = set()
    for number, step in enumerate(definition.steps, 1):
        for source in step.sources:
            if (source, step.do) in seen:
                raise DefinitionError(
                    f"状态“{source}”下的“{step.do}”已有去处，不能再有第二个",
                    file=definition.file,
                    row=f"transitions 第 {number} 行",
                )
            seen.add((source, step.do))


def _prove_reachable(definition: Definition) -> None:
    reached, frontier = {definition.initial}, [definition.initial]
    while frontier:
        state = frontier.pop()
        news = {step.to for step in definition.steps if state in step.sources} - reached
        reached |= news
        frontier.extend(news)
    for state in definition.states:
        if state not in reached:
            raise DefinitionError("没有任何一步通向此状态", file=definition.file, row=f"states.{state}")


def _prove_ends(definition: Definition) -> None:
    left = {source for step in definition.steps for source in step.sources}
    for state in definition.states.values():
        row = f"states.{state.name}"
        if state.final and state.name in left:
            raise DefinitionError("终结状态不应再有下一步", file=definition.file, row=row)
        if not state.final and state.name not in left:
            raise DefinitionError("此状态没有下一步，也未标明 final，是死路", file=definition.file, row=row)
        if state.final and state.open:
            raise DefinitionError("终结状态不能算未了事项", file=definition.file, row=row)


def _prove_timers(definition: Definition) -> None:
    timed: set[tuple[str, str]] = set()
    for number, timer in enumerate(definition.timers, 1):
        row = f"timers 第 {number} 行（{timer.do}）"
        for state in timer.states:
            step = definition.row(state, timer.do)
            if step is None:
                actions = [do for source, do in definition.rows if source == state]
                says = f"期限到了也办不成：状态“{state}”没有“{timer.do}”这一步"
                raise DefinitionError(says, file=definition.file, row=row, known=actions)
            if "clock" not in step.by:
                raise DefinitionError(
                    f"期限到了也办不成：“{timer.do}”不由时钟办理（by: clock）", file=definition.file, row=row
                )
            if (state, timer.do) in timed:
                raise DefinitionError(f"状态“{state}”的“{timer.do}”已有一个期限", file=definition.file, row=row)
            timed.add((state, timer.do))
    for number, step in enumerate(definition.steps, 1):
        for source in step.sources:
            if step.by == ("clock",) and (source, step.do) not in timed:
                raise DefinitionError(
                    f"只由时钟办理，却没有期限：状态“{source}”的“{step.do}”永远不会发生",
                    file=definition.file,
                    row=f"transitions 第 {number} 行",
                )
