"""The unit tree: every (ancestor, descendant) pair, kept equal to the parents that units name. A cycle is refused.

The pairs are recomputed as a whole and only the difference is written: 4,000 units take a few hundredths of a second, and no
sequence of moves can leave a wrong pair behind.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from workflow.errors import BadInput
from workflow.registry.models import UnitClosure
from workflow.registry.storage import insert
from workflow.registry.tables import TABLES

Node = TypeVar("Node", bound=Hashable)


def rebuild(session: Session) -> None:
    """Bring unit_closure up to date with unit.parent_id. Raises BadInput naming the units of a cycle."""
    unit = TABLES["unit"]
    found = session.execute(select(unit.c.id, unit.c.parent_id, unit.c.unit_code)).all()
    parents = {row.id: row.parent_id for row in found}
    cycle = find_cycle(parents)
    if cycle:
        codes = {row.id: row.unit_code for row in found}
        raise BadInput(cycle_message([codes[node] for node in cycle]))
    wanted = {(ancestor, node): depth for node in parents for depth, ancestor in enumerate(lineage(parents, node))}
    table = UnitClosure.__table__
    stored = {
        (a, d): n for a, d, n in session.execute(select(table.c.ancestor_id, table.c.descendant_id, table.c.depth))
    }
    gone = [pair for pair, depth in stored.items() if wanted.get(pair) != depth]
    if gone:
        session.connection().exec_driver_sql(_delete_sql(session), gone)
    fresh = [(a, d, depth) for (a, d), depth in wanted.items() if stored.get((a, d)) != depth]
    insert(session, "unit_closure", ("ancestor_id", "descendant_id", "depth"), fresh)


def _delete_sql(session: Session) -> str:
    mark = "%s" if session.connection().dialect.name == "postgresql" else "?"
    return f"DELETE FROM unit_closure WHERE ancestor_id = {mark} AND descendant_id = {mark}"


def lineage(parents: Mapping[Node, Node | None], node: Node) -> list[Node]:
    """A node and its ancestors, nearest first; the tree must be free of cycles."""
    line: list[Node] = []
    at: Node | None = node
    while at is not None:
        line.append(at)
        at = parents.get(at)
    return line


def find_cycle(parents: Mapping[Node, Node | None]) -> list[Node]:
    """The nodes of one cycle in order, or an empty list."""
    finished: set[Node] = set()
    for start in parents:
        path: dict[Node, int] = {}
        at: Node | None = start
        while at is not None and at not in finished:
            if at in path:
                return list(path)[path[at] :]
            path[at] = len(path)
            at = parents.get(at)
        finished |= path.keys()
    return []


def cycle_message(codes: list[str]) -> str:
    """The sentence about a cycle of units."""
    return f"「隶属」形成循环：{' → '.join([*codes, codes[0]])}，请更正其中一个机构的隶属"


def subtree(unit_id: int) -> Select[int]:
    """The ids of a unit and everything below it, as a sub-select."""
    return select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == unit_id)


def ancestors(session: Session, unit_id: int) -> list[int]:
    """The ids of the units above one, nearest first."""
    rows = select(UnitClosure.ancestor_id).where(UnitClosure.descendant_id == unit_id, UnitClosure.depth > 0)
    return list(session.scalars(rows.order_by(UnitClosure.depth)))
