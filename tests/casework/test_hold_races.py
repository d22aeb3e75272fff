"""A suspension and an approval of the same unit at the same moment: no approval commits after the suspension (办法21)."""

from __future__ import annotations

import threading
from dataclasses import replace

from sqlalchemy import Engine, select

from tests.casework.suspended_room import LEADER, OTHER, THIRD
from tests.casework.test_standing import APPLYING, CLERK
from tests.quality.ticket_room import OFFICE, SCHOOL, at, settle
from workflow.casework.models import HOLD
from workflow.db import reading, writing
from workflow.engine.actors import SYSTEM
from workflow.engine.definition import read_definition
from workflow.engine.models import CASE
from workflow.engine.registry import load_all, using
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.errors import Refused
from workflow.registry.tree import rebuild

NOW = at(THIRD)
ROUNDS = 40
BOOK = replace(
    load_all(), current={**load_all().current, "applying": read_definition(APPLYING, "applying.yaml")}, pinned={}
)


def opened(engine: Engine, number: int) -> tuple[int, int]:
    """A proposal about the office, and an application of its school."""
    with using(BOOK), writing(engine) as session:
        facts = {"months": 3, "round": 0}
        hold = open_cases(session, "suspension", [NewCase(OFFICE, f"s{number}", data=facts)], now=NOW, actor=SYSTEM)
        ask = open_cases(session, "applying", [NewCase(SCHOOL, f"a{number}")], now=NOW, actor=CLERK)
    return hold[0], ask[0]


def race(engine: Engine, hold: int, ask: int) -> list[str]:
    """Both at once; what was committed, in order of commit."""
    done: list[str] = []
    start = threading.Barrier(2)

    def one(process: str, do: str, case_id: int, actor: object) -> None:
        with using(BOOK):
            start.wait()
            try:
                with writing(engine) as session:
                    require_moved(take_step(session, process, do, [case_id], now=NOW, actor=actor))  # type: ignore[arg-type]
                    done.append(process)  # before the commit: the suspension still holds its lock here
            except Refused:
                done.append("refused")

    works = [("suspension", "confirm", hold, LEADER), ("applying", "approve", ask, OTHER)]
    threads = [threading.Thread(target=one, args=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def test_no_approval_commits_after_the_suspension(both_engines: Engine) -> None:
    settle(both_engines)
    with writing(both_engines) as session:
        rebuild(session)
    outcomes = []
    for number in range(ROUNDS):
        hold, ask = opened(both_engines, number)
        done = race(both_engines, hold, ask)
        with reading(both_engines) as session:
            states = dict(session.execute(select(CASE.c.id, CASE.c.state).where(CASE.c.id.in_([hold, ask]))).all())
        assert states[hold] == "in_force"
        assert done.index("suspension") == (0 if states[ask] == "draft" else 1), done
        outcomes.append(states[ask])
        with writing(both_engines) as session:
            session.execute(HOLD.update().values(lifted_on=THIRD))
    assert set(outcomes) <= {"draft", "approved"}
    assert len(outcomes) == ROUNDS
