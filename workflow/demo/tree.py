"""The plan of the city: which units there are, under whom, with how many people. Deterministic for a seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from workflow.demo.kinds import CITY, CITY_ORGANS, COUNTY_ORGANS, FURTHER, KINDS, PARENTS, REGIONS, Kind
from workflow.errors import BadInput

CITY_SHARE = 0.2
SMALLEST = 6  # people of the smallest living unit
_DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True)
class Planned:
    """One unit to be built; `nth` counts all units of the city, `people` are rows in the person file."""

    nth: int
    code: str
    kind_name: str
    region: str
    name: str
    parent: str | None
    people: int = 0
    revoked: bool = False

    @property
    def kind(self) -> Kind:
        return KINDS[self.kind_name]

    @property
    def city(self) -> bool:
        """Whether it is a unit of the city itself."""
        return self.region == CITY


def default_units(people: int) -> int:
    """4,000 units for 200,000 people; small cities have at least 80 units of a sensible size."""
    return max(people // 50, min(80, people // 15), 1)


def plan(people: int, units: int, seed: int) -> list[Planned]:
    """All units of the city, parents before children. Raises BadInput where there are too few people for the units."""
    if units < 1 or people < units * SMALLEST:
        raise BadInput(f"每个机构至少 {SMALLEST} 人：{units} 个机构至少需要 {units * SMALLEST} 人")
    rng = Random(f"{seed}/tree")
    revoked = units // 80
    listed = list(itertools.chain.from_iterable(_region(region, n) for region, n in _shares(units)))
    planned = [replace(unit, nth=nth) for nth, unit in enumerate(listed, start=1)]
    gone = {unit.code for unit in [u for u in planned if u.kind_name == "centre"][-revoked:]} if revoked else set()
    weights = [0.0 if u.code in gone else u.kind.weight * rng.uniform(0.6, 1.6) for u in planned]
    sizes = _sizes(people, weights)
    return [replace(u, people=size, revoked=u.code in gone) for u, size in zip(planned, sizes, strict=True)]


def _shares(units: int) -> Iterator[tuple[str, int]]:
    counties = [region for region in REGIONS if region != CITY]
    city = max(1, round(units * CITY_SHARE))
    yield CITY, city
    rest = units - city
    for place, region in enumerate(counties):
        yield region, rest // len(counties) + (1 if place < rest % len(counties) else 0)


def _region(region: str, count: int) -> Iterator[Planned]:
    place, organs = REGIONS[region], CITY_ORGANS if region == CITY else COUNTY_ORGANS
    bosses: dict[str, str] = {}  # department → its code, in order of appearance
    for nth, (kind, name) in enumerate(itertools.islice(itertools.chain(organs, _further(region)), count), start=1):
        code = f"{region}{nth:04d}"
        institution = KINDS[kind].nature == "事业单位"
        parent = _boss(bosses, kind, nth) if institution else None
        if kind == "government":
            bosses.setdefault(next((p for p in PARENTS.values() if name.startswith(p)), name), code)
        yield Planned(0, code, kind, region, f"{place}演示{name}", parent)


def _boss(bosses: dict[str, str], kind: str, nth: int) -> str:
    """Schools under education, hospitals under health, the rest under one of the region's departments."""
    return bosses.get(PARENTS.get(kind, "")) or list(bosses.values())[nth % len(bosses)]


def _further(region: str) -> Iterator[tuple[str, str]]:
    """The kinds in turn, each as often as its share says, numbered from two; towns and streets are the counties'."""
    listed = [row for row in FURTHER if region != CITY or not KINDS[row[0]].town]
    numbers = {kind: 1 for kind, _, _ in listed}
    owed = {kind: 0.0 for kind, _, _ in listed}
    names = {kind: name for kind, name, _ in listed}
    while True:
        for kind, _, share in listed:
            owed[kind] += share
        kind = max(owed, key=lambda k: owed[k])
        owed[kind] -= 1
        numbers[kind] += 1
        yield kind, names[kind].format(n=chinese(numbers[kind]))


def chinese(n: int) -> str:
    """A number below 10,000 in Chinese, as names of schools have it: 12 → 十二, 120 → 一百二十."""
    if n < 10:
        return _DIGITS[n]
    for unit, word in ((1000, "千"), (100, "百"), (10, "十")):
        if n >= unit:
            head = "" if unit == 10 and n < 20 else _DIGITS[n // unit]
            rest = n % unit
            gap = "零" if rest and rest < unit // 10 else ""
            return head + word + gap + (chinese_rest(rest) if rest else "")
    return str(n)


def chinese_rest(n: int) -> str:
    """The lower places of a number; a ten among them keeps its one: 112 → 一百一十二."""
    return f"一{chinese(n)}" if 10 <= n < 20 else chinese(n)


def _sizes(people: int, weights: list[float]) -> list[int]:
    """Split the people by weight, none of the living units below the smallest; the sum is exact."""
    living = sum(1 for w in weights if w)
    spare, total = people - living * SMALLEST, sum(weights)
    exact = [spare * w / total for w in weights]
    sizes = [int(x) + (SMALLEST if w else 0) for x, w in zip(exact, weights, strict=True)]
    by_fraction = sorted(range(len(weights)), key=lambda i: (-(exact[i] % 1), i))
    for i in by_fraction[: people - sum(sizes)]:
        sizes[i] += 1
    return sizes
