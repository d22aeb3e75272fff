"""What an import did, or would do, or why it did nothing: counts, errors, the first rows with their changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from workflow.registry.dictionary import DataSet, Field
from workflow.registry.origin import RowError
from workflow.registry.plan import Plan
from workflow.registry.queries import keys_of
from workflow.registry.values import show

PREVIEW_ROWS = 50


@dataclass
class ImportReport:
    """The result of one file. `errors` holds the first 1,000; with errors nothing was written and the counts are 0."""

    dataset: str
    file_sha256: str = ""
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[RowError] = field(default_factory=list)
    error_count: int = 0
    preview: list[dict[str, Any]] = field(default_factory=list)
    dry_run: bool = False
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `sandeng import`."""
        return {
            "dataset": self.dataset,
            "file_sha256": self.file_sha256,
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "errors": [error.as_dict() for error in self.errors],
            "error_count": self.error_count,
            "dry_run": self.dry_run,
            "seconds": round(self.seconds, 3),
        }


def preview_rows(session: Session, plan: Plan, numbers: list[int], room: int) -> list[dict[str, Any]]:
    """The first rows of a plan that create or change something, with what changes in Chinese text; at most `room`."""
    dataset = plan.dataset
    entries: list[tuple[int, str, str, dict[str, tuple[Any, Any]]]] = []
    for new in plan.creates[:room]:
        filled = {name: (None, value) for name, value in new.row.items() if value is not None}
        entries.append((numbers[new.place], new.row.get(dataset.key) or "", "created", filled))
    for change in plan.changes[:room]:
        kind = "revived" if change.revived else "updated"
        entries.append((numbers[change.place], change.stored[dataset.key], kind, change.changed))
    entries = sorted(entries)[:room]
    keys = _referred_keys(session, dataset, entries)
    return [
        {
            "row": number,
            "key": key,
            "kind": kind,
            "changes": [_told(dataset.fields[n], *pair, keys) for n, pair in changed.items()],
        }
        for number, key, kind, changed in entries
    ]


def _referred_keys(session: Session, dataset: DataSet, entries: list[Any]) -> Mapping[tuple[str, Any], str]:
    """(data set, id) → key of every record that the entries refer to."""
    wanted: dict[str, set[int]] = {}
    for *_, changed in entries:
        for name, pair in changed.items():
            f = dataset.fields[name]
            if f.ref:
                wanted.setdefault(f.ref, set()).update(value for value in pair if isinstance(value, int))
    return {(ref, i): key for ref, ids in wanted.items() for i, key in keys_of(session, ref, ids).items()}


def _told(f: Field, old: Any, new: Any, keys: Mapping[tuple[str, Any], str]) -> dict[str, Any]:
    def text(value: Any) -> str:
        return keys.get((f.ref, value), str(value)) if f.ref and value is not None else show(f, value)

    return {"field": f.name, "label": f.label, "old": text(old), "new": text(new)}
