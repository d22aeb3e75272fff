"""The unit tree with its lamps: for each unit its own open problems by light and those with its subordinates. Reads only, three statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.engine.models import Case
from workflow.insight.remembered import Stamp, shared, stamps
from workflow.registry.tables import TABLES

RECTIFICATION = "rectification"


class Count(NamedTuple):
    """Open rectification tickets by light; `plain` are those that no light has reached yet."""

    red: int = 0
    yellow: int = 0
    plain: int = 0

    def __add__(self, other: object) -> Count:
        assert isinstance(other, Count)
        return Count(self.red + other.red, self.yellow + other.yellow, self.plain + other.plain)

    @property
    def all(self) -> int:
        """All open tickets."""
        return self.red + self.yellow + self.plain

    @property
    def lamp(self) -> str:
        """The lamp: the worst open ticket (readings 5.1)."""
        return "red" if self.red else "yellow" if self.yellow else "green"


class Node(NamedTuple):
    """One unit of the tree."""

    id: int
    code: str
    name: str
    parent_id: int | None
    district: str
    nature: str


NOTHING = Count()


@dataclass(frozen=True, eq=False)
class Tree:
    """Every present unit, its children in order of code, its own and its whole count of problems."""

    nodes: Mapping[int, Node]
    children: Mapping[int, tuple[int, ...]]
    own: Mapping[int, Count]
    whole: Mapping[int, Count]
    by_code: Mapping[str, int] = field(default_factory=dict)

    def count(self, unit_id: int) -> Count:
        """A unit's open problems with its subordinates."""
        return self.whole.get(unit_id, NOTHING)

    def own_count(self, unit_id: int) -> Count:
        """A unit's own open problems."""
        return self.own.get(unit_id, NOTHING)

    def below(self, unit_id: int) -> Iterator[int]:
        """A unit and everything under it."""
        waiting = [unit_id]
        while waiting:
            at = waiting.pop()
            yield at
            waiting.extend(self.children.get(at, ()))

    def above(self, unit_id: int) -> list[Node]:
        """The units over a unit, topmost first."""
        line: list[Node] = []
        at = self.nodes[unit_id].parent_id if unit_id in self.nodes else None
        while at is not None and at in self.nodes:
            line.append(self.nodes[at])
            at = self.nodes[at].parent_id
        return line[::-1]

    def sum(self, unit_ids: Iterable[int]) -> Count:
        """The open problems of these units, each on its own."""
        total = NOTHING
        for unit_id in unit_ids:
            found = self.own.get(unit_id)
            if found:
                total = total + found
        return total


class View(NamedTuple):
    """The tree as a person may see it: `visible` None means all of it."""

    tree: Tree
    visible: Set[int] | None
    lights: Stamp

    def sees(self, unit_id: int) -> bool:
        """Whether the unit lies in the person's scope."""
        return unit_id in self.tree.nodes and (self.visible is None or unit_id in self.visible)

    def units(self) -> Iterator[Node]:
        """The visible units in order of code."""
        return (node for node in self.tree.nodes.values() if self.visible is None or node.id in self.visible)

    def roots(self) -> list[Node]:
        """The visible units whose superior unit is not visible."""
        return [node for node in self.units() if node.parent_id is None or not self.sees(node.parent_id)]

    def children(self, unit_id: int) -> list[Node]:
        """The visible units directly under one."""
        return [self.tree.nodes[child] for child in self.tree.children.get(unit_id, ()) if self.sees(child)]


def view(session: Session, actor: Actor, action: str = "record.read") -> View:
    """The tree in a person's scope; remembered until a unit, a light or a check changes."""
    lights, units = stamps(session)
    tree = shared(session, "tree", (*lights, *units), lambda: _tree(session, units))
    if any(held.everywhere for held in actor.holding(action)):
        return View(tree, None, (*lights, *units))
    return View(tree, _visible(tree, actor, action), (*lights, *units))


def _visible(tree: Tree, actor: Actor, action: str) -> Set[int]:
    """The ids that scopes.visible_units would select, removed units aside, out of the tree at hand."""
    held = actor.holding(action)
    districts = {h.district for h in held if h.scope == "district"}
    found = {node.id for node in tree.nodes.values() if node.district in districts} if districts else set()
    for h in held:
        if h.scope == "unit" and h.unit_id is not None and h.unit_id in tree.nodes:
            found.update(tree.below(h.unit_id))
    return found


def _tree(session: Session, units: Stamp) -> Tree:
    nodes = shared(session, "units", units, lambda: _nodes(session))
    children: dict[int, list[int]] = {}
    for node in nodes.values():
        children.setdefault(node.parent_id or 0, []).append(node.id)
    own = _own(session)
    return Tree(
        nodes,
        {parent: tuple(ids) for parent, ids in children.items()},
        own,
        _whole(nodes, own),
        {node.code: node.id for node in nodes.values()},
    )


def _nodes(session: Session) -> dict[int, Node]:
    unit = TABLES["unit"].c
    columns = (unit.id, unit.unit_code, unit.name, unit.parent_id, unit.district_code, unit.org_nature)
    rows = session.execute(select(*columns).where(unit.removed_on.is_(None)).order_by(unit.unit_code))
    return {row[0]: Node(row[0], row[1], row[2] or row[1], row[3], row[4] or "", row[5] or "") for row in rows}


def _own(session: Session) -> dict[int, Count]:
    lit = select(Case.unit_id, Case.light, func.count()).where(Case.process == RECTIFICATION, Case.open)
    counts: dict[int, dict[str, int]] = {}
    for unit_id, light, n in session.execute(lit.group_by(Case.unit_id, Case.light)):
        counts.setdefault(unit_id or 0, {})[light] = n
    return {u: Count(c.get("red", 0), c.get("yellow", 0), c.get("none", 0)) for u, c in counts.items()}


def _whole(nodes: Mapping[int, Node], own: Mapping[int, Count]) -> dict[int, Count]:
    """Each unit's count handed up to every unit above it."""
    whole: dict[int, Count] = {}
    for unit_id, count in own.items():
        at: int | None = unit_id
        while at is not None and at in nodes:
            whole[at] = whole.get(at, NOTHING) + count
            at = nodes[at].parent_id
    return whole
