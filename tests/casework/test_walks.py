"""Random walks of every process of a city's warning loop: whatever people try on whatever day, the tables and the invariants hold."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from tests.quality.ticket_room import OFFICE, at, check, finding, midnight, rounds, settle
from workflow.casework.explanation import open_explanation
from workflow.casework.listing import case_of_entry
from workflow.casework.voiding import request_void
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE, HISTORY, TIMER
from workflow.engine.registry import book
from workflow.engine.steps import require_moved, take_step
from workflow.errors import SandengError
from workflow.quality.models import ENTRY, TICKET

FIRST = date(2026, 4, 27)  # the weeks around Labour Day, with its make-up Saturday
DAYS = 45
TRIES = 16  # a day
PEOPLE = [
    Person("clerk", {"unit_clerk": frozenset({OFFICE})}),
    Person("head", {"unit_head": frozenset({OFFICE})}),
    *(Person(f"reviewer{n}", {"reviewer": None}) for n in (1, 2)),
    *(Person(f"leader{n}", {"leader": None}) for n in (1, 2)),
    *[Person("both", {"unit_clerk": None, "reviewer": None, "leader": None})]
    * 5,  # what roles.yaml forbids; guards must hold
]
INPUTS = {"text": "说明", "evidence": ["x"], "months": 3}
ASKED = {
    "draft",
    "submitted",
    "approved",
    "requested",
    "proposed",
    "in_force",
    "lift_requested",
    "reversal_asked",
    "sent",
}
STEPS = sorted({(name, do) for name, process in book().current.items() for _, do in process.rows})
SECOND_PERSON = {("explanation", "approve"): "submit", ("void_light", "confirm"): None, ("suspension", "lift"): "request_lift",
                 ("negative_list", "reverse"): "ask_reversal"}  # fmt: skip


def hours(dice: Random) -> list[int]:
    """When on a day somebody tries something, in the order of the clock."""
    return sorted(dice.choices(range(8, 21), k=TRIES))


def attempt(engine: Engine, dice: Random, day: date, hour: int) -> tuple[str, str] | None:
    """Somebody tries something, possible or not; what was done, None where it was refused. Nothing but a refusal may be raised."""
    who, now = dice.choice(PEOPLE), at(day, hour)
    try:
        with writing(engine) as session:
            cases = session.execute(select(CASE.c.id, CASE.c.process, CASE.c.state).order_by(CASE.c.id)).all()
            tickets = list(session.scalars(select(TICKET.c.id).order_by(TICKET.c.id)))
            entries = list(session.scalars(select(ENTRY.c.id).order_by(ENTRY.c.id)))
            opening = dice.choices(["explanation", "void_light", "negative_list", ""], [4, 1, 1, 14])[0]
            if opening == "explanation" and tickets:
                open_explanation(session, dice.choice(tickets), now=now, actor=who)
            elif opening == "void_light" and tickets:
                request_void(session, dice.choice(tickets), "规则有误", now=now, actor=who)
            elif opening == "negative_list" and entries:
                case_of_entry(session, dice.choice(entries), now=now, actor=who)
            elif cases:
                moving = [c for c in cases if c.process != "rectification" and c.state in ASKED]
                case = dice.choice(moving if moving and dice.random() < 0.8 else list(cases))
                rows = book().current[case.process].rows
                do = dice.choice(
                    [do for state, do in rows if state == case.state]
                    or [do for name, do in STEPS if name == case.process]
                )
                able = (
                    [person for person in PEOPLE if any(map(person.has, rows[case.state, do].by))]
                    if (case.state, do) in rows
                    else []
                )
                who = dice.choice(able) if able and dice.random() < 0.9 else who
                inputs = INPUTS | {"ends_on": (day + timedelta(40)).isoformat()}
                step = take_step(session, case.process, do, [case.id], now=now, actor=who, reason="理由", inputs=inputs)
                require_moved(step)
                return case.process, do
    except SandengError:
        return None
    return (opening, "open") if opening else None


def prove(engine: Engine) -> None:
    """The invariants of the loop, over everything that is stored."""
    with reading(engine) as session:
        cases = {row.id: row for row in session.execute(select(CASE))}
        acts: dict[int, list[Any]] = {}
        for row in session.execute(select(HISTORY).order_by(HISTORY.c.case_id, HISTORY.c.version)):
            acts.setdefault(row.case_id, []).append(row)
        for id_, case in cases.items():
            _prove_history(case, acts[id_])
        keys = (
            select(func.count())
            .select_from(TICKET)
            .group_by(TICKET.c.rule_id, TICKET.c.dataset, TICKET.c.record_id, TICKET.c.part)
        )
        assert set(session.scalars(keys)) <= {1}
        running = select(func.count()).where(TIMER.c.state.in_(["armed", "paused"]))
        for row in session.execute(select(TICKET.c.id, TICKET.c.case_id, TICKET.c.present)):
            light = cases[row.case_id].light
            assert session.scalar(running.where(TIMER.c.case_id == row.case_id)) == (light == "yellow")
            entered = select(func.count()).where(ENTRY.c.ticket_id == row.id, ENTRY.c.fixed_on.is_(None))
            if light == "red":  # on the list, unless an official found the entry mistaken
                assert (session.scalar(entered) or 0) >= 1
                assert (session.scalar(entered.where(ENTRY.c.reversed_on.is_(None))) or 0) <= 1


def _prove_history(case: Any, acts: list[Any]) -> None:
    """A history is a way through the table, without gaps, and ends where the case stands; nobody approves their own request."""
    definition = book().current[case.process]
    assert [act.version for act in acts] == list(range(1, case.version + 1))
    assert acts[-1].to_state == case.state
    assert case.light == definition.states[case.state].light
    state, asked_by = definition.initial, case.opened_by
    for act in acts[1:]:
        assert act.from_state == state
        assert definition.rows[(state, act.do)].to == act.to_state
        state = act.to_state
        if act.do in SECOND_PERSON.values():
            asked_by = act.actor
        assert (case.process, act.do) not in SECOND_PERSON or act.actor != asked_by


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 3, 4])
def test_whatever_people_try_the_tables_and_the_second_person_hold(engine: Engine, tmp_path: Path, seed: int) -> None:
    settle(engine)
    dice, done = Random(seed), set()
    broken = {1, 2, 3}
    for number in range(DAYS):
        day = FIRST + timedelta(number)
        midnight(engine, day)
        broken ^= {dice.randint(1, 6)}
        check(engine, day, [finding(record, level="W" if record % 2 else "E") for record in broken])
        rounds(engine, day)
        done |= {attempt(engine, dice, day, hour) for hour in hours(dice)}
        if number % 5 == 0:
            prove(engine)
    prove(engine)
    assert len(done - {None}) >= 15, done
