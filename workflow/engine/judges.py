"""The pure half of a guard: what was read goes in, verdicts come out. The same facts and the same version give the same verdicts, on any day and machine.

A guard gathers (reads rows, labels, the day) and hands over what it read; the judge registered under its name looks at nothing else.
What was read is kept in the history beside the verdicts, so that they can be judged again without the database (办法17).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from workflow.engine.verdicts import Verdict
from workflow.errors import DefinitionError

Facts = Mapping[str, Any]  # as JSON has it: dates are ISO texts, keys are texts
Answer = Callable[[Facts], Verdict | Iterable[Verdict]]


@dataclass(frozen=True)
class Judge:
    """One judge; `version` counts how often its answers to the same facts changed."""

    name: str
    version: int
    answer: Answer


_JUDGES: dict[str, Judge] = {}


def judge_of(name: str, version: int = 1) -> Callable[[Answer], Answer]:
    """Registers the pure half of the guard of that name. Raises DefinitionError for a second one."""

    def register(answer: Answer) -> Answer:
        if name in _JUDGES:
            raise DefinitionError(f"“{name}”的判断登记了两次")
        _JUDGES[name] = Judge(name, version, answer)
        return answer

    return register


def judges() -> Mapping[str, Judge]:
    """Guard → its judge, for the guards that have one."""
    return _JUDGES


def judged(name: str, facts: Facts) -> list[Verdict]:
    """The verdicts on what a guard read, each with it, as the history keeps it."""
    judge, as_kept = _JUDGES[name], orjson.loads(orjson.dumps(facts))
    read = {"version": judge.version, "facts": as_kept}
    return [replace(verdict, read=read) for verdict in answers(judge, as_kept)]


def answers(judge: Judge, facts: Facts) -> list[Verdict]:
    """What a judge says of facts, as a list."""
    found = judge.answer(facts)
    return [found] if isinstance(found, Verdict) else list(found)
