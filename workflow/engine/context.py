"""What guards and effects are given: the cases of one step, who takes it and when. Reading is free; effects write rows only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from workflow.clock import business_date
from workflow.engine.actors import Actor
from workflow.engine.definition import Definition, Step
from workflow.engine.models import CASE
from workflow.engine.registry import Book
from workflow.engine.verdicts import Verdict

T = TypeVar("T")


class CaseRow(NamedTuple):
    """A case as it stands before the step, locked."""

    id: int
    process: str
    definition: str
    state: str
    light: str
    unit_id: int | None
    subject: str
    title: str
    version: int
    day_zero: date
    data: dict[str, Any]
    assignee: str | None
    opened_by: str
    state_since: datetime


ROW_COLUMNS = [CASE.c[name] for name in CaseRow._fields]


def once(memory: dict[Any, Any], key: Any, read: Callable[[], T]) -> T:
    """What stands under the key, read where nothing does yet: a page and its verdicts ask for the same subject once."""
    if key not in memory:
        memory[key] = read()
    found: T = memory[key]
    return found


@dataclass(frozen=True)
class Request:
    """One step as asked for: what, by whom, on whose behalf, why, with which inputs, effective when (per case where it differs)."""

    do: str
    now: datetime
    actor: Actor
    on_behalf_of: str | None = None
    reason: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    effective_at: datetime | Mapping[int, datetime] | None = None
    day_zero: Mapping[int, date] = field(default_factory=dict)
    fired: bool = False  # the timer of this very action is spoken for already

    def effective(self, case: CaseRow) -> datetime:
        """When the step takes effect for a case: never before the state that it leaves."""
        given = self.effective_at.get(case.id) if isinstance(self.effective_at, Mapping) else self.effective_at
        return self.now if given is None else max(given, case.state_since)


@dataclass(frozen=True)
class StepContext:
    """A step on a set of cases of one definition version and one row of its table.

    An effect runs before the case rows change: `cases` are as they were, `step.to` is where they go. What it puts into
    `changes` is merged into the cases' data in the same step.
    """

    session: Session
    book: Book
    definition: Definition
    step: Step
    cases: list[CaseRow]
    request: Request
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    memory: dict[Any, Any] = field(default_factory=dict)  # what the guards of this judgement have read already

    @property
    def ids(self) -> list[int]:
        """The ids of the cases."""
        return [case.id for case in self.cases]

    @property
    def now(self) -> datetime:
        """The moment of writing, UTC."""
        return self.request.now

    @property
    def today(self) -> date:
        """The business date of writing, Asia/Shanghai."""
        return business_date(self.request.now)

    @property
    def account(self) -> str:
        """Who takes the step."""
        return self.request.actor.account

    def effective_on(self, case: CaseRow) -> date:
        """The business date on which the step takes effect for a case."""
        return business_date(self.request.effective(case))

    def once(self, key: Any, read: Callable[[], T]) -> T:
        """What `read` gives, read once for all guards that share this memory."""
        return once(self.memory, key, read)

    def keep(self, case: CaseRow, **values: Any) -> None:
        """Merges values into a case's data, in the same step."""
        self.changes.setdefault(case.id, {}).update(values)

    def each(self, verdict: Verdict) -> dict[int, list[Verdict]]:
        """The same verdict for every case."""
        return {case.id: [verdict] for case in self.cases}
