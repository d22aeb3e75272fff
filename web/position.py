"""Where a case stands, for every page of one: the steps that are refused with their shortest ways out, and the drawing with its marks. Reads no more than the names of who acted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from web.drawing import drawn
from web.people import learn
from web.route import route
from workflow.casework.standing_guards import shortest_way
from workflow.engine.definition import Definition
from workflow.engine.judging import OpenStep


def position(
    definition: Definition, state: str, steps: Iterable[OpenStep], history: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """`blocked`: (step, ways) of each step that is refused now; `route` and `drawing`: states passed, state now, actions refused."""
    learn(name for act in history for name in (act["actor"], act["on_behalf_of"]))
    blocked = [(step, shortest_way(step.verdicts)) for step in steps if not step.allowed]
    passed = [act["from_state"] for act in history if act["from_state"]]
    refused = {step.do for step, _ in blocked}
    return {
        "blocked": blocked,
        "route": route(definition, state, passed, refused),
        "drawing": drawn(definition, state, passed, refused),
    }
