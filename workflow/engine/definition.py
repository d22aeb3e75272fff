"""A process as a table: states, transitions, timers, read from definitions/processes/*.yaml or from its pinned text. Data only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from transitions import Machine

from workflow.engine.form import COMMON, FormField, read_fields
from workflow.errors import DefinitionError

FOLDER = Path(__file__).resolve().parents[2] / "definitions" / "processes"
LIGHTS = ("none", "green", "yellow", "red")

PROCESS_KEYS = {"process": str, "version": int, "title": str, "basis": list, "initial": str}
PROCESS_MORE = {
    "opened_by": list,
    "states": dict,
    "transitions": list,
    "timers": list,
    "form": list,
    "inputs": list,
    "read": str,
    "about": str,
}
ROWS = ("transitions", "timers", "form", "inputs")
STATE_KEYS = {"title": str, "light": str, "inbox": str, "final": bool, "open": bool}
ROW_KEYS = {
    "do": str,
    "title": str,
    "from": list,
    "to": str,
    "by": list,
    "when": list,
    "then": list,
    "needs": list,
    "takes": list,
}
TIMER_KEYS = {"in": list, "after": str, "until": str, "do": str, "since": str}


# What happens to cases of every process beside the steps of its table; nobody takes part in a case by these.
MIGRATE = "migrate"
OF_EVERY_CASE = {"open": "发起", "reassign": "转交", MIGRATE: "改用新版流程"}
HOUSEKEEPING = ("reassign", MIGRATE)
# Steps that hand a case back with a reason: whoever takes one proposes nothing, and may decide when it comes again.
RETURNS = (
    "return", "send_back", "return_receive", "return_audit", "return_review", "return_meeting", "ask_again", "decline_exception",
)  # fmt: skip
NO_PART = (*HOUSEKEEPING, *RETURNS)  # what makes nobody one of the hands that a case has passed through


@dataclass(frozen=True)
class State:
    """One state: its label, its light, whose turn it is (role), whether the case ends in it, whether it counts as open work."""

    name: str
    title: str
    light: str
    inbox: str | None
    final: bool
    open: bool


@dataclass(frozen=True)
class Step:
    """One row of the table: from these states, by these roles, when these guards hold, to that state, then these effects."""

    do: str
    title: str
    sources: tuple[str, ...]
    to: str
    by: tuple[str, ...]
    when: tuple[str, ...]
    then: tuple[str, ...]
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()  # inputs that may be given and need not be


@dataclass(frozen=True)
class TimerRule:
    """In these states, `do` comes due `after` a policy term, or when the date field `until` has passed.

    Day zero is the case's day zero (since: day_zero), a date field of the case, or the day of entering the state (since: state).
    """

    states: tuple[str, ...]
    do: str
    after: str | None
    until: str | None
    since: str


@dataclass(frozen=True)
class Definition:
    """One version of one process; immutable, known by the SHA-256 of its canonical text."""

    process: str
    version: int
    title: str
    basis: tuple[str, ...]
    initial: str
    opened_by: tuple[str, ...]
    states: Mapping[str, State]
    steps: tuple[Step, ...]
    timers: tuple[TimerRule, ...]
    text: str
    file: str
    form: tuple[FormField, ...] = ()
    inputs: Mapping[str, FormField] = field(default_factory=dict)
    about: str = "unit"  # unit: each case concerns one; city: the whole city, opened by its own office only
    read: str = ""  # the action that seeing its cases takes, where not everybody in scope may

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical text, hexadecimal: what a case is pinned to."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def rows(self) -> dict[tuple[str, str], Step]:
        """(state, action) → the one row that carries it out."""
        return {(source, step.do): step for step in self.steps for source in step.sources}

    @cached_property
    def machine(self) -> Machine:
        """The transition table as the library holds it: no models, no back doors (auto_transitions off)."""
        return Machine(
            model=None,
            states=list(self.states),
            initial=self.initial,
            transitions=[
                {"trigger": step.do, "source": source, "dest": step.to}
                for step in self.steps
                for source in step.sources
            ],
            auto_transitions=False,
            send_event=True,
        )

    def row(self, state: str, do: str) -> Step | None:
        """The row for an action in a state; None where the table has none."""
        event = self.machine.events.get(do)
        return self.rows[state, do] if event is not None and state in event.transitions else None

    def destination(self, state: str, do: str) -> str:
        """Where an action leads from a state, as the library's machine moves it. Raises MachineError where the table has no such row."""
        if (state, do) not in self._destinations:
            token = _Token(state)
            self.machine.events[do].trigger(token)
            self._destinations[state, do] = token.state
        return self._destinations[state, do]

    @cached_property
    def _destinations(self) -> dict[tuple[str, str], str]:
        """What the machine has answered: it has no conditions, so that it always answers the same."""
        return {}

    def title_of(self, do: str) -> str:
        """The label of an action."""
        return next((step.title for step in self.steps if step.do == do), OF_EVERY_CASE.get(do, do))

    def roles_of(self, state: str, do: str) -> tuple[str, ...]:
        """The roles that take an action in a state; none where the table does not list it."""
        step = self.row(state, do)
        return step.by if step else ()

    def input(self, name: str) -> FormField:
        """How an input of a step is asked for: as the table describes it, else as every process has it."""
        return self.inputs.get(name) or COMMON.get(name) or FormField(name, name)

    def timers_in(self, state: str) -> tuple[TimerRule, ...]:
        """The timers that run in a state."""
        return tuple(timer for timer in self.timers if state in timer.states)


@dataclass
class _Token:
    """What the machine moves: a bare state, so that no row of the database is ever its model."""

    state: str


class _Strict(yaml.CSafeLoader):
    """YAML that refuses a key written twice and keys that YAML reads as booleans (on, yes, no)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: list[str] = []
        for key, _ in node.value:
            line = f"第 {key.start_mark.line + 1} 行"
            if key.tag == "tag:yaml.org,2002:bool":
                raise DefinitionError(f"键“{key.value}”会被 YAML 读作真假值，请改名", row=line)
            if key.value in names:
                raise DefinitionError(f"键“{key.value}”写了两次，后一次会悄悄取代前一次", row=line)
            names.append(key.value)
        return super().construct_mapping(node, deep)


def load_strictly(text: str, file: str = "") -> Any:
    """YAML without doubled keys and keys that are read as booleans. Raises DefinitionError naming file and line."""
    try:
        return yaml.load(text, _Strict)
    except DefinitionError as error:
        raise DefinitionError(error.says, file=file) from None
    except yaml.YAMLError as error:
        raise DefinitionError(f"不是可读的 YAML：{error}", file=file) from None


def read_definition(text: str, file: str = "") -> Definition:
    """A definition from YAML (or its pinned JSON, which is YAML too). Raises DefinitionError naming file, row and the known keys."""
    raw = load_strictly(text, file)
    if not isinstance(raw, dict):
        raise DefinitionError("应为一张流程表", file=file)
    _typed(raw, PROCESS_KEYS | PROCESS_MORE, file, "流程", required={*PROCESS_KEYS, "states", "transitions"})
    states = {name: _state(name, spec, file) for name, spec in raw["states"].items()}
    return Definition(
        process=raw["process"],
        version=raw["version"],
        title=raw["title"],
        basis=tuple(raw["basis"]),
        initial=raw["initial"],
        opened_by=_names(raw.get("opened_by")),
        states=states,
        steps=tuple(_step(number, spec, file) for number, spec in enumerate(raw["transitions"], 1)),
        timers=tuple(_timer(number, spec, file) for number, spec in enumerate(raw.get("timers", []), 1)),
        text=json.dumps(raw, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str),
        file=file,
        form=read_fields(raw.get("form", []), file, "form"),
        read=raw.get("read", ""),
        about=_about(raw, file),
        inputs={each.name: each for each in read_fields(raw.get("inputs", []), file, "inputs")},
    )


def read_folder(folder: Path = FOLDER) -> list[Definition]:
    """Every definition of a folder, in the order of file names."""
    return [read_definition(path.read_text(encoding="utf-8"), path.name) for path in sorted(folder.glob("*.yaml"))]


def _about(raw: Mapping[str, Any], file: str) -> str:
    about = raw.get("about", "unit")
    if about not in ("unit", "city"):
        raise DefinitionError(f"about 没有“{about}”这种写法", file=file, row="about", known=["unit", "city"])
    return str(about)


def _state(name: str, spec: Any, file: str) -> State:
    row = f"states.{name}"
    _typed(spec, STATE_KEYS, file, row, required={"title"})
    light = spec.get("light", "none")
    if light not in LIGHTS:
        raise DefinitionError(f"没有“{light}”这种灯", file=file, row=row, known=list(LIGHTS))
    final = spec.get("final", False)
    is_open = spec.get("open", not final and light != "green")
    return State(name, spec["title"], light, spec.get("inbox"), final, is_open)


def _step(number: int, spec: Any, file: str) -> Step:
    row = f"transitions 第 {number} 行"
    _typed(spec, ROW_KEYS, file, row, required={"do", "from", "to", "by"})
    return Step(
        do=spec["do"],
        title=spec.get("title", spec["do"]),
        sources=_names(spec["from"]),
        to=spec["to"],
        by=_names(spec["by"]),
        when=_names(spec.get("when")),
        then=_names(spec.get("then")),
        needs=_names(spec.get("needs")),
        takes=_names(spec.get("takes")),
    )


def _timer(number: int, spec: Any, file: str) -> TimerRule:
    row = f"timers 第 {number} 行"
    _typed(spec, TIMER_KEYS, file, row, required={"in", "do"})
    after, until = spec.get("after"), spec.get("until")
    if (after is None) == (until is None):
        raise DefinitionError("after（期限条目）与 until（日期字段）须写且只写一个", file=file, row=row)
    return TimerRule(_names(spec["in"]), spec["do"], after, until, spec.get("since", "state"))


def _typed(spec: Any, keys: Mapping[str, type], file: str, row: str, required: Iterable[str]) -> None:
    if not isinstance(spec, dict):
        raise DefinitionError("应为“键: 值”", file=file, row=row, known=list(keys))
    for key in required:
        if key not in spec:
            raise DefinitionError(f"缺少“{key}”", file=file, row=row, known=list(keys))
    for key, value in spec.items():
        if key not in keys:
            raise DefinitionError(f"不认识的键“{key}”", file=file, row=row, known=list(keys))
        _prove_type(key, value, keys[key], file, row)


def _prove_type(key: str, value: Any, kind: type, file: str, row: str) -> None:
    if kind is list:  # a single name may stand without brackets
        parts = value if isinstance(value, list) else [value]
        good = key in ROWS or all(isinstance(part, str) for part in parts)
    else:
        good = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not good:
        raise DefinitionError(
            f"“{key}”的值 {value!r} 类型不对（注意 YAML 会把 on、yes、no 读作真假值）", file=file, row=row
        )


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
