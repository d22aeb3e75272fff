"""The city, unit by unit: an iterator of bundles, so that two million people need no more memory than the largest unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from workflow.demo.away import send_some_away
from workflow.demo.bundle import Bundle, Record
from workflow.demo.contracts import ContractStaff
from workflow.demo.figures import STAGES, hospital_row, school_rows
from workflow.demo.numbers import IdNumbers, weekday, years
from workflow.demo.organs import Positions, inner_orgs, unit_record
from workflow.demo.people import People
from workflow.demo.quotas import contract_quotas, leader_quotas, ledger, revoked
from workflow.demo.seats import Seat, seats_of
from workflow.demo.tree import Planned, default_units, plan

LEFT_SHARE = 0.03  # of the people on file have left
NORMAL = "正常"


@dataclass(frozen=True)
class CitySize:
    """What makes a city: the same four values give the same city to the last digit."""

    people: int
    on: date
    seed: int = 1
    units: int = 0

    @property
    def planned(self) -> list[Planned]:
        """The plan of its units."""
        return plan(self.people, self.units or default_units(self.people), self.seed)


class Builder:
    """Builds bundles; holds the counters that run through the whole city."""

    def __init__(self, size: CitySize) -> None:
        self.size = size
        ids = IdNumbers()
        self.people, self.positions, self.contracts = People(ids), Positions(), ContractStaff(ids)

    def build(self, planned: Planned) -> Bundle:
        """One unit with everything that belongs to it."""
        bundle = Bundle(planned, self.size.on, Random(f"{self.size.seed}/{planned.code}"))
        bundle.sets["unit"] = [unit_record(bundle)]
        if planned.revoked:
            _give_up(bundle)
        else:
            self._staff(bundle)
        return bundle

    def _staff(self, bundle: Bundle) -> None:
        planned, rng, sets = bundle.planned, bundle.rng, bundle.sets
        left = int(planned.people * LEFT_SHARE + rng.random()) if planned.people > 8 else 0
        seats = seats_of(planned.kind, bundle.unit["org_level"], planned.people - left, rng)
        taken: set[tuple[str, date]] = set()
        filled = [(seat, self.people.in_post(bundle, seat, taken)) for seat in seats]
        former = [self.people.left(bundle, _plain(seats), taken) for _ in range(left)]
        sets["person"] = [person for _, person in filled] + former
        sets["inner_org"] = inner_orgs(bundle, seats)
        sets["position"] = self.positions.of(bundle, filled)
        send_some_away(bundle)
        sets["ledger"] = ledger(bundle, seats)
        sets["leader_quota"] = leader_quotas(bundle, filled)
        sets["contract"] = self.contracts.of(bundle, len(seats))
        sets["contract_quota"] = contract_quotas(bundle, _in_use(sets["contract"]))
        _complete(bundle, filled)
        _figures(bundle)


def bundles(size: CitySize) -> Iterator[Bundle]:
    """All units of the city with their records, in the order of the plan."""
    builder = Builder(size)
    for planned in size.planned:
        yield builder.build(planned)


def _plain(seats: list[Seat]) -> Seat:
    return next(seat for seat in reversed(seats) if not seat.leads)


def _in_use(contracts: list[Record]) -> dict[str, int]:
    return dict(Counter(c["category"] for c in contracts if c["status"] == "在岗"))


def _complete(bundle: Bundle, filled: list[tuple[Seat, Record]]) -> None:
    """What the unit's own record says about leaders and inner organisations."""
    unit, quotas = bundle.unit, bundle.sets["leader_quota"]
    posts = [q for q in quotas if q["scope"] == "单位领导"]
    unit["leader_total_approved"] = sum(q["n_approved"] for q in posts)
    unit["leader_main_approved"] = sum(q["n_approved"] for q in posts if q["rank_kind"] == "正职")
    unit["inner_org_count_approved"] = len(bundle.sets["inner_org"]) - 1
    unit["principal_name"] = filled[0][1]["name"]
    unit["data_admin_name"] = filled[-1][1]["name"]


def _figures(bundle: Bundle) -> None:
    living, contract = bundle.living(), [c for c in bundle.sets["contract"] if c["status"] == "在岗"]
    if bundle.planned.kind_name in STAGES:
        bundle.sets["school"] = school_rows(bundle, len(living) + len(contract))
    if bundle.planned.kind_name in ("hospital", "clinic"):
        filing = sum(1 for p in living if p["quota_type"] == "报备员额")
        bundle.sets["hospital"] = [hospital_row(bundle, len(living) - filing, filing, len(contract))]


def _give_up(bundle: Bundle) -> None:
    day = weekday(years(bundle.on, -1) - timedelta(days=bundle.rng.randrange(200)))
    bundle.unit.update(status="撤销", revoke_date=day, principal_name="无（已撤销）")
    bundle.sets["ledger"] = revoked(bundle)
    bundle.unit["revoke_doc_no"] = bundle.sets["ledger"][-1]["doc_no"]
