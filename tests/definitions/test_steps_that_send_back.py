"""Which steps only send a case back: they ask for a reason, and nothing that decides is named like one (办法17)."""

from __future__ import annotations

from workflow.engine.definition import RETURNS
from workflow.engine.registry import book


def test_every_step_that_returns_a_case_is_known_as_one_and_asks_why() -> None:
    steps = [(name, step) for name, definition in book().current.items() for step in definition.steps]
    named = {(name, step.do) for name, step in steps if step.title.startswith("退回") and step.do != "refuse"}
    assert {do for _, do in named} <= set(RETURNS)
    returns = [(name, step) for name, step in steps if step.do in RETURNS]
    assert {step.do for _, step in returns} == set(RETURNS)
    for name, step in returns:
        assert "reason" in step.needs, (name, step.do)
        assert not book().process(name).states[step.to].final, (name, step.do)
