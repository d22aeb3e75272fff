"""A simulation asked for on the page: its parameters, the scope of who asked, its result. An edge's work: opens transactions of its own on a copy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
import yaml
from sqlalchemy import Engine

from workflow.access.scopes import actor_named, visible_units
from workflow.casework.simulation import simulate
from workflow.db import reading
from workflow.errors import BadInput
from workflow.policy import Policies, shipped_policies, trial_policies

KIND = "simulation"
ACTION = "simulation.run"
TERMS = ("light.red", "round.length")  # the entries that the page lets one try, in working days


def work_off(
    engine: Engine, params: Mapping[str, Any], by: str, *, now: datetime, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Message and result for the request's row. Raises BadInput, NotFound for an account that is gone."""
    with reading(engine) as session:
        person = actor_named(session, by, now)
        held = person.holding(ACTION)
        everywhere = any(one.everywhere for one in held)
        visible: Any = visible_units(person, ACTION)
        units: set[int] | None = None if everywhere else set(session.scalars(visible))
    until = date.fromisoformat(str(params["until"]))
    policies = tried(params.get("terms") or {})
    found = simulate(
        engine, now, until, policies=policies, confirm=bool(params.get("confirm")), units=units, progress=progress
    )
    totals = found.totals
    message = (
        f"推演至 {until}：转红 {totals['red']} 项，提醒 {totals['reminders']} 次，暂停建议 {totals['suspensions']} 项"
    )
    return {"message": message, "result": orjson.loads(orjson.dumps(found.as_json()))}


def tried(terms: Mapping[str, Any]) -> Policies | None:
    """The policies in force with other terms for the whole city; None where nothing differs. Raises BadInput, DefinitionError."""
    city = shipped_policies().city
    unknown = set(terms) - set(TERMS)
    if unknown:
        raise BadInput(f"不能推演这些口径：{'、'.join(sorted(unknown))}（可用：{'、'.join(TERMS)}）")
    other = {name: int(value) for name, value in terms.items() if int(value) != city.term(name).n}
    if not other:
        return None
    entries = {
        name: {
            "value": value,
            "unit": "working_days",
            "basis": list(city.entry(name).basis),
            "says": f"试行 {value} 个工作日",
        }
        for name, value in other.items()
    }
    with tempfile.TemporaryDirectory(prefix="sandeng-policy-") as folder:
        path = Path(folder) / "trial.yaml"
        text = yaml.safe_dump({"district": city.district, "name": city.name, "entries": entries}, allow_unicode=True)
        path.write_text(text, encoding="utf-8")
        return trial_policies(path)
