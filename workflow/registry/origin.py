"""Who writes a record, when, on whose behalf and on what ground: carried into every version row (办法7, 办法8, 办法22)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from workflow.clock import business_date
from workflow.db import ymd
from workflow.errors import BadInput


@dataclass(frozen=True)
class Origin:
    """The circumstances of one write. `now` aware UTC; `effective_on` the business day from which it holds (default: that of now)."""

    by: str
    now: datetime
    effective_on: date | None = None
    on_behalf_of: str | None = None
    source: str = "form"
    source_ref: str | None = None
    basis: str | None = None
    case_id: int | None = None
    batch_id: int | None = None
    may_write_locked: bool = False
    may_create: bool | None = None  # None: as the data set's create_by says, office meaning may_write_locked
    key_is_new: bool = False  # a key given for a new record must not be another record's
    units: Collection[int] | None = None  # ids of the units whose records may be written; None: all
    trial: bool = (
        False  # the write is taken back at once: what depends on other records is asked again when it is meant
    )

    @property
    def today(self) -> date:
        """The business day of the write."""
        return business_date(self.now)

    @property
    def effective_ymd(self) -> int:
        """The day from which the write holds, yyyymmdd."""
        return ymd(self.effective_on or self.today)


@dataclass
class RowError:
    """One thing that keeps a row from being written. `row` is the file's row number, or the row's place in the call from 1."""

    row: int
    field: str
    label: str
    value: str
    rule: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        """As the command line and the batch report give it."""
        return {
            "row": self.row, "field": self.field, "label": self.label,
            "value": self.value, "rule": self.rule, "message": self.message,
        }  # fmt: skip


class RowsRefused(BadInput):
    """数据有误，未作任何改动。"""

    def __init__(self, errors: list[RowError], says: str | None = None) -> None:
        self.errors = errors
        super().__init__(says or "；".join(e.message for e in errors[:5]), errors=[e.as_dict() for e in errors[:1000]])
