"""An invented city straight into the tables, for the benches: the demonstration's bundles with one record in fifty spoilt. Seeded.

ID numbers are sealed and digested, facts derived as at any write; version rows are left out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher
from workflow.db import analyze, writing, ymd
from workflow.demo.bundle import DATASETS, Record
from workflow.demo.city import CitySize, bundles
from workflow.registry.dictionary import DataSet, dictionary
from workflow.registry.facts import derive
from workflow.registry.storage import insert, raw_moment, written_columns

TODAY = date(2026, 3, 2)
SPOILT = 50  # one record in so many


def load(engine: Engine, people: int, units: int) -> dict[str, int]:
    """Fill the tables; data set → rows."""
    with writing(engine) as session:
        loader = Loader(session)
        for bundle in bundles(CitySize(people, TODAY, units=units)):
            for name in DATASETS:
                loader.add(name, bundle.sets[name])
        loader.flush()
        if engine.dialect.name == "postgresql":
            for name, rows in loader.counts.items():
                session.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {max(rows, 1)})"))
        analyze(session.connection(), *DATASETS)
    return loader.counts


class Loader:
    """Turns file values into stored ones and inserts them by the thousand."""

    def __init__(self, session: Session) -> None:
        self.session, self.words, self.chance = session, dictionary(), random.Random(7)
        self.cipher = field_cipher()
        self.at = raw_moment(session, datetime(2026, 3, 1, 1, 0, tzinfo=UTC))
        self.ids: dict[str, dict[str, int]] = {name: {} for name in DATASETS}
        self.waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in DATASETS}

    @property
    def counts(self) -> dict[str, int]:
        """Data set → rows so far."""
        return {name: len(keys) for name, keys in self.ids.items()}

    def add(self, name: str, records: list[Record]) -> None:
        """Take up the records of one unit."""
        dataset = self.words[name]
        for record in records:
            self.ids[name][record[dataset.key]] = len(self.ids[name]) + 1
        self.waiting[name] += [self._row(dataset, record) for record in records]
        if len(self.waiting["person"]) >= 5000:
            self.flush()

    def flush(self) -> None:
        """Insert what waits, referred data sets first."""
        for name, rows in self.waiting.items():
            insert(self.session, name, written_columns(self.words[name]), rows)
            rows.clear()

    def _row(self, dataset: DataSet, record: Record) -> tuple[Any, ...]:
        values = dict(self._stored(dataset, record))
        if self.chance.randrange(SPOILT) == 0:
            self._spoil(dataset, values)
        plain = values | {f.name: record.get(f.name) for f in dataset.fields.values() if f.type == "id"}
        columns = {dataset.fields[name].column: value for name, value in values.items()}
        for f in dataset.fields.values():
            if f.type == "id" and record.get(f.name):
                number = record[f.name]
                columns |= {f.column: self.cipher.seal(number), f"{f.name}_hash": self.cipher.digest(number)}
        columns |= derive(dataset, plain, ymd(TODAY))
        columns |= {
            "id": self.ids[dataset.name][record[dataset.key]], "version": 1, "first_entered_by": "demo",
            "first_entered_at": self.at, "changed_at": self.at,
        }  # fmt: skip
        return tuple(columns.get(column) for column in written_columns(dataset))

    def _stored(self, dataset: DataSet, record: Record) -> Iterator[tuple[str, Any]]:
        for name, value in record.items():
            f = dataset.fields.get(name)
            if value is None or f is None or f.type == "id":
                continue
            if f.type == "code":
                value = self.words.codes_of(f).by_label[value].code
            elif f.type == "ref":
                value = self.ids[f.ref or ""].get(value)
            elif f.type == "date":
                value = ymd(value)
            yield name, value

    def _spoil(self, dataset: DataSet, values: dict[str, Any]) -> None:
        """Empty one field, or shift one day by two years."""
        fields = [f for f in dataset.fields.values() if f.name in values and f.name != dataset.key and f.type != "ref"]
        if not fields:
            return
        f = self.chance.choice(fields)
        values[f.name] = (
            values[f.name] + self.chance.choice([-20000, 20000])
            if f.type == "date" and values[f.name] % 10000 != 229
            else None
        )
