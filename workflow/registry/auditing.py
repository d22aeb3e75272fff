"""Audit entries of record writes: each field's old and new value as keyed digests, so that a trace can be proved without being read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher
from workflow.audit.notes import note, told
from workflow.registry.apply import Written
from workflow.registry.dictionary import DataSet
from workflow.registry.origin import Origin
from workflow.registry.plan import Change, New, Plan

EACH = 20  # rows of one write that get an entry each; more are counted, with the digest of their ids


def note_write(session: Session, plan: Plan, written: Written, origin: Origin) -> None:
    """Notes what a plan wrote; nothing where nothing differed."""
    if not plan.creates and not plan.changes:
        return
    if len(plan.creates) + len(plan.changes) > EACH:
        counts = {"created": written.created, "updated": written.updated, "ids": told(sorted(written.ids.values()))}
        _note(session, "record.write", plan.dataset, f"{written.created + written.updated} rows", None, origin, counts)
        return
    for new in plan.creates:
        key, given = written.keys[new.place], {name: v for name, v in new.row.items() if v is not None}
        fields = {
            name: ["", field_digest(plan.dataset, key, name, v)]
            for name, v in given.items()
            if name in plan.dataset.fields
        }
        _note(
            session, "record.create", plan.dataset, key, _unit(plan.dataset, new, written), origin, {"fields": fields}
        )
    for change in plan.changes:
        key = written.keys[change.place]
        fields = {
            name: [field_digest(plan.dataset, key, name, value) for value in pair]
            for name, pair in change.changed.items()
        }
        action = "record.revive" if change.revived else "record.change"
        _note(session, action, plan.dataset, key, _unit(plan.dataset, change, written), origin, {"fields": fields})


def field_digest(dataset: DataSet, key: str, name: str, value: Any) -> str:
    """A field's value as entries and traces tell it: equal for the same value of the same field of the same record, and only there.

    So nobody finds out who else is of the same sex. ID numbers come plain, or as the digest that version rows hold.
    """
    if value is None or value == "":
        return ""
    if dataset.fields[name].type == "id":
        value = value["digest"] if isinstance(value, dict) else field_cipher().digest(str(value)).hex()
    return told([dataset.name, key, name, value])


def note_removal(session: Session, dataset: DataSet, rows: Sequence[Mapping[str, Any]], origin: Origin) -> None:
    """Notes which records were marked as removed."""
    for row in rows:
        unit = (
            row[dataset.fields[dataset.unit].column] if dataset.unit else row["id"] if dataset.name == "unit" else None
        )
        _note(session, "record.remove", dataset, row[dataset.key], unit, origin, {})


def note_import(session: Session, dataset: DataSet, sha256: str, counts: Mapping[str, int], origin: Origin) -> None:
    """Notes a file written as a whole: its hash and its counts; the version rows hold each record."""
    summary = {"sha256": sha256, **counts}
    _note(session, "import.write", dataset, origin.source_ref or sha256[:16], None, origin, summary)


def _unit(dataset: DataSet, row: New | Change, written: Written) -> int | None:
    """The unit that a written record now belongs to."""
    if dataset.name == "unit":
        return written.ids[row.place]
    if dataset.unit is None:
        return None
    if isinstance(row, New):
        return row.row.get(dataset.unit)
    stored = row.stored.get(dataset.fields[dataset.unit].column)
    moved: tuple[Any, Any] = row.changed.get(dataset.unit, (None, stored))
    return moved[1]


def _note(
    session: Session,
    action: str,
    dataset: DataSet,
    key: str,
    unit_id: int | None,
    origin: Origin,
    summary: Mapping[str, Any],
) -> None:
    more = {"source": origin.source} | ({"basis": told(origin.basis)} if origin.basis else {})
    note(
        session, action, at=origin.now, actor=origin.by, on_behalf_of=origin.on_behalf_of, kind=dataset.name, key=key,
        unit_id=unit_id, case_id=origin.case_id, summary={**summary, **more},
    )  # fmt: skip
