"""Who takes a step. The engine asks two questions of an actor: do you hold this role, and for which of these units?"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session


class Actor(Protocol):
    """A person, or a part of the platform, that takes steps."""

    @property
    def account(self) -> str:
        """The name written into the history."""

    def has(self, role: str) -> bool:
        """Whether the actor holds that role anywhere."""

    def reach(self, session: Session, role: str, unit_ids: Set[int]) -> Set[int]:
        """Those of the units for which the actor holds that role today."""

    def everywhere(self, role: str) -> bool:
        """Whether the actor holds that role for every unit there is."""


@dataclass(frozen=True)
class Platform:
    """A part of the platform itself: the clock, the checker, or the consequence of another case."""

    account: str

    def has(self, role: str) -> bool:
        """Only in its own name."""
        return role == self.account

    def reach(self, session: Session, role: str, unit_ids: Set[int]) -> Set[int]:
        """All of them."""
        return unit_ids if self.has(role) else set()

    def everywhere(self, role: str) -> bool:
        """Wherever it acts at all."""
        return self.has(role)


@dataclass(frozen=True)
class Person:
    """An account with the units for which it holds each role; None stands for every unit."""

    account: str
    roles: Mapping[str, Set[int] | None]

    def has(self, role: str) -> bool:
        """Whether that role was given at all."""
        return role in self.roles

    def reach(self, session: Session, role: str, unit_ids: Set[int]) -> Set[int]:
        """The units among those given with the role."""
        if role not in self.roles:
            return set()
        units = self.roles[role]
        return unit_ids if units is None else unit_ids & units

    def everywhere(self, role: str) -> bool:
        """Whether it was given without a limit."""
        return role in self.roles and self.roles[role] is None


CLOCK = Platform("clock")
CHECKER = Platform("checker")
SYSTEM = Platform("system")
PLATFORM_ROLES = {"clock": "时钟", "checker": "数据校验", "system": "系统"}
