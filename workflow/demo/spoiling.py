"""Spreads errors over a city that passes by, unit by unit: every injector once before any comes again, then by weight, up to the rate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from workflow.demo.bundle import Bundle
from workflow.demo.city import CitySize
from workflow.demo.errors import ERRORS
from workflow.demo.errors.mechanism import Carried, Error, Site, Spoiled, Truth
from workflow.demo.errors.pairs import keep_for_later

AHEAD = 1.03  # so that the last units can take what fitted nowhere before
MOST_IN_A_UNIT = 3  # errors, or one to twenty people


@dataclass
class Spoiler:
    """Puts about rate × people errors into the bundles; what it did stands in `done`."""

    size: CitySize
    rate: float
    errors: tuple[Error, ...] = ERRORS
    calm: float = 0.0  # share of the units that are left alone
    done: list[Spoiled] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = round(self.rate * self.size.people)
        self.pending = _wanted(self.errors, self.total, Random(f"{self.size.seed}/errors"))
        self.carried = Carried(revoked=[u.code for u in self.size.planned if u.revoked])
        self._people = 0

    @property
    def truths(self) -> list[Truth]:
        """Everything that the check must find, each once."""
        return list(dict.fromkeys(t for spoiled in self.done for t in spoiled.truths))

    def spoil(self, made: Iterable[Bundle]) -> Iterator[Bundle]:
        """The same bundles, some of them spoiled."""
        for bundle in made:
            self._people += bundle.planned.people
            if self.total and Random(f"{self.size.seed}/calm/{bundle.planned.code}").random() >= self.calm:
                self._visit(bundle)
            yield bundle

    def _visit(self, bundle: Bundle) -> None:
        site = Site(bundle, self.carried, Random(f"{self.size.seed}/errors/{bundle.planned.code}"))
        due = self.total * min(1.0, AHEAD * self._people / self.size.people)
        people = bundle.planned.people
        most = len(self.done) + max(MOST_IN_A_UNIT, people // 20, math.ceil(people * self.rate * 2))
        for error in self._in_turn(site.rng):
            if len(self.done) < most and (error.rare or len(self.done) < due):
                self._try(error, site)
        keep_for_later(site)

    def _in_turn(self, rng: Random) -> list[Error]:
        """The errors still wanted, those that fit few units first, the others by chance but the most wanted sooner."""
        wanted = [e for e in self.errors if self.pending[e.name] > 0]
        return sorted(wanted, key=lambda e: (not e.rare, -self.pending[e.name] * rng.random()))

    def _try(self, error: Error, site: Site) -> None:
        if site.touched.intersection(error.touches):
            return
        site.changes = []
        truths = error.act(site)
        if truths is None:
            return
        site.touched.update(error.touches)
        self.pending[error.name] -= 1
        self.done.append(Spoiled(error.name, site.unit["unit_code"], truths, site.changes))


def _wanted(errors: tuple[Error, ...], total: int, rng: Random) -> Counter[str]:
    """Error name → how often."""
    names = [e.name for e in errors]
    rng.shuffle(names)
    wanted = Counter(names[:total])
    if total > len(names):
        weights = [e.weight for e in errors]
        wanted.update(rng.choices([e.name for e in errors], weights, k=total - len(names)))
    return wanted
