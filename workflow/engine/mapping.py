"""From the states and timers of one version of a process to those of another, as a person writes it in YAML. Shapes only, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from workflow.engine.definition import load_strictly
from workflow.errors import BadInput, DefinitionError

KEYS = ("states", "timers", "begin")
WRITTEN = {"timers": "新版期限名，或 {drop: 理由}", "begin": "start，或 {leave: 理由}"}


@dataclass(frozen=True)
class Onto:
    """What becomes of one timer: `name` in the new version (with its dates as they are), or nothing, and why."""

    name: str | None
    why: str = ""


@dataclass(frozen=True)
class CaseMapping:
    """Where open cases of one version go in another.

    `states`: old state → new state. `timers`: old state → running timer → what it becomes. `begin`: old state → timer that only the
    new version knows → None where it begins to run, else why it does not.
    """

    states: Mapping[str, str]
    timers: Mapping[str, Mapping[str, Onto]] = field(default_factory=dict)
    begin: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As it is written in a file: what a request is bound to and the history keeps."""
        timers = {
            state: {do: {"drop": onto.why} if onto.name is None else onto.name for do, onto in rows.items()}
            for state, rows in self.timers.items()
        }
        begin = {
            state: {do: "start" if why is None else {"leave": why} for do, why in rows.items()}
            for state, rows in self.begin.items()
        }
        return {"states": dict(self.states), "timers": timers, "begin": begin}

    def as_text(self) -> str:
        """The same as YAML."""
        parts = {name: part for name, part in self.as_json().items() if part}
        return yaml.safe_dump(parts, allow_unicode=True, sort_keys=False)


@dataclass(frozen=True)
class Standing:
    """Where the open cases of a version stand: cases by state, running timers by state and name."""

    cases: Mapping[str, int] = field(default_factory=Counter)
    timers: Mapping[tuple[str, str], int] = field(default_factory=Counter)


def read_mapping(text: str) -> CaseMapping:
    """A mapping from YAML. Raises BadInput naming the row and how it is written."""
    try:
        raw = load_strictly(text)
    except DefinitionError as error:
        raise _unreadable([error.says]) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("states"), dict):
        raise _unreadable([f"应为“键: 值”，须有 states（可用：{'、'.join(KEYS)}）"])
    faults = [f"{key}：不认识的键（可用：{'、'.join(KEYS)}）" for key in raw if key not in KEYS]
    faults += [f"states.{old}：应写新版的状态名" for old, new in raw["states"].items() if not isinstance(new, str)]
    timers = {state: dict(_timers(state, rows, faults)) for state, rows in _rows(raw, "timers", faults)}
    begin = {state: dict(_begin(state, rows, faults)) for state, rows in _rows(raw, "begin", faults)}
    if faults:
        raise _unreadable(faults)
    return CaseMapping({str(old): new for old, new in raw["states"].items()}, timers, begin)


def _unreadable(faults: list[str]) -> BadInput:
    return BadInput(f"对应表有误，未作任何改动：{faults[0]}", errors=faults)


def _rows(raw: Mapping[str, Any], key: str, faults: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    part = raw.get(key) or {}
    if not isinstance(part, dict):
        faults.append(f"{key}：应按原状态分列")
        return
    for state, rows in part.items():
        if isinstance(rows, dict):
            yield str(state), rows
        elif rows is not None:
            faults.append(f"{key}.{state}：应为“期限名: {WRITTEN[key]}”")


def _timers(state: str, rows: Mapping[str, Any], faults: list[str]) -> Iterator[tuple[str, Onto]]:
    for do, what in rows.items():
        why = _why(what, "drop")
        if isinstance(what, str):
            yield str(do), Onto(what)
        elif why:
            yield str(do), Onto(None, why)
        else:
            faults.append(f"timers.{state}.{do}：应写{WRITTEN['timers']}")


def _begin(state: str, rows: Mapping[str, Any], faults: list[str]) -> Iterator[tuple[str, str | None]]:
    for do, what in rows.items():
        why = _why(what, "leave")
        if what == "start":
            yield str(do), None
        elif why:
            yield str(do), why
        else:
            faults.append(f"begin.{state}.{do}：应写{WRITTEN['begin']}")


def _why(what: Any, key: str) -> str:
    given = what.get(key) if isinstance(what, dict) and set(what) == {key} else None
    return given.strip() if isinstance(given, str) else ""
