"""The one writer of data-set tables: every insert, change and removal of a record goes through here and leaves a version row. Never commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.errors import NotFound
from workflow.registry.apply import Written, apply_plan, apply_removal
from workflow.registry.auditing import note_removal, note_write
from workflow.registry.dictionary import Field, dictionary
from workflow.registry.origin import Origin, RowsRefused
from workflow.registry.plan import make_plan
from workflow.registry.quota import COUNTED, recount, touched_units
from workflow.registry.storage import fetch
from workflow.scoping import whole_view

WRITE_LOCKED = "record.write_locked"


def write(
    session: Session,
    dataset: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    by: str,
    now: datetime,
    effective_on: date | None = None,
    on_behalf_of: str | None = None,
    source: str = "form",
    source_ref: str | None = None,
    basis: str | None = None,
    case_id: int | None = None,
    batch_id: int | None = None,
    may_write_locked: bool = False,
    may_create: bool | None = None,
    key_is_new: bool = False,
    units: Collection[int] | None = None,
    trial: bool = False,
) -> Written:
    """Write rows of one data set: all of them or, on the first refusal, none.

    A row: field name → stored value (text, code, yyyymmdd, yyyymm, int, bool, the id of a referred record, a plain ID number); fields
    that it leaves out stay as they are. Its record is found by `id` (then `version`, if given, must be the present one), by key, or by
    the data set's identity; a removed one is revived under its old id, so that its tickets go on. Nothing is written where nothing differs.
    Raises RowsRefused with every refusal (locked field, foreign unit, masked or missing identity), Conflict saying who changed what, NotFound.
    """
    origin = Origin(
        by=by, now=now, effective_on=effective_on, on_behalf_of=on_behalf_of, source=source, source_ref=source_ref,
        basis=basis, case_id=case_id, batch_id=batch_id, may_write_locked=may_write_locked, may_create=may_create, key_is_new=key_is_new,
        units=units, trial=trial,
    )  # fmt: skip
    with whole_view(session):  # the keys and identities of all units must not be taken twice
        plan = make_plan(session, dataset, rows, origin)
        if plan.errors:
            raise RowsRefused(plan.errors)
        written = apply_plan(session, plan, origin)
        recount(session, touched_units(plan), origin.today)
        note_write(session, plan, written, origin)
    return written


def remove(session: Session, dataset: str, ids: Collection[int], *, by: str, now: datetime, **origin: Any) -> int:
    """Mark records as removed (further keywords as in `write`); they keep row, versions and tickets. Returns how many were there.

    Raises NotFound where an id is unknown.
    """
    with whole_view(session):
        rows = fetch(session, dictionary()[dataset], "id", ids, lock=True)
        if len(rows) != len(set(ids)):
            raise NotFound
        present = [row for row in rows if row["removed_on"] is None]
        if present:
            removing = Origin(by=by, now=now, **origin)
            apply_removal(session, dictionary()[dataset], list(present), removing)
            if dataset in COUNTED:
                recount(session, {row["unit_id"] for row in present} - {None}, removing.today)
            note_removal(session, dictionary()[dataset], present, removing)
    return len(present)


def writable(f: Field, actions: Collection[str], *, new: bool = False) -> bool:
    """Whether somebody with these role actions may write a field: derived ones nobody, locked ones only with record.write_locked.

    At first entry (`new`) whoever may create the record fills in the locked fields too (首录).
    """
    return not f.derived and (new or not f.locked or WRITE_LOCKED in actions)
