"""The way of a case as its page writes it: what was passed, what leads on, what lies ahead on the main way."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.web.test_drawing import PROCESSES
from web.route import main_way, route
from workflow.engine.registry import book

APPROVED = ["draft", "confirming", "submitted", "auditing", "reviewing", "meeting", "deciding", "issued", "done"]


@pytest.mark.parametrize("process", PROCESSES)
def test_each_way_goes_by_steps_of_the_table_and_comes_to_an_end(process: str) -> None:
    definition = book().process(process)
    moves = {(source, step.to) for step in definition.steps for source in step.sources}
    for state in definition.states:
        shown = route(definition, state, [], [])
        assert [turn.step for turn in shown.turns] == [step for step in definition.steps if state in step.sources]
        ahead = [one.name for one in shown.ahead]
        assert len({state, *ahead}) == len(ahead) + 1
        assert all(pair in moves for pair in pairwise([state, *ahead]))
        assert not definition.states[state].final or not ahead


@pytest.mark.parametrize(
    ("process", "way"),
    [("approval", APPROVED), ("filing", ["draft", "submitted", "reviewing", "accepted"]), ("reminder", ["sent", "acknowledged"])],
)  # fmt: skip
def test_the_main_way_goes_well(process: str, way: list[str]) -> None:
    assert main_way(book().process(process)) == way


@pytest.mark.parametrize(
    ("state", "ahead"),
    [
        ("countersigning", APPROVED[4:]), ("pleading", ["weighing", "excepting", "issued", "done"]),
        ("meeting", APPROVED[6:]), ("refused", []), ("done", []),
    ],
)  # fmt: skip
def test_beside_the_main_way_the_way_back_to_it_is_shown(state: str, ahead: list[str]) -> None:
    assert [one.name for one in route(book().process("approval"), state, [], []).ahead] == ahead


def test_states_are_passed_once_in_order_and_what_is_refused_is_marked() -> None:
    shown = route(
        book().process("approval"), "draft", ["draft", "confirming", "draft", "confirming", "gone"], {"submit"}
    )
    assert [one.name for one in shown.passed] == ["confirming"]
    assert {turn.step.do: (turn.stopped, turn.stays) for turn in shown.turns} == {
        "edit": (False, True), "submit": (True, False), "withdraw": (False, False), "plead": (False, False),
    }  # fmt: skip
