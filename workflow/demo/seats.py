"""The seats of a unit: how many leaders, which inner organisations, what each person's post is."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from workflow.demo.kinds import Kind
from workflow.registry.dictionary import dictionary

MOST_INNER = 12
# Posts by the order of their level: head and deputies of a unit or an inner organisation of that rank.
LEVELS = {80: "厅局级正职", 70: "厅局级副职", 60: "县处级正职", 50: "县处级副职", 40: "乡科级正职", 30: "乡科级副职"}
LOWEST_LED = 30


@dataclass(frozen=True)
class Seat:
    """One seat: quota type, post category, the inner organisation's place (0 is 单位领导), and what it leads."""

    quota: str
    category: str
    inner: int
    leads: str = ""  # unit_main | unit_deputy | inner_main | inner_deputy
    order: int = 10  # level of the post, on the scale of 职务层次
    title: str = ""

    @property
    def level(self) -> str:
        """The post's level as a code label."""
        return LEVELS.get(self.order, "科员")


def level_order(label: str) -> int:
    """The order of an 机构规格."""
    return int(dictionary().codes["org_level"].by_label[label].attrs["order"])


def inner_level(unit_level: str) -> str:
    """An inner organisation stands two ranks below its unit."""
    return {"正局级": "正处级", "正处级": "正科级", "正科级": "正股级"}[unit_level]


def seats_of(kind: Kind, unit_level: str, living: int, rng: Random) -> list[Seat]:
    """The seats of a unit of that many people in post; every inner organisation has at least one."""
    order = level_order(unit_level)
    leaders = _unit_leaders(kind, order, living)
    rest = living - len(leaders)
    count = max(1, min(MOST_INNER, len(kind.inner), living // 9, rest))
    below = level_order(inner_level(unit_level))
    seats = list(leaders)
    for place in range(1, count + 1):
        size = rest // count + (1 if place <= rest % count else 0)
        seats += _inner_seats(kind, place, size, below, rng)
    return seats


def _unit_leaders(kind: Kind, order: int, living: int) -> list[Seat]:
    quota, category = next(iter(kind.quotas)), _leading_category(kind)
    deputies = min(5, max(1, living // 15)) if living >= 5 else 0
    head = Seat(quota, category, 0, "unit_main", order, kind.heads[0])
    return [head] + [Seat(quota, category, 0, "unit_deputy", order - 10, kind.heads[1])] * deputies


def _inner_seats(kind: Kind, place: int, size: int, order: int, rng: Random) -> list[Seat]:
    quota, category, name = next(iter(kind.quotas)), _leading_category(kind), kind.inner[place - 1]
    seats = []
    if order - 10 >= LOWEST_LED:
        seats = [
            Seat(quota, category, place, "inner_main", order, f"{name}主任"),
            Seat(quota, category, place, "inner_deputy", order - 10, f"{name}副主任"),
        ]
        seats = seats[: 1 if size < 5 else 2]
    return seats + [_staff_seat(kind, place, rng) for _ in range(size - len(seats))]


def _staff_seat(kind: Kind, place: int, rng: Random) -> Seat:
    quota = _drawn(kind.quotas, rng)
    if quota == "机关工勤编制":
        return Seat(quota, "工勤", place)
    return Seat(quota, _drawn(kind.posts, rng), place)


def _leading_category(kind: Kind) -> str:
    return "管理" if "管理" in kind.posts else next(iter(kind.posts))


def _drawn(shares: dict[str, float], rng: Random) -> str:
    draw, summed = rng.random() * sum(shares.values()), 0.0
    for name, share in shares.items():
        summed += share
        if draw < summed:
            return name
    return next(iter(shares))
