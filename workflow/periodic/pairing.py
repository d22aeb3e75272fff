"""Who checks whom (办法10(四), readings 5.10): one round trip through each pool, so that nobody checks itself and no two check each other. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TRIES = 400  # random orders of a pool before it is told to be impossible
LEAST = 3  # with two, each would check the other


@dataclass(frozen=True)
class Node:
    """One unit that may check and be checked: its superiors, nearest first."""

    id: int
    superiors: tuple[int, ...] = ()

    def may_check(self, other: Node) -> bool:
        """Not itself, not above or below, not of the same superior."""
        if self.id == other.id or self.id in other.superiors or other.id in self.superiors:
            return False
        return not (self.superiors and other.superiors and self.superiors[0] == other.superiors[0])


@dataclass(frozen=True)
class Pairs:
    """What was found: (checker, checked) by pool, and why a pool could not be paired."""

    made: dict[str, list[tuple[int, int]]]
    impossible: dict[str, str]


def pairs_of(pools: Mapping[str, Sequence[Node]], seed: str) -> Pairs:
    """The pairs of every pool; the same seed gives the same pairs.

    In a pool every unit checks one and is checked by one, along one circle.
    """
    made: dict[str, list[tuple[int, int]]] = {}
    impossible: dict[str, str] = {}
    for name, nodes in sorted(pools.items()):
        if len(nodes) < LEAST:
            impossible[name] = f"只有 {len(nodes)} 个单位，至少 {LEAST} 个才能不互查"
            continue
        circle = _circle(sorted(nodes, key=lambda node: node.id), random.Random(f"{seed}:{name}"))
        if circle is None:
            impossible[name] = "单位之间多为上下级或同一主管部门，无法配对"
        else:
            following = circle[1:] + circle[:1]
            made[name] = [(one.id, other.id) for one, other in zip(circle, following, strict=True)]
    return Pairs(made, impossible)


def county_pairs(pools: Mapping[str, Sequence[Node]], seed: str) -> Pairs:
    """County against county along one circle; the departments of the one that is checked are shared out among those that check.

    Every department of every county is checked once. `made` is by the county that checks; the same seed gives the same pairs.
    """
    counties = {name: sorted(nodes, key=lambda node: node.id) for name, nodes in sorted(pools.items()) if nodes}
    if len(counties) < LEAST:
        why = f"只有 {len(counties)} 个区（县、市），至少 {LEAST} 个才能不互查"
        return Pairs({}, dict.fromkeys(counties, why))
    chance, order = random.Random(seed), list(counties)
    chance.shuffle(order)
    made = {}
    for name, other in zip(order, order[1:] + order[:1], strict=True):
        checkers = counties[name]  # in the order of their numbers: mostly their like
        made[name] = [(checkers[n % len(checkers)].id, node.id) for n, node in enumerate(counties[other])]
    return Pairs(made, {})


def _circle(nodes: Sequence[Node], chance: random.Random) -> list[Node] | None:
    for _ in range(TRIES):
        order = list(nodes)
        chance.shuffle(order)
        circle = _walked(order)
        if circle is not None:
            return circle
    return None


def _walked(order: list[Node]) -> list[Node] | None:
    """A circle through all of them, taking each time the first of the rest that may follow; None where it does not close."""
    circle, rest = [order[0]], order[1:]
    while rest:
        step = next((node for node in rest if circle[-1].may_check(node)), None)
        if step is None:
            return None
        circle.append(step)
        rest.remove(step)
    return circle if circle[-1].may_check(circle[0]) else None


def sampled(ids: Sequence[int], percent: int, seed: str) -> list[int]:
    """That share of the records, rounded up, at least one where there are any; the same seed gives the same records."""
    if not ids:
        return []
    count = min(len(ids), max(1, -(-len(ids) * percent // 100)))
    return sorted(random.Random(seed).sample(sorted(ids), count))
