"""The way of one case through its process, as a page of any width can write it: passed, here, the steps that lead on, what lies ahead. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from workflow.engine.definition import Definition, State, Step

AUTOMATIC = {"clock", "checker", "system"}


@dataclass(frozen=True)
class Turn:
    """One step that leads on from here: whether it is refused now, taken by the platform itself, or stays where it is."""

    step: Step
    to: State
    stopped: bool
    automatic: bool
    stays: bool


@dataclass(frozen=True)
class Route:
    """States passed in the order of first arrival, the state now, the turns from it, and the main way from here to its end."""

    passed: list[State]
    here: State
    turns: list[Turn]
    ahead: list[State]


def route(definition: Definition, state: str, passed: Iterable[str], blocked: Collection[str]) -> Route:
    """Where a case stands; `passed`: the states it left, in order, `blocked`: the actions refused now."""
    states = definition.states
    left = [states[name] for name in dict.fromkeys(passed) if name != state and name in states]
    turns = [
        Turn(step, states[step.to], step.do in blocked, set(step.by) <= AUTOMATIC, step.to == state)
        for step in definition.steps
        if state in step.sources
    ]
    return Route(left, states[state], turns, [states[name] for name in _ahead(definition, state)])


def main_way(definition: Definition) -> list[str]:
    """The states that a case goes through if all goes well: the longest way onward of the steps that are the rule."""
    return _onward(definition, definition.initial)


def _onward(definition: Definition, state: str) -> list[str]:
    places = list(definition.states)
    forward = [s for s in definition.steps if state in s.sources and places.index(s.to) > places.index(state)]
    forward.sort(key=lambda step: _exceptional(definition, step))
    usual = [step for step in forward if _exceptional(definition, step) == 0] or forward[:1]
    return [state, *max((_onward(definition, step.to) for step in usual), key=len, default=[])]


def _exceptional(definition: Definition, step: Step) -> int:
    """How far a step is from the rule: a term that ends by itself, a reason given, a way out of several states, lateness."""
    to = definition.states[step.to]
    if set(step.by) == {"clock"}:
        return 4 if to.open else 1
    if len(step.sources) > 1 and to.final:
        return 3
    return 2 if "reason" in step.needs else 0


def _ahead(definition: Definition, state: str) -> list[str]:
    """What follows on the main way; from beside it, first the way back to it."""
    main = main_way(definition)
    if state in main:
        return main[main.index(state) + 1 :]
    if definition.states[state].final:
        return []
    onward = _onward(definition, state)[1:]
    meets = next((name for name in onward if name in main), None)
    if meets is not None:
        return [*onward[: onward.index(meets)], *main[main.index(meets) :]]
    back = next((s.to for s in definition.steps if state in s.sources and s.to in main), None)
    return main[main.index(back) :] if back else []
