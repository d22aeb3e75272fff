"""The versions of a record: all of them, the record as of a day, and who first entered what (首录负责制, 办法7, 办法8). Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.clock import SHANGHAI
from workflow.db import ymd
from workflow.registry.dictionary import DataSet, dictionary
from workflow.registry.models import RecordVersion
from workflow.registry.values import show


@dataclass(frozen=True)
class FirstEntry:
    """Who first entered a record or the present value of a field, for whom, and when (UTC)."""

    by: str
    at: datetime
    on_behalf_of: str | None = None


@dataclass(frozen=True)
class FirstEntries:
    """The first recorders of one record: of the record, and per field of its present value."""

    record: FirstEntry
    fields: dict[str, FirstEntry]


def versions(session: Session, dataset: str, record_id: int) -> list[RecordVersion]:
    """All versions of a record, oldest first."""
    mine = select(RecordVersion).where(RecordVersion.dataset == dataset, RecordVersion.record_id == record_id)
    return list(session.scalars(mine.order_by(RecordVersion.version)))


def begun_on(session: Session, dataset: str, record_id: int) -> date | None:
    """The earliest day from which a version of the record holds; None for a record without versions."""
    mine = select(func.min(RecordVersion.effective_on))
    return session.scalar(mine.where(RecordVersion.dataset == dataset, RecordVersion.record_id == record_id))


def as_of(session: Session, dataset: str, record_id: int, day: date) -> dict[str, Any] | None:
    """The record as the versions in force on a business day tell it; None where it was not there yet, or removed.

    Field name → stored value as in the version rows: dates yyyymmdd, references ids, ID numbers masked. Versions written later but
    effective by then count, in the order in which they were written.
    """
    return held_on(dictionary()[dataset], versions(session, dataset, record_id), day)


def held_on(dataset: DataSet, written: Iterable[RecordVersion], day: date) -> dict[str, Any] | None:
    """As `as_of`, from the versions of a record already read, oldest first."""
    values: dict[str, Any] | None = None
    removed: dict[str, Any] = {}
    for version in written:
        if ymd(version.effective_on) > ymd(day):
            continue
        if version.kind == "remove":
            removed, values = values or {}, None
            continue
        told = {name: _plain(pair[1]) for name, pair in version.changes.items()}
        values = (removed if values is None and version.kind == "revive" else values or {}) | told
    return None if values is None else dict.fromkeys(dataset.fields) | values


def _plain(told: Any) -> Any:
    return told["masked"] if isinstance(told, dict) else told


def first_recorders(session: Session, dataset: str, record_id: int) -> FirstEntries | None:
    """Who first entered the record and, per field, its present value; None for a record without versions.

    Where a value was changed and later restored, the first who entered it stays the first.
    """
    return first_entries(versions(session, dataset, record_id))


def first_entries(found: Sequence[RecordVersion]) -> FirstEntries | None:
    """As `first_recorders`, from the versions of a record already read, oldest first."""
    if not found:
        return None
    first: dict[tuple[str, str], FirstEntry] = {}
    present: dict[str, str] = {}
    for version in found:
        entry = FirstEntry(version.by, version.at, version.on_behalf_of)
        for name, (_, new) in version.changes.items():
            present[name] = repr(new)
            first.setdefault((name, repr(new)), entry)
    fields = {name: first[name, value] for name, value in present.items() if value != "None"}
    return FirstEntries(FirstEntry(found[0].by, found[0].at, found[0].on_behalf_of), fields)


def who_changed_since(session: Session, dataset: DataSet, record_id: int, version: int) -> str:
    """The sentence for a conflict: who changed what since that version."""
    later = [v for v in versions(session, dataset.name, record_id) if v.version > version]
    told = [
        f"{v.by} 于 {v.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M} {_what(dataset, v)}"
        for v in later
    ]  # fmt: skip
    return f"您打开之后内容已被更改：{'；'.join(told)}。请刷新后重试" if told else "内容已被他人更改，请刷新后重试"


def _what(dataset: DataSet, version: RecordVersion) -> str:
    if version.kind in ("remove", "revive"):
        return {"remove": "移除了记录", "revive": "恢复了记录"}[version.kind]
    changes = [
        f"将「{f.label}」由“{_shown(f, old)}”改为“{_shown(f, new)}”" if f.type != "ref" else f"更改了「{f.label}」"
        for name, (old, new) in version.changes.items()
        if not (f := dataset.fields[name]).derived
    ]
    return "、".join(changes) or "更改了记录"


def _shown(f: Any, told: Any) -> str:
    return show(f, _plain(told)) or "空"
