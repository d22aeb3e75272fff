"""Steps of named people at one moment of the demonstration: through the engine, with every guard; what they write says 演示数据."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.scopes import CITY, Actor, actor_named
from workflow.casework.matters import open_matter
from workflow.clock import business_date
from workflow.engine.models import Case
from workflow.engine.steps import require_moved, take_step
from workflow.errors import Refused
from workflow.registry.tables import TABLES

UNIT = TABLES["unit"].c
NOTE = "（演示数据）"


def office(role: str, district: str) -> str:
    """The account of a district's office: `reviewer` of the city, `reviewer@330282` of a county."""
    return role if district == CITY else f"{role}@{district}"


@dataclass
class Doing:
    """The people of the demonstration at a moment; `evidence` is the small file that they attach."""

    session: Session
    now: datetime
    evidence: dict[str, Any]
    _actors: dict[str, Actor] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The day in Ningbo."""
        return business_date(self.now)

    def actor(self, account: str) -> Actor:
        """Who has that account."""
        if account not in self._actors:
            self._actors[account] = actor_named(self.session, account, self.now)
        return self._actors[account]

    def open(self, process: str, unit_id: int | None, account: str, **texts: Any) -> int:
        """A matter by its form. Returns the case."""
        return open_matter(self.session, process, unit_id, texts, now=self.now, actor=self.actor(account))

    def step(self, process: str, do: str, cases: int | Iterable[int], account: str, **more: Any) -> None:
        """One step of one case or of several. Raises what refuses it."""
        ids = [cases] if isinstance(cases, int) else list(cases)
        if ids:
            done = take_step(self.session, process, do, ids, now=self.now, actor=self.actor(account), **more)
            require_moved(done)

    def step_those_that_may(self, process: str, do: str, cases: Iterable[int], account: str, **more: Any) -> list[int]:
        """One step of those cases to which nothing is opposed. Returns them."""
        ids = list(cases)
        if not ids:
            return []
        return list(take_step(self.session, process, do, ids, now=self.now, actor=self.actor(account), **more).moved)

    def walk(self, process: str, case_id: int, *steps: tuple[str, str, dict[str, Any]]) -> bool:
        """The steps (do, account, inputs; `reason` among them) one after another. False, and nothing of it, where one is refused."""
        try:
            with self.session.begin_nested():
                for do, account, given in steps:
                    inputs = {name: value for name, value in given.items() if name != "reason"}
                    self.step(process, do, case_id, account, inputs=inputs, reason=given.get("reason"))
        except Refused:
            return False
        return True

    def cases(self, process: str, *states: str) -> list[Any]:
        """The cases of a process in these states: id, subject, data, unit_id, unit_code, district, oldest first."""
        wanted = select(
            Case.id, Case.subject, Case.data, Case.unit_id, UNIT.unit_code, UNIT.district_code.label("district")
        )
        wanted = wanted.outerjoin(TABLES["unit"], UNIT.id == Case.unit_id).where(Case.process == process)
        return list(self.session.execute(wanted.where(Case.state.in_(states)).order_by(Case.id)))
