"""Writes values of the demonstration through the registry, as the people of a unit or its office would: never past its checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.demo.errors.mechanism import Change
from workflow.demo.files import cell
from workflow.demo.kinds import CITY
from workflow.registry.dictionary import Field, dictionary
from workflow.registry.records import remove, write
from workflow.registry.storage import key_map
from workflow.registry.values import converter

Edit = tuple[str, str, dict[str, Any]]  # data set, key, field name → value as in a file


def only_values(changes: Iterable[Change]) -> bool:
    """Whether an error changed values of records that stay: only such errors may come later."""
    return all(c.before is not None and c.after is not None for c in changes)


class Desk:
    """Where edits are written: knows which record a key means."""

    def __init__(self, session: Session, unit: str, now: datetime, basis: str) -> None:
        self.session, self.unit, self.basis, self.now = session, unit, basis, now
        self._keys: dict[str, dict[str, int]] = {}

    def spoil(self, changes: Iterable[Change]) -> None:
        """Write the wrong values."""
        self._enter((c.dataset, c.key, c.after or {}) for c in changes)

    def put_right(self, changes: list[Change]) -> None:
        """Write the right values, remove what was added, enter what was missing."""
        for c in changes:
            if c.before is None:
                record = self._ids(c.dataset)[c.key]
                remove(self.session, c.dataset, [record], by=self._office(), now=self.now, basis=self.basis)
        self._enter((c.dataset, c.key, c.before) for c in reversed(changes) if c.before is not None)

    def _enter(self, edits: Iterable[Edit]) -> None:
        """Locked fields are written by the office, the others by the unit's clerk."""
        for dataset, rows in self._rows(edits).items():
            locked = any(dictionary()[dataset].fields[name].locked for row in rows for name in row if name != "id")
            who = self._office() if locked else f"clerk@{self.unit}"
            write(self.session, dataset, rows, by=who, now=self.now, basis=self.basis, may_write_locked=locked)

    def _office(self) -> str:
        return "reviewer" if self.unit.startswith(CITY) else f"reviewer@{self.unit[:6]}"

    def _rows(self, edits: Iterable[Edit]) -> dict[str, list[dict[str, Any]]]:
        """Data set → one row a record, by id where there is one, in stored values."""
        merged: dict[tuple[str, str], dict[str, Any]] = {}
        for dataset, key, values in edits:
            merged.setdefault((dataset, key), {}).update(values)
        rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for (dataset, key), values in merged.items():
            fields, known = dictionary()[dataset].fields, self._ids(dataset).get(key)
            row = {name: self._stored(fields[name], value) for name, value in values.items()}
            rows[dataset].append(row if known is None else {"id": known, **row})
        return rows

    def _stored(self, f: Field, value: Any) -> Any:
        """A file's value as the column has it; a reference as the id of its record."""
        plain = converter(f)(cell(value))
        return self._ids(f.ref)[plain] if f.ref and plain else plain

    def _ids(self, dataset: str) -> dict[str, int]:
        if dataset not in self._keys:
            self._keys[dataset] = dict(key_map(self.session, dataset))
        return self._keys[dataset]
