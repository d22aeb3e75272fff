"""A plan into the tables: record rows, derived facts, version rows, unit tree. Called by records.py and the importer only; never commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workflow.access.crypto import FieldCipher, field_cipher, mask_id
from workflow.access.leaving import disable_departed
from workflow.db import ymd
from workflow.errors import BadInput, Conflict
from workflow.registry import tree
from workflow.registry.dictionary import DataSet
from workflow.registry.facts import derive, derived_columns
from workflow.registry.origin import Origin
from workflow.registry.plan import Change, New, Plan
from workflow.registry.storage import insert, last_key_number, new_ids, raw_moment, update, written_columns

VERSION_COLUMNS = (
    "dataset", "record_id", "version", "kind", "changes", "at", "effective_on",
    "by", "on_behalf_of", "basis", "source", "source_ref", "case_id",
)  # fmt: skip


@dataclass
class Written:
    """What a write did: counts, and per row of the call the record's id and key."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    ids: dict[int, int] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)


def apply_plan(session: Session, plan: Plan, origin: Origin, *, keep_tree: bool = True, key_floor: int = 0) -> Written:
    """Write a plan without errors.

    `keep_tree=False` where the caller brings the unit tree up to date once at the end; `key_floor`: the highest number among the keys
    that later rows of the same file bring, so that a key drawn here is none of them.
    """
    writing = _Writing(session, plan.dataset, origin, key_floor)
    try:
        writing.create(plan.creates)
        writing.change(plan.changes)
        insert(session, "record_version", VERSION_COLUMNS, writing.versions)
    except IntegrityError as error:  # told without its parameters, which are personal data
        if "unique" in str(error.orig).lower():
            raise Conflict(f"{plan.dataset.title}的编码刚被他人占用，请重试") from None
        raise BadInput(f"{plan.dataset.title}所引用的记录不存在") from None
    for place, stored in plan.unchanged:
        writing.written.ids[place], writing.written.keys[place] = stored["id"], stored[plan.dataset.key]
    writing.written.unchanged = len(plan.unchanged)
    if keep_tree and plan.dataset.name == "unit" and moves_units(plan):
        tree.rebuild(session)
    _close_accounts(session, plan.dataset, origin)
    return writing.written


def key_number(dataset: DataSet, key: object) -> int:
    """The running number in a key of the data set's pattern; 0 for any other key."""
    prefix = (dataset.key_pattern or "").split("{")[0]
    tail = key[len(prefix) :] if dataset.key_pattern and isinstance(key, str) and key.startswith(prefix) else ""
    return int(tail) if tail.isdecimal() and (dataset.key_pattern or "").format(seq=int(tail)) == key else 0


def moves_units(plan: Plan) -> bool:
    """Whether a plan for units changes the tree."""
    return bool(plan.creates) or any("parent" in change.changed for change in plan.changes)


class _Writing:
    """One write: collects version rows as it goes, so that they are inserted in one statement."""

    def __init__(self, session: Session, dataset: DataSet, origin: Origin, key_floor: int = 0) -> None:
        self.session, self.dataset, self.origin, self.key_floor = session, dataset, origin, key_floor
        self.cipher: FieldCipher = field_cipher()
        self.at = raw_moment(session, origin.now)
        self.today = ymd(origin.today)
        self.typed = [f for f in dataset.fields.values() if not f.derived]
        self.id_fields = {f.name for f in self.typed if f.type == "id"}
        self.derived_fields = [f.name for f in dataset.fields.values() if f.derived]
        self.names = [f.name for f in self.typed]
        self.plain_fields = [(f.name, f.column) for f in self.typed if f.name not in self.id_fields]
        self.sealed_fields = [(f.name, f.column, f"{f.name}_hash") for f in self.typed if f.name in self.id_fields]
        self.versions: list[tuple[Any, ...]] = []
        self.written = Written()

    def create(self, creates: list[New]) -> None:
        """Insert new records, drawing ids and, where the file gave none, keys."""
        if not creates:
            return
        drawn = iter(new_ids(self.session, self.dataset.name, sum(new.id is None for new in creates)))
        keyless = [new for new in creates if not new.row.get(self.dataset.key)]
        self.key_floor = max(
            [self.key_floor, *(key_number(self.dataset, new.row.get(self.dataset.key)) for new in creates)]
        )
        keys = dict(zip((new.place for new in keyless), self._draw_keys(len(keyless)), strict=True))
        columns = written_columns(self.dataset)
        rows = []
        for new in creates:
            record_id = next(drawn) if new.id is None else new.id
            key = keys.get(new.place) or new.row[self.dataset.key]
            values = {name: new.row.get(name) for name in self.names}
            values[self.dataset.key] = key
            stored = self._columns(values) | derive(self.dataset, values, self.today)
            stored |= {
                "id": record_id, "version": 1, "first_entered_by": self.origin.by, "first_entered_at": self.at,
                "changed_at": self.at, "batch_id": self.origin.batch_id,
            }  # fmt: skip
            rows.append(tuple([stored[name] for name in columns]))
            values |= {name: stored[name] for name in self.derived_fields}
            changes = {name: (None, self._told(name, v)) for name, v in values.items() if v is not None}
            self._version(record_id, 1, "create", changes)
            self.written.ids[new.place], self.written.keys[new.place] = record_id, key
        insert(self.session, self.dataset.name, columns, rows)
        self.written.created = len(rows)

    def change(self, changes: list[Change]) -> None:
        """Update changed and revived records, grouped by the columns that change."""
        groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for change in changes:
            assigned = self._assigned(change)
            record_id, version = change.stored["id"], change.stored["version"] + 1
            assigned |= {"version": version, "changed_at": self.at, "batch_id": self.origin.batch_id}
            if change.revived:
                assigned["removed_on"] = None
            groups[tuple(assigned)].append((*assigned.values(), record_id))
            told = {name: (self._told(name, old), self._told(name, new)) for name, (old, new) in change.changed.items()}
            told |= {
                name: (change.stored[name], assigned[name])
                for name in self.derived_fields
                if name in assigned and assigned[name] != change.stored[name]
            }
            self._version(record_id, version, "revive" if change.revived else "change", told)
            key = change.changed.get(self.dataset.key, (None, change.stored[self.dataset.key]))[1]
            self.written.ids[change.place], self.written.keys[change.place] = record_id, key
        for columns, rows in groups.items():
            update(self.session, self.dataset.name, columns, rows)
        self.written.updated = len(changes)

    def _assigned(self, change: Change) -> dict[str, Any]:
        """Column → new value of a changed record, its facts computed anew from what it now says."""
        new = {name: pair[1] for name, pair in change.changed.items()}
        if not derived_columns(self.dataset):
            return self._columns(new)
        merged = {f.name: change.stored[f.column] for f in self.typed}
        for name in self.id_fields - new.keys():
            merged[name] = self.cipher.open(merged[name]) if merged[name] else None
        return self._columns(new) | derive(self.dataset, merged | new, self.today)

    def _columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Field values as columns: references under their id column, ID numbers sealed and digested."""
        columns = {column: values[name] for name, column in self.plain_fields if name in values}
        for name, column, hashed in self.sealed_fields:
            if name in values:
                value = values[name]
                columns[column] = self.cipher.seal(value) if value else None
                columns[hashed] = self.cipher.digest(value) if value else None
        return columns

    def _told(self, name: str, value: Any) -> Any:
        """A value as the version row tells it: never a plain ID number."""
        if name not in self.id_fields or value is None:
            return value
        return {"digest": self.cipher.digest(value).hex(), "masked": mask_id(value)}

    def _version(self, record_id: int, version: int, kind: str, changes: Mapping[str, Any]) -> None:
        o = self.origin
        self.versions.append(
            (
                self.dataset.name, record_id, version, kind, orjson.dumps(changes).decode(), self.at, o.effective_ymd,
                o.by, o.on_behalf_of, o.basis, o.source, o.source_ref, o.case_id,
            )
        )  # fmt: skip

    def _draw_keys(self, n: int) -> list[str]:
        """The next n keys of the data set's pattern."""
        if not n:
            return []
        dataset = self.dataset
        pattern = dataset.key_pattern or ""
        prefix, length = pattern.split("{")[0], len(pattern.format(seq=0))
        last = max(self.key_floor, last_key_number(self.session, dataset.name, dataset.key, prefix, length))
        return [pattern.format(seq=last + i) for i in range(1, n + 1)]

    def remove(self, rows: list[Mapping[str, Any]]) -> None:
        """Mark records as removed; they keep their rows and versions."""
        o = self.origin
        marked = [(o.effective_ymd, r["version"] + 1, self.at, o.batch_id, r["id"]) for r in rows]
        update(self.session, self.dataset.name, ("removed_on", "version", "changed_at", "batch_id"), marked)
        for r in rows:
            self._version(r["id"], r["version"] + 1, "remove", {})
        insert(self.session, "record_version", VERSION_COLUMNS, self.versions)


def apply_removal(session: Session, dataset: DataSet, rows: list[Mapping[str, Any]], origin: Origin) -> None:
    """Mark fetched records as removed."""
    _Writing(session, dataset, origin).remove(rows)
    _close_accounts(session, dataset, origin)


def _close_accounts(session: Session, dataset: DataSet, origin: Origin) -> None:
    """Who has left by this write loses the account with it (办法16)."""
    disable_departed(session, origin.now, by=origin.by, datasets=[dataset.name])
