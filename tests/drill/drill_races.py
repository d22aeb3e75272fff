"""The last free head wanted by two at the same moment, and a suspension beside an approval: at full size (办法6, 办法21).

The rounds are those of tests/casework/test_quota_races.py and test_hold_races.py. Every kind of round is one drill.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from tests.casework import test_hold_races as holds
from tests.casework import test_quota_races as quotas
from tests.casework.approval_room import HEAD, MON, OFFICE, OTHER, brought_to, facts, ledger_row, person_row, step
from tests.casework.approval_room import settle as settle_bureau
from tests.drill.registry import Measured, drill
from tests.quality.ticket_room import settle as settle_city
from workflow.casework.models import HOLD
from workflow.db import reading, writing
from workflow.engine.models import CASE
from workflow.engine.verdicts import Verdict
from workflow.registry.tree import rebuild

ROUNDS = int(os.environ.get("SANDENG_DRILL_ROUNDS", "1000"))
HOLD_ROUNDS = ROUNDS // 2
LAG, LAGS = 0.015, 8  # seconds, and how many different ones
Play = Callable[[Engine, int], bool]  # one round by its number: whether it ended as it must


@contextmanager
def heads_not_counted() -> Iterator[None]:
    """A build in which an approval sets heads aside without looking whether they are free."""
    honest = quotas.reserve
    quotas.reserve = lambda *_: None
    try:
        yield
    finally:
        quotas.reserve = honest


def _played(engine: Engine, rounds: int, play: Play) -> Measured:
    """All rounds, until one goes wrong: the first is enough to know."""
    for number in range(rounds):
        if not play(engine, number):
            return Measured(f"第 {number + 1:,} 次出错", False)
    return Measured(f"{rounds:,}/{rounds:,}", True)


def _last_head(name: str, prepare: Callable[[Engine], object]) -> Callable[[Play], Play]:
    """Enter a round about the last head as a drill of its own."""

    def enter(play: Play) -> Play:
        @drill(f"最后一名编制：{name}", f"{ROUNDS:,} 次中 {ROUNDS:,} 次不超编、败者得知理由", heads_not_counted)
        def run(engine: Engine, folder: Path) -> Measured:
            settle_bureau(engine, heads=1)
            prepare(engine)
            return _played(engine, ROUNDS, play)

        return play

    return enter


def _nothing(engine: Engine) -> None:
    """Needs nothing beside the bureau."""


def _taking(engine: Engine, number: int) -> Callable[[], None]:
    """The head granted, from round to round a little later: beside a longer write, which of the two is first must change."""
    take, wait = quotas.taking(engine), number % LAGS * LAG

    def work() -> None:
        time.sleep(wait)
        take()

    return work


def _held_back(done: str, because: str) -> bool:
    return done == "done" or because in done


@_last_head("两件核准", _nothing)
def two_approvals(engine: Engine, number: int) -> bool:
    """Exactly one wins; the loser is told how many heads are left."""
    done = quotas.at_once(quotas.taking(engine), quotas.taking(engine))
    lost = [each for each in done if each != "done"]
    kept = len(lost) == 1 and "空编 0 名，不足 1 名" in lost[0] and quotas.counter(engine) == (1, 0, 1, 0)
    quotas.emptied(engine)
    return kept


@_last_head("核准与导入", _nothing)
def an_import(engine: Engine, number: int) -> bool:
    """The fact stays; what was granted before it shows as over, and nothing is granted after it."""
    done = quotas.at_once(_taking(engine, number), lambda: facts(engine, "person", person_row(f"P{number}")))
    expected = (1, 1, 1, 1) if done[0] == "done" else (1, 1, 0, 0)
    kept = done[1] == "done" and _held_back(done[0], "在编 1 名") and quotas.counter(engine) == expected
    quotas.emptied(engine)
    facts(engine, "person", {"person_code": f"P{number}", "estab_status": "2"})
    return kept


@_last_head("核准与调入", lambda engine: facts(engine, "person", person_row("P1", OTHER)))
def a_transfer(engine: Engine, number: int) -> bool:
    """Somebody moves into the unit."""
    done = quotas.at_once(
        _taking(engine, number), lambda: facts(engine, "person", {"person_code": "P1", "unit": OFFICE})
    )
    expected = (1, 1, 1, 1) if done[0] == "done" else (1, 1, 0, 0)
    kept = done[1] == "done" and _held_back(done[0], "在编 1 名") and quotas.counter(engine) == expected
    facts(engine, "person", {"person_code": "P1", "unit": OTHER})
    quotas.emptied(engine)
    return kept


@_last_head("核准与减编", _nothing)
def a_cut(engine: Engine, number: int) -> bool:
    """The ledger takes the head away."""
    done = quotas.at_once(_taking(engine, number), lambda: facts(engine, "ledger", ledger_row(f"C{number}", minus=1)))
    expected = (0, 0, 1, 1) if done[0] == "done" else (0, 0, 0, 0)
    kept = done[1] == "done" and _held_back(done[0], "核定 0 名") and quotas.counter(engine) == expected
    facts(engine, "ledger", ledger_row(f"A{number}", plus=1))
    quotas.emptied(engine)
    return kept


@_last_head("核准与交回", _nothing)
def a_return(engine: Engine, number: int) -> bool:
    """The notice that holds the head is given back: whoever asks is granted it after that and refused before."""
    held = brought_to(engine, "end")
    done = quotas.at_once(
        _taking(engine, number), lambda: step(engine, held, "give_back", HEAD, MON, reason="不再使用")
    )
    expected = (1, 0, 1, 0) if done[0] == "done" else (1, 0, 0, 0)
    kept = done[1] == "done" and _held_back(done[0], "不足 1 名") and quotas.counter(engine) == expected
    quotas.emptied(engine)
    return kept


@contextmanager
def holds_not_asked() -> Iterator[None]:
    """A build in which an approval asks nothing about holds, neither before nor at its commit."""
    honest = holds.BOOK

    def nobody_held(context: Any) -> dict[int, list[Verdict]]:
        return context.each(Verdict("no_hold_on_unit_or_above", True, "不查"))

    guards = {**honest.guards, "no_hold_on_unit_or_above": nobody_held}
    effects = {**honest.effects, "prove_no_hold_again": lambda context: None}
    holds.BOOK = replace(honest, guards=guards, effects=effects, pinned={})
    try:
        yield
    finally:
        holds.BOOK = honest


@drill("暂停与核准同时", f"{HOLD_ROUNDS} 次中 {HOLD_ROUNDS} 次：暂停之后没有核准", holds_not_asked)
def suspension_and_approval(engine: Engine, folder: Path) -> Measured:
    """A leader suspends the office while an application of its school is approved."""
    settle_city(engine)
    with writing(engine) as session:
        rebuild(session)
    return _played(engine, HOLD_ROUNDS, _suspended)


def _suspended(engine: Engine, number: int) -> bool:
    hold, ask = holds.opened(engine, number)
    done = holds.race(engine, hold, ask)
    with reading(engine) as session:
        states = dict(session.execute(select(CASE.c.id, CASE.c.state).where(CASE.c.id.in_([hold, ask]))).all())
    with writing(engine) as session:
        session.execute(HOLD.update().values(lifted_on=holds.THIRD))
    first = done.index("suspension") if "suspension" in done else -1
    return states[hold] == "in_force" and first == (0 if states[ask] == "draft" else 1)
