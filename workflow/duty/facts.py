"""What the platform itself knows about a month or a quarter (办法15): the lines beside each item of a check-list. Reads only.

No line names a person: accounts, roles, counts. `odd` marks what deserves a look; whether it is in order is for people to say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from workflow.calendar.moments import local_midnight_utc
from workflow.clock import business_date


class Period(NamedTuple):
    """First and last day of what is checked, both inclusive (Asia/Shanghai), and the moment of looking (UTC)."""

    first: date
    last: date
    now: datetime

    @property
    def begins(self) -> datetime:
        """The moment at which the first day begins, UTC."""
        return local_midnight_utc(self.first)

    @property
    def ends(self) -> datetime:
        """The moment at which the last day is over, UTC."""
        return local_midnight_utc(self.last + timedelta(1))

    @property
    def today(self) -> date:
        """The business date of looking."""
        return business_date(self.now)

    def holds(self, column: Any) -> Any:
        """The condition that a moment lies in the period."""
        return (column >= self.begins) & (column < self.ends)

    def holds_day(self, column: Any) -> Any:
        """The condition that a date lies in the period."""
        return (column >= self.first) & (column <= self.last)


class Fact(NamedTuple):
    """One line beside an item; `odd` where it deserves a look."""

    says: str
    odd: bool = False


Reader = Callable[[Session, Period], list[Fact]]
READERS: dict[str, tuple[str, Reader]] = {}  # item → title, who reads its facts


def item(name: str, title: str) -> Callable[[Reader], Reader]:
    """Registers who reads the facts of an item of the check-lists; its name is the field of the form."""

    def register(reader: Reader) -> Reader:
        READERS[name] = (title, reader)
        return reader

    return register


def facts_of(session: Session, names: list[str], period: Period) -> list[dict[str, Any]]:
    """What is known about each of the items, in order: item, title, lines of `says` and `odd`."""
    return [
        {"item": name, "title": title, "lines": [fact._asdict() for fact in reader(session, period)]}
        for name in names
        for title, reader in [READERS[name]]
    ]


def told_most(counts: dict[str, int], limit: int = 5) -> str:
    """The largest counts in words: `clerk@1 12 次、clerk@2 3 次`."""
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    return "、".join(f"{name or '未知账号'} {n} 次" for name, n in most)
