"""A record through a form: what was typed becomes stored values, the rules judge it before it is kept, and only new blocking problems block.

Called inside the request's write transaction; never commits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import orjson
from sqlalchemy import literal, select, text
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope, may, visible_units
from workflow.insight.wording import rule_named, said
from workflow.quality.findings import find
from workflow.quality.increment import record_scope
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.records import writable
from workflow.registry.tables import TABLES
from workflow.registry.values import BadValue, converter
from workflow.scoping import whole_view

WRITES = ("record.create", "record.write_free", "record.write_locked")
BLOCKING = "B"


class Finding(NamedTuple):
    """What one rule says about the record as it would be."""

    rule_id: str
    level: str
    field: str
    says: str
    remedy: str


@dataclass
class Typed:
    """What a form held: field name → stored value, and field name → why it cannot be stored."""

    values: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def rights(session: Session, actor: Actor, unit_id: int | None) -> set[str]:
    """The writing actions that the person may do at a unit."""
    held = {action for action in WRITES if actor.holding(action)}
    if unit_id is None:
        return {a for a in held if any(h.everywhere for h in actor.holding(a))}
    if not held:
        return held
    asked = sorted(held)
    row = session.execute(select(*(in_scope(actor, action, literal(unit_id)).label(action) for action in asked))).one()
    return {action for action, holds in zip(asked, row, strict=True) if holds}


def may_create(actor: Actor, dataset: DataSet) -> bool:
    """Whether the person may make records of a data set directly; elsewhere it takes a filing (办法7, 办法8)."""
    needed = "record.create" if dataset.create_by == "unit" else "record.write_locked"
    return may(actor, needed)


def writable_units(session: Session, actor: Actor) -> set[int] | None:
    """The ids of the units whose records the person may write; None for all."""
    if any(held.everywhere for held in actor.holding("record.write_free")):
        return None
    return set(session.scalars(visible_units(actor, "record.write_free")))


def writable_fields(dataset: DataSet, actions: Collection[str], *, new: bool) -> dict[str, Field]:
    """The fields that the form lets be typed; the key only at first entry."""
    return {
        f.name: f for f in dataset.fields.values() if writable(f, actions, new=new) and (new or f.name != dataset.key)
    }


def typed(
    session: Session,
    fields: Mapping[str, Field],
    form: Mapping[str, str],
    *,
    may_name: Callable[[int], bool] | None = None,
    held: Mapping[str, Any] | None = None,
) -> Typed:
    """The form's text as stored values, references looked up by key; what cannot be stored is told by field.

    A reference may name units everywhere, other records only where `may_name` says so of their unit (None: all) or where they are
    `held` already (field → id): whoever may name a record is shown its name.
    """
    result = Typed()
    for name, f in fields.items():
        if name not in form:
            continue
        try:
            value = converter(f)(form[name])
            there = (held or {}).get(name)
            result.values[name] = _referred(session, f, value, may_name, there) if f.type == "ref" and value else value
        except BadValue as bad:
            result.faults[name] = f"「{f.label}」{bad.says}"
    return result


def _referred(session: Session, f: Field, key: str, may_name: Callable[[int], bool] | None, held: int | None) -> int:
    assert f.ref is not None
    key = key.split("（")[-1].rstrip("）").strip()
    table = TABLES[f.ref].c
    owner = table.id if f.ref == "unit" else table.unit_id
    wanted = select(table.id, owner).where(table[dictionary()[f.ref].key] == key, table.removed_on.is_(None))
    found = session.execute(wanted).one_or_none()
    named = found is not None and (may_name is None or f.ref == "unit" or found[0] == held or may_name(found[1]))
    if found is None or not named:
        raise BadValue("reference", f"没有编码为“{key}”的{dictionary()[f.ref].title}")
    return int(found[0])


def judged(session: Session, dataset: str, record_id: int, today: date) -> list[Finding]:
    """What the rules say of a record as this transaction has it, worst first."""
    session.flush()
    with whole_view(session):
        record_scope(session, dataset, [record_id])
        find(session, today, scoped=True)
        rows = session.execute(
            text("SELECT rule_id, level, field, part, facts FROM found WHERE dataset = :d AND record_id = :r"),
            {"d": dataset, "r": record_id},
        ).all()
    order = "BEWH"
    return [
        _finding(dataset, row) for row in sorted(rows, key=lambda row: (order.index(row.level), row.rule_id, row.part))
    ]


def _finding(dataset: str, row: Any) -> Finding:
    rule = rule_named(row.rule_id, dataset)
    assert rule is not None
    facts = orjson.loads(row.facts) if isinstance(row.facts, str | bytes) else row.facts or {}
    told = row.part if rule.by_field else row.field
    return Finding(row.rule_id, row.level, told, said(rule, row.part, facts), rule.remedy)


def blocking(before: Sequence[Finding], after: Sequence[Finding]) -> list[Finding]:
    """The blocking problems that a save would bring in; those that were there before may be put right one after the other."""
    known = {(f.rule_id, f.field) for f in before}
    return [f for f in after if f.level == BLOCKING and (f.rule_id, f.field) not in known]
