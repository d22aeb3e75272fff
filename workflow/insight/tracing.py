"""Tracing a record to its first recorder and everyone after (办法22 首录负责、逐级追溯): who set which field when. Values as keyed digests only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from workflow.errors import NotFound
from workflow.insight.record import KINDS, SOURCES
from workflow.registry.auditing import field_digest
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.history import FirstEntries, first_entries, versions
from workflow.registry.models import RecordVersion
from workflow.registry.queries import find_by_key
from workflow.scoping import whole_view


@dataclass(frozen=True)
class Setting:
    """One time that a field was set: in which version, by whom, for whom, when, to what (digest; empty: emptied)."""

    version: int
    kind: str
    by: str
    on_behalf_of: str | None
    at: datetime
    source: str
    digest: str
    first: bool


@dataclass(frozen=True)
class Trace:
    """Everyone who touched a record, and per field everyone who set it, the first recorder first."""

    dataset: str
    key: str
    unit_id: int | None
    first: FirstEntries
    versions: Sequence[RecordVersion]
    fields: Sequence[tuple[Field, Sequence[Setting]]]


def trace(session: Session, dataset: str, key: str) -> Trace:
    """The trace of a record, removed or not. Raises NotFound. Two statements."""
    if dataset not in dictionary().datasets:
        raise NotFound(f"没有“{dataset}”这个数据集")
    with whole_view(session):  # the auditor reaches no unit's records; what is shown of this one has no values
        record = find_by_key(session, dataset, key, removed=True)
        written = versions(session, dataset, record.id) if record else []
    first = first_entries(written)
    if record is None or first is None:
        raise NotFound(f"没有编号为 {key} 的记录")
    described = dictionary()[dataset]
    fields = [(f, _settings(described, key, written, name)) for name, f in described.fields.items() if not f.derived]
    return Trace(dataset, key, record.unit_id, first, written, [(f, found) for f, found in fields if found])


def _settings(dataset: DataSet, key: str, written: Sequence[RecordVersion], name: str) -> list[Setting]:
    """Each version that set the field; the first to enter a value stays its first recorder when it comes back."""
    found: list[Setting] = []
    known: set[str] = set()
    for version in written:
        if name not in version.changes:
            continue
        digest = field_digest(dataset, key, name, version.changes[name][1])
        kind, source = KINDS.get(version.kind, version.kind), SOURCES.get(version.source, version.source)
        fresh = bool(digest) and digest not in known
        found.append(
            Setting(version.version, kind, version.by, version.on_behalf_of, version.at, source, digest, fresh)
        )
        known.add(digest)
    return found
