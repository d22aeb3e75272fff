"""How an error is put in: a record that fits and is still whole is taken, changed, and what must then fail is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any, NamedTuple

from workflow.demo.bundle import Bundle, Record
from workflow.demo.numbers import IdNumbers
from workflow.registry.dictionary import dictionary

SPARE_REGION = "330201"  # 市辖区: like the city's own code issued to nobody; numbers that errors need lie under it


class Truth(NamedTuple):
    """One finding that the check must make: rule id, data set, record key."""

    rule: str
    dataset: str
    key: str


@dataclass
class Change:
    """One record as it was before; `before` None for a record that was added, `after` None for one that was taken away."""

    dataset: str
    key: str
    before: Record | None
    after: Record | None


@dataclass
class Spoiled:
    """One error as it was put in: which, where, and how to put it right."""

    error: str
    unit: str
    truths: list[Truth]
    changes: list[Change]


Act = Callable[["Site"], "list[Truth] | None"]
Fits = Callable[["Site", Record], bool]
Values = Callable[["Site", Record], "Record | None"]


@dataclass(frozen=True)
class Error:
    """One injector. `touches`: sides of a unit that may be spoiled only once; `rare`: fits few units, so it is tried first."""

    name: str
    act: Act
    touches: tuple[str, ...] = ()
    rare: bool = False
    weight: float = 1.0


@dataclass
class Carried:
    """What runs through the whole city: records of earlier units for errors between units, and spare numbers."""

    ids: IdNumbers = field(default_factory=lambda: IdNumbers(SPARE_REGION))
    kept: dict[tuple[str, ...], Record] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    count: int = 0


@dataclass
class Site:
    """One unit while errors are put in."""

    bundle: Bundle
    carried: Carried
    rng: Random
    used: set[int] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leaders = {p["person"] for p in self.bundle.sets["position"]}

    @property
    def on(self) -> date:
        return self.bundle.on

    @property
    def unit(self) -> Record:
        return self.bundle.unit

    def all(self, dataset: str) -> list[Record]:
        """The records of a data set, as they are now."""
        return self.bundle.sets[dataset]

    def pick(self, dataset: str, fits: Fits) -> Record | None:
        """A record that fits and is still whole, by chance."""
        records = self.all(dataset)
        if not records:
            return None
        start = int(self.rng.random() * len(records))
        for record in records[start:] + records[:start]:
            if id(record) not in self.used and fits(self, record):
                return record
        return None

    def set(self, dataset: str, record: Record, **values: Any) -> Truth:
        """Change a record. Gives a truth without a rule, to be named by `truth`."""
        before = {name: record.get(name) for name in values}
        record.update(values)
        self.used.add(id(record))
        self.changes.append(Change(dataset, key_of(dataset, record), before, dict(values)))
        return Truth("", dataset, key_of(dataset, record))

    def add(self, dataset: str, record: Record) -> Record:
        """A further record."""
        self.all(dataset).append(record)
        self.used.add(id(record))
        self.changes.append(Change(dataset, key_of(dataset, record), None, dict(record)))
        return record

    def drop(self, dataset: str, record: Record) -> None:
        """Take a record away."""
        self.all(dataset).remove(record)
        self.changes.append(Change(dataset, key_of(dataset, record), dict(record), None))

    def next_code(self, letter: str) -> str:
        """A key for an added record, far above those of the city."""
        self.carried.count += 1
        return f"{letter}{90_000_000 + self.carried.count}"


def key_of(dataset: str, record: Record) -> str:
    """The record's key."""
    return str(record[dictionary()[dataset].key])


def truth(rule: str, dataset: str, record: Record) -> Truth:
    """What must be found for a record."""
    return Truth(rule, dataset, key_of(dataset, record))


def one(rule: str, dataset: str, fits: Fits, values: Values, *, also: tuple[str, ...] = (), **more: Any) -> Error:
    """An error in a single record: the rule, whom it may hit, what is then written; `also` names rules that fail with it."""

    def act(site: Site) -> list[Truth] | None:
        record = site.pick(dataset, lambda s, r: fits(s, r) and values(s, r) is not None)
        if record is None:
            return None
        site.set(dataset, record, **(values(site, record) or {}))
        return [truth(name, dataset, record) for name in (rule, *also)]

    return Error(f"{rule} {dataset}", act, **more)


def any_record(_site: Site, _record: Record) -> bool:
    """Every record fits."""
    return True


def living_unit(site: Site, _record: Record) -> bool:
    """The unit is running."""
    return bool(site.unit["status"] == "正常")


def staff(site: Site, person: Record) -> bool:
    """In post, at work, leading nothing, past probation."""
    return bool(
        person["estab_status"] == "在编"
        and person["onpost_status"] == "在岗"
        and person["person_code"] not in site.leaders
        and not person.get("probation")
    )


def plain(site: Site, person: Record) -> bool:
    """Staff without rank: dates may be moved and nothing else depends on them."""
    return staff(site, person) and not person.get("rank")
