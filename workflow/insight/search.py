"""What a few words could mean: units by code or name, records by key, people by name or ID number, a ticket by number; within the person's scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Row, func, literal, select, union_all
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope
from workflow.insight.lamps import Node, View, view
from workflow.insight.roster import ID_NUMBER, meant
from workflow.insight.tickets import READ
from workflow.quality.models import Ticket
from workflow.registry.dictionary import DataSet, dictionary
from workflow.registry.tables import TABLES

RECORD_READ = "record.read"
LIMIT = 20
NAMED = (
    "person",
    "contract",
)  # whose names one looks for; the names of posts and inner organisations are many times the same


@dataclass(frozen=True)
class Found:
    """What was found: units, records (dataset, id, key, name, unit_id) with the names of their units, a ticket of that number."""

    units: Sequence[Node] = ()
    records: Sequence[Row[Any]] = ()
    unit_names: Sequence[str] = ()
    ticket_id: int | None = None

    @property
    def only(self) -> Row[Any] | None:
        """The one record that was found, where nothing else was."""
        return self.records[0] if len(self.records) == 1 and not self.units and not self.ticket_id else None


def search(session: Session, actor: Actor, words: str) -> Found:
    """Units by beginning of code or part of name; records by beginning of key or name, or whole ID number; the ticket of that number."""
    if not words:
        return Found()
    seen = view(session, actor, RECORD_READ)
    records = _records(session, actor, words)
    names = [seen.tree.nodes[row.unit_id].name if row.unit_id in seen.tree.nodes else "" for row in records]
    return Found(_units(seen, words), records, names, _ticket(session, actor, words))


def _ticket(session: Session, actor: Actor, words: str) -> int | None:
    if not (words.isascii() and words.isdigit() and len(words) < 12):
        return None
    return session.scalar(select(Ticket.id).where(Ticket.id == int(words), in_scope(actor, READ, Ticket.unit_id)))


def _units(seen: View, words: str) -> list[Node]:
    found = (node for node in seen.units() if node.code.startswith(words) or words in node.name)
    return list(islice(found, LIMIT))


def _records(session: Session, actor: Actor, words: str) -> Sequence[Any]:
    """One statement over every data set in which the words can mean something; each part is answered by an index."""
    parts = [_part(actor, dataset, words) for dataset in dictionary().datasets.values() if _can_mean(dataset, words)]
    if not parts:
        return ()
    every = union_all(*parts).subquery()
    return session.execute(select(*every.c).order_by(func.length(every.c.key), every.c.key).limit(LIMIT)).all()


def _can_mean(dataset: DataSet, words: str) -> bool:
    if dataset.unit is None:
        return False
    if ID_NUMBER.fullmatch(words):
        return any(f.type == "id" for f in dataset.fields.values())
    return words.isascii() or dataset.name in NAMED


def _part(actor: Actor, dataset: DataSet, words: str) -> Any:
    table = TABLES[dataset.name].c
    assert dataset.unit is not None
    unit_id = table[dataset.fields[dataset.unit].column]
    name = table.name if "name" in table else literal("")
    part = select(
        literal(dataset.name).label("dataset"),
        table.id,
        table[dataset.key].label("key"),
        name.label("name"),
        unit_id.label("unit_id"),
    )
    part = part.where(meant(dataset, words), table.removed_on.is_(None), in_scope(actor, RECORD_READ, unit_id))
    return select(*part.limit(LIMIT).subquery().c)
