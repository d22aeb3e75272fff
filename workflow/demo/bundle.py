"""One unit of the invented city with everything that belongs to it. Values are as in a file: code labels, dates, numbers, True or False."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

from workflow.demo.tree import Planned

Record = dict[str, Any]  # field name of the dictionary → value; a missing name is an empty cell
DATASETS = (
    "unit",
    "inner_org",
    "ledger",
    "leader_quota",
    "contract_quota",
    "person",
    "position",
    "contract",
    "school",
    "hospital",
)
MARK = "演示数据"


@dataclass
class Bundle:
    """A unit and its records by data set; `on` is the reference date, `rng` the unit's own source of chance."""

    planned: Planned
    on: date
    rng: Random
    sets: dict[str, list[Record]] = field(default_factory=lambda: {name: [] for name in DATASETS})

    @property
    def unit(self) -> Record:
        """The unit's own record."""
        return self.sets["unit"][0]

    def living(self) -> list[Record]:
        """The people who hold a post of the unit."""
        return [p for p in self.sets["person"] if p["estab_status"] == "在编"]
