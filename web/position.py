"""Where a case stands, for every page of one: the steps that are refused with their shortest ways out, and the drawing with its marks. No reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from web.drawing import drawn
from workflow.casework.standing_guards import shortest_way
from workflow.engine.definition import Definition
from workflow.engine.judging import OpenStep


def position(
    definition: Definition, state: str, steps: Iterable[OpenStep], history: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """`blocked`: (step, ways) of each step that is refused now; `drawing`: states passed, state now, actions refused."""
    blocked = [(step, shortest_way(step.verdicts)) for step in steps if not step.allowed]
    passed = {act["from_state"] for act in history if act["from_state"]}
    return {"blocked": blocked, "drawing": drawn(definition, state, passed, {step.do for step, _ in blocked})}
