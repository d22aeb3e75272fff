"""From touched records to all records whose answers may change: what changed, who reads it, whom it counts for, who shares a key with it.

Reads versions and due days; a superset is harmless, a missing record is not.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from datetime import date
from typing import Any

import orjson
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from workflow.db import ymd
from workflow.quality.links import AnchorLink, KeyLink, Links, RefLink, links_of
from workflow.quality.rulebook import RuleBook
from workflow.quality.rules import compiled
from workflow.registry.dictionary import Field
from workflow.registry.models import RecordVersion

AT_ONCE = 200  # tuples in one statement


@functools.lru_cache(8)
def _links(book: RuleBook, dialect: str) -> Links:
    return links_of(compiled(book, dialect).made)


class Spread:
    """From touched records to all records whose answers may change."""

    def __init__(self, connection: Connection, book: RuleBook, *, since: bool = False) -> None:
        """`since`: touched records that did not change are at hand only for their due day."""
        self.connection, self.words, self.since = connection, book.dictionary, since
        self.links = _links(book, connection.dialect.name)
        self.touched: dict[str, set[int]] = defaultdict(set)
        self.changed: dict[str, dict[int, set[str] | None]] = defaultdict(dict)  # None: created, removed or revived
        self.before: dict[str, dict[int, dict[str, list[Any]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )

    def read_versions(self, session: Session, watermark: int) -> None:
        """Changed records with the fields that changed and their old values."""
        versions = select(RecordVersion.dataset, RecordVersion.record_id, RecordVersion.kind, RecordVersion.changes)
        for dataset, record_id, kind, changes in session.execute(versions.where(RecordVersion.id > watermark)):
            if dataset not in self.words.datasets:
                continue
            self.touched[dataset].add(record_id)
            fields = self.changed[dataset].setdefault(record_id, set())
            if kind != "change":
                self.changed[dataset][record_id] = None
            elif fields is not None:
                fields.update(changes)
            if kind != "create":
                for name, (old, _) in changes.items():
                    if old is not None:
                        self.before[dataset][record_id][name].append(old)

    def read_due(self, today: date) -> None:
        """Records whose due day has come."""
        named = ", ".join(f"'{dataset}'" for dataset in self.words.datasets)
        sql = text(f"SELECT dataset, record_id FROM due WHERE dataset IN ({named}) AND due_on <= :today")
        for dataset, record_id in self.connection.execute(sql, {"today": ymd(today)}):
            self.touched[dataset].add(record_id)

    def read_matters(self, book: RuleBook) -> None:
        """Units whose cases some rule looks at: those that stand in its state now, and those with an open ticket for it."""
        for rule in book.rules:
            if rule.matter:
                binds = {"process": rule.matter.process, "state": rule.matter.state, "rule": rule.id}
                now = "SELECT unit_id FROM case_file WHERE process = :process AND state = :state"
                before = "SELECT record_id FROM ticket WHERE rule_id = :rule AND dataset = 'unit' AND present"
                self.touched[rule.dataset] |= self.ids(f"{now} UNION {before}", **binds)

    def all(self) -> dict[str, set[int]]:
        """Data set → ids: the touched ones, those that read them, the anchors of both, and those that share keys with both."""
        self.readers: dict[str, set[int]] = defaultdict(set)
        for ref in self.links.refs:
            self.readers[ref.dataset] |= self._readers(ref)
        found: dict[str, set[int]] = defaultdict(set)
        for dataset in self.words.datasets:
            found[dataset] |= self.touched[dataset] | self.readers[dataset]
        counted = {anchor: self._anchors(anchor) for anchor in self.links.anchors}
        for anchor, ids in counted.items():
            found[anchor.of] |= ids
        for figure in self.links.figures:
            found[figure.dataset] |= self._pointing(figure.dataset, (figure.step,), counted.get(figure.anchor, set()))
        for key in self.links.keys:
            found[key.target] |= self._sharers(key)
        return {dataset: ids for dataset, ids in found.items() if ids}

    def _moved(self, link: AnchorLink | KeyLink) -> set[int]:
        """The source's records that may count otherwise than before: a field that matters changed, here or behind a reference, or a day came."""
        changed = self.changed[link.source]
        moved = {i for i, names in changed.items() if names is None or names & link.fields} | self.readers[link.source]
        for record_id in self.touched[link.source]:
            if record_id not in changed and (link.by_day or not self.since):
                moved.add(record_id)
        return moved

    def ids(self, sql: str, **binds: Any) -> set[int]:
        """The ids that a SELECT yields; a bind named ids is a list for {among}."""
        if "ids" in binds and not binds["ids"]:
            return set()
        if "ids" in binds:
            listed = sorted(binds["ids"])
            binds["ids"] = listed if self._postgresql else orjson.dumps(listed).decode()
        return {row[0] for row in self.connection.execute(text(sql), binds) if row[0] is not None}

    @property
    def _postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    def _among(self, column: str) -> str:
        return f"{column} = ANY(:ids)" if self._postgresql else f"{column} IN (SELECT value FROM JSON_EACH(:ids))"

    def _readers(self, link: RefLink) -> set[int]:
        """Records that read a changed field of a referred record."""
        changed = self.changed.get(link.target, {}).items()
        ids = {record_id for record_id, names in changed if names is None or names & link.fields}
        return self._pointing(link.dataset, link.steps, ids)

    def _pointing(self, dataset: str, steps: tuple[Field, ...], ids: set[int]) -> set[int]:
        """Records of a data set that reach one of the ids through references."""
        for i in range(len(steps) - 1, -1, -1):
            holder = dataset if i == 0 else steps[i - 1].ref
            ids = self.ids(f'SELECT id FROM "{holder}" WHERE {self._among(_quoted(steps[i]))}', ids=ids)
        return ids

    def _anchors(self, link: AnchorLink) -> set[int]:
        """The records that the moved ones count for, now or before."""
        holder, ids = link.source, self._moved(link)
        for step in link.steps:
            now = self.ids(f'SELECT DISTINCT {_quoted(step)} FROM "{holder}" WHERE {self._among("id")}', ids=ids)
            ids = now | {old for names in self.before.get(holder, {}).values() for old in names.get(step.name, ())}
            holder = step.ref or ""
        return ids

    def _sharers(self, link: KeyLink) -> set[int]:
        """The records that share all keys with a moved one, now or before."""
        moved = self._moved(link)
        theirs, mine = [f for f, _ in link.pairs], [f for _, f in link.pairs]
        equal = " AND ".join(f"o.{_key(m)} = x.{_key(t)}" for t, m in link.pairs)
        sql = f'SELECT o.id FROM "{link.source}" x JOIN "{link.target}" o ON {equal} WHERE {self._among("x.id")}'
        return self.ids(sql, ids=moved) | self._shared_before(link, theirs, mine)

    def _shared_before(self, link: KeyLink, theirs: list[Field], mine: list[Field]) -> set[int]:
        names = {f.name for f in theirs}
        moved = {i: old for i, old in self.before.get(link.source, {}).items() if names & old.keys()}
        keys = ", ".join(_key(f) for f in theirs)
        sql = text(f'SELECT id, {keys} FROM "{link.source}" WHERE {self._among("id")}')
        wanted: set[tuple[Any, ...]] = set()
        if moved:
            binds = {"ids": sorted(moved) if self._postgresql else orjson.dumps(sorted(moved)).decode()}
            for record_id, *now in self.connection.execute(sql, binds):
                old = moved[record_id]
                choices = [[value, *map(_stored, old.get(f.name, ()))] for f, value in zip(theirs, now, strict=True)]
                wanted |= {keyed for keyed in itertools.product(*choices) if None not in keyed}
        return self._holding(link.target, mine, sorted(wanted, key=repr))

    def _holding(self, dataset: str, fields: list[Field], wanted: list[tuple[Any, ...]]) -> set[int]:
        """The records of a data set whose fields hold one of the wanted tuples."""
        if not wanted:
            return set()
        if self._postgresql:
            lists = ", ".join(f"CAST(:k{i} AS {_KEY_TYPES.get(f.type, 'TEXT')}[])" for i, f in enumerate(fields))
            keys = ", ".join(map(_key, fields))
            sql = f'SELECT id FROM "{dataset}" WHERE ({keys}) IN (SELECT * FROM UNNEST({lists}) AS k)'
            return self.ids(sql, **{f"k{i}": [keyed[i] for keyed in wanted] for i in range(len(fields))})
        equal = " AND ".join(f"t.{_key(f)} = w.k{i}" for i, f in enumerate(fields))
        names, found = ", ".join(f"k{i}" for i in range(len(fields))), set()
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            marks = ", ".join([f"({', '.join('?' * len(fields))})"] * len(part))
            sql = f'WITH w({names}) AS (VALUES {marks}) SELECT t.id FROM w CROSS JOIN "{dataset}" t ON {equal}'
            found |= set(self.connection.exec_driver_sql(sql, tuple(v for keyed in part for v in keyed)).scalars())
        return found


_KEY_TYPES = {"id": "BYTEA", "ref": "BIGINT", "int": "BIGINT", "date": "INTEGER", "month": "INTEGER", "bool": "BOOLEAN"}


def _quoted(f: Field) -> str:
    return f'"{f.column}"'


def _key(f: Field) -> str:
    return f'"{f.name}_hash"' if f.type == "id" else _quoted(f)


def _stored(old: Any) -> Any:
    """An old value as its column holds it: an ID number by its digest."""
    return bytes.fromhex(old["digest"]) if isinstance(old, dict) else old
