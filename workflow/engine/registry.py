"""The book of processes in force, with the guards and effects that they name. Packages register themselves; nothing here names one."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.orm import Session

from workflow.calendar.calendar import WorkCalendar, shipped_calendar
from workflow.engine.actors import PLATFORM_ROLES
from workflow.engine.definition import Definition, read_definition, read_folder
from workflow.engine.models import ProcessDefinition
from workflow.engine.proof import Names, prove
from workflow.engine.verdicts import Verdict
from workflow.errors import DefinitionError, NotFound
from workflow.policy import Policies, Term, shipped_policies

if TYPE_CHECKING:
    from workflow.engine.context import StepContext

Guard = Callable[["StepContext"], Mapping[int, list[Verdict]]]
Effect = Callable[["StepContext"], None]
TermsOf = Callable[[Session, str, Iterable[int | None]], Mapping[int | None, Term]]
F = TypeVar("F", bound=Callable[..., Any])

_GUARDS: dict[str, Guard] = {}
_EFFECTS: dict[str, Effect] = {}
_ROLES: dict[str, str] = dict(PLATFORM_ROLES)
_TERMS: dict[str, TermsOf] = {}


def guard(name: str) -> Callable[[F], F]:
    """Registers a guard: StepContext → {case id: verdicts} for every case of the context. The name states what holds."""
    return functools.partial(_register, _GUARDS, name)


def effect(name: str) -> Callable[[F], F]:
    """Registers an effect: writes rows for the cases of the context and nothing else."""
    return functools.partial(_register, _EFFECTS, name)


def terms(names: Iterable[str], source: TermsOf) -> None:
    """Registers where the lengths of these policy terms come from: source(session, name, unit ids) → {unit id: Term}."""
    for name in names:
        _register(_TERMS, name, source)


def roles(titles: Mapping[str, str]) -> None:
    """Registers the roles that may stand under `by` and `inbox`, with their names on screen."""
    _ROLES.update(titles)


def _register(table: dict[str, Any], name: str, function: F) -> F:
    if table.get(name, function) is not function:
        raise DefinitionError(f"“{name}”登记了两次：{table[name].__module__} 与 {function.__module__}")
    table[name] = function
    return function


@dataclass(frozen=True)
class Book:
    """Everything that steps go by: the current definition of each process, guards, effects, roles, terms, the calendar."""

    current: Mapping[str, Definition]
    guards: Mapping[str, Guard] = field(default_factory=dict)
    effects: Mapping[str, Effect] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=lambda: dict(PLATFORM_ROLES))
    terms: Mapping[str, TermsOf] = field(default_factory=dict)
    calendar: WorkCalendar = field(default_factory=shipped_calendar)
    policies: Policies = field(default_factory=shipped_policies)
    pinned: dict[str, Definition] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for definition in self.current.values():
            self.pinned[self.proved(definition).hash] = definition

    def proved(self, definition: Definition) -> Definition:
        """A definition that this release can carry out. Raises DefinitionError."""
        return prove(definition, Names(self.guards, self.effects, self.terms, self.roles))

    def process(self, name: str) -> Definition:
        """The current definition of a process. Raises NotFound."""
        if name not in self.current:
            raise NotFound(f"没有名为“{name}”的流程（已有：{'、'.join(self.current)}）")
        return self.current[name]

    def version(self, session: Session, hash_: str) -> Definition:
        """The definition that a case is pinned to: of this release, or as kept in the database when the case began."""
        if hash_ not in self.pinned:
            row = session.get(ProcessDefinition, hash_)
            if row is None:
                raise NotFound("找不到该事项开始时的流程版本", hash=hash_)
            self.pinned[hash_] = read_definition(row.text, f"{row.process} v{row.version}")
        return self.pinned[hash_]

    def term(self, session: Session, name: str, unit_ids: Iterable[int | None]) -> Mapping[int | None, Term]:
        """The length of a term for each unit, by the policy of its district."""
        return self.terms[name](session, name, unit_ids)


def newest(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """The highest version of each process; the earlier ones stay for the cases that began under them."""
    current: dict[str, Definition] = {}
    for definition in definitions:
        other = current.get(definition.process)
        if other is not None and other.version == definition.version:
            raise DefinitionError(f"{other.file} 已是第 {other.version} 版", file=definition.file, row="version")
        if other is None or other.version < definition.version:
            current[definition.process] = definition
    return current


@functools.cache
def load_all() -> Book:
    """The book of this release: imports every package's `processes.py` (what it registers), reads and proves every definition."""
    top = Path(__file__).resolve().parents[1]
    for path in sorted(top.glob("*/processes.py")):
        importlib.import_module(f"{top.name}.{path.parent.name}.processes")
    return Book(newest(read_folder()), dict(_GUARDS), dict(_EFFECTS), dict(_ROLES), dict(_TERMS))


_book: ContextVar[Book | None] = ContextVar("book", default=None)


def book() -> Book:
    """The book in force here: this release's, unless a simulation or a test reads from another."""
    return _book.get() or load_all()


@contextmanager
def using(other: Book) -> Iterator[Book]:
    """Another book for the length of a block: other terms for a simulation, another calendar, other processes."""
    token = _book.set(other)
    try:
        yield other
    finally:
        _book.reset(token)
