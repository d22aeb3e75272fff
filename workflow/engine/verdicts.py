"""Verdicts: what a guard found, shown before the click and written after it. A guard answers with reasons, never with a bare no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """One answer of one guard on one case.

    `says` is the Chinese sentence for the user; `facts` the values that were read, as {"record", "field", "value"} rows;
    `clears_by` the role that can clear it, `earliest` the first day on which it can clear by itself, `link` where to act.
    `read` is everything that the judgement rested on, for the history alone: judged again, it gives the same.
    """

    guard: str
    holds: bool
    says: str
    facts: Sequence[dict[str, Any]] = field(default_factory=tuple)
    basis: str = ""
    since: date | None = None
    clears_by: str = ""
    earliest: date | None = None
    link: str = ""
    read: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """The shape of `sandeng can` and of the API's refusal."""
        return {
            "guard": self.guard,
            "holds": self.holds,
            "says": self.says,
            "facts": list(self.facts),
            "basis": self.basis,
            "since": self.since.isoformat() if self.since else None,
            "clears_by": self.clears_by,
            "earliest": self.earliest.isoformat() if self.earliest else None,
            "link": self.link,
        }


def failing(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those that do not hold."""
    return [verdict for verdict in verdicts if not verdict.holds]
