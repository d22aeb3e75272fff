"""A simulated stretch of days is what living through them for real then brings; the original is not touched."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from tests.conftest import Staged
from tests.quality.ticket_room import at
from workers.clock import pass_time
from workflow.casework.copying import LEFT_OUT
from workflow.casework.models import HOLD
from workflow.casework.simulation import Simulation, simulate
from workflow.clock import business_date
from workflow.db import Base, reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE, HISTORY
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, DefinitionError
from workflow.policy import shipped_policies, trial_policies
from workflow.quality.run import run_check
from workflow.registry import records
from workflow.registry.tables import TABLES

TODAY, UNTIL = date(2026, 3, 2), date(2026, 4, 30)
NOW = at(TODAY)
UNITS = {"330200101": "330200", "33020010101": "330200", "330282101": "330282", "330203101": "330203"}
WATCHED = {
    ("rectification", "warn"): "yellow", ("rectification", "escalate"): "red", ("rectification", "open"): "opened",
    ("reminder", "open"): "reminders", ("suspension", "open"): "suspensions",
}  # fmt: skip


def checked_city(engine: Engine) -> None:
    """Four units, each with a person who lacks what must be there; one unit below another; checked this morning."""
    with writing(engine) as session:
        office: dict[str, Any] = {"by": "reviewer", "now": NOW, "may_write_locked": True, "may_create": True}
        rows = [{"unit_code": code, "name": f"示例{code}", "district_code": where} for code, where in UNITS.items()]
        records.write(session, "unit", rows, **office)
        unit = TABLES["unit"].c
        ids = dict(session.execute(select(unit.unit_code, unit.id)).all())
        records.write(session, "unit", [{"unit_code": "33020010101", "parent": ids["330200101"]}], **office)
        people = [
            {
                "name": "张某某",
                "unit": ids[code],
                "person_code": f"P{n:08d}",
                "sex": "1",
                "birth_date": 19660400 + n,
            }
            for n, code in enumerate(UNITS, 1)
        ]
        records.write(session, "person", people, **office)
    run_check(engine, TODAY, NOW, kind="full")


@pytest.fixture
def city(both_engines: Engine, staged: Staged) -> Engine:
    staged(both_engines, checked_city)
    return both_engines


def content(engine: Engine) -> dict[str, int]:
    """Rows by table, and the versions of all cases added up."""
    with reading(engine) as session:
        rows = {t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in Base.metadata.sorted_tables}
        return rows | {"versions": session.scalar(select(func.sum(CASE.c.version))) or 0}


def simulated(found: Simulation) -> dict[date, Counter[str]]:
    return {
        day.on: Counter(opened=day.opened, yellow=day.yellow, red=day.red, reminders=len(day.reminders),
                        suspensions=len(day.suspensions))
        for day in found.days if not day.quiet
    }  # fmt: skip


def lived(engine: Engine, since: datetime) -> dict[date, Counter[str]]:
    days: dict[date, Counter[str]] = {}
    with reading(engine) as session:
        joined = select(CASE.c.process, HISTORY.c.do, HISTORY.c.at).join(CASE, CASE.c.id == HISTORY.c.case_id)
        for process, do, moment in session.execute(joined.where(HISTORY.c.at > since)):
            if (process, do) in WATCHED:
                days.setdefault(business_date(moment), Counter())[WATCHED[process, do]] += 1
    return days


def test_it_is_what_living_through_the_days_then_brings(city: Engine) -> None:
    before = content(city)
    found = simulate(city, NOW, UNTIL)
    assert content(city) == before
    pass_time(city, at(UNTIL, 23), TODAY)
    real = lived(city, NOW)
    foretold = {day: +figures for day, figures in simulated(found).items() if +figures}
    assert foretold == real
    assert sum(real.values(), Counter())["suspensions"] >= 8  # every unit, the second and the third round and on
    assert found.totals["red"] == sum(real.values(), Counter())["red"] > 0


def test_it_foretells_whom_a_leader_who_confirms_would_suspend_and_until_when(city: Engine) -> None:
    found = simulate(city, NOW, UNTIL, confirm=True)
    first = next(day for day in found.days if day.suspensions)
    county = next(one for one in first.suspensions if one["unit"] == "330282101")  # red a working day earlier
    pass_time(city, at(first.on, 7), TODAY)
    with writing(city) as session:
        waiting = session.execute(select(CASE).where(CASE.c.process == "suspension", CASE.c.state == "proposed")).all()
        ids = [row.id for row in waiting]
        leader = Person("leader", {"leader": None})
        require_moved(take_step(session, "suspension", "confirm", ids, now=at(first.on), actor=leader))
    with reading(city) as session:
        unit = TABLES["unit"].c
        held = session.scalar(
            select(HOLD.c.until_on).join(TABLES["unit"], unit.id == HOLD.c.unit_id).where(unit.unit_code == "330282101")
        )
    assert county["until"] == held.isoformat()
    assert (county["months"], county["units_bound"]) == (3, 1)


def test_the_units_that_may_not_apply_are_named_on_the_day_it_begins(city: Engine) -> None:
    found = simulate(city, NOW, date(2026, 3, 6))
    begins = {code: day.on for day in found.days for code in day.newly_blocked}
    assert begins == {
        "330282101": date(2026, 3, 5), "330200101": date(2026, 3, 6), "33020010101": date(2026, 3, 6),
        "330203101": date(2026, 3, 6),
    }  # fmt: skip
    assert found.days[-1].blocked_units == 4


def test_a_stricter_policy_turns_red_earlier_and_nothing_changes_for_real(city: Engine, tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text(
        'district: "330200"\nname: 试行口径\nentries:\n'
        "  light.red: {value: 1, unit: working_days, basis: [办法10(一)], says: 一个工作日}\n",
        encoding="utf-8",
    )
    trial, before = trial_policies(file), content(city)
    assert trial.of("330282").term("light.red").n == 1  # the county's two days would be laxer now
    red = {day.on: day.red for day in simulate(city, NOW, date(2026, 3, 6), policies=trial).days if day.red}
    assert list(red) == [date(2026, 3, 4)]
    assert content(city) == before
    assert shipped_policies().city.term("light.red").n == 3


def test_a_laxer_ladder_reminds_and_proposes_nothing(city: Engine, tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text(
        'district: "330200"\nname: 试行口径\nentries:\n'
        "  ladder: {value: [{red_rounds: 1, do: remind}], unit: steps, basis: [办法21], says: 只提醒}\n",
        encoding="utf-8",
    )
    totals = simulate(city, NOW, UNTIL, policies=trial_policies(file)).totals
    assert totals["suspensions"] == 0
    assert totals["reminders"] > 4


def test_days_past_or_too_far_are_refused(city: Engine) -> None:
    for until in (date(2026, 3, 1), date(2027, 5, 1)):
        with pytest.raises(BadInput, match="截止日期应在"):
            simulate(city, NOW, until)


def test_a_missing_policy_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="没有这份口径文件"):
        trial_policies(tmp_path / "none.yaml")


def test_what_is_left_out_of_a_copy_are_tables_that_exist() -> None:
    assert LEFT_OUT - set(Base.metadata.tables) == set()
    assert LEFT_OUT.isdisjoint({"case_file", "timer", "ticket", "hold", "red_round", "negative_entry", "due"})
