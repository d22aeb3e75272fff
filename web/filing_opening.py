"""What a filing is to be about, as a page or a program names it: a record by key, or a new record of a unit, within the person's scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.database import session
from web.identity import actor
from workflow.access.scopes import may_at
from workflow.access.substitution import opener
from workflow.casework import filing as about
from workflow.casework.filing_drafting import Opening
from workflow.errors import BadInput, UnknownUnit
from workflow.insight.lamps import view
from workflow.insight.record import record_named
from workflow.registry.dictionary import dictionary

WRITERS = ("record.write_free", "filing.begin")
ENTERED = (
    "person",
    "position",
    "contract",
    "inner_org",
    "ledger",
    "school",
    "hospital",
    "leader_quota",
    "contract_quota",
)


def opening_for(
    dataset: str, key: str, unit_code: str, *, leaving: bool = False, texts: Mapping[str, str] | None = None
) -> Opening:
    """The opening of a draft. Raises BadInput for an unknown data set, NotFound for a record or unit out of scope or unknown."""
    if dataset not in dictionary().datasets:
        raise BadInput("没有这个数据集，请选择数据集", errors=[{"field": "dataset"}])
    seen = view(session(), actor())
    if key:
        record = record_named(session(), seen, dataset, key)
        return Opening(dataset, record.unit_id or 0, record, leaving=leaving)
    unit_id = seen.tree.by_code.get(unit_code)
    if unit_id is None or not any(may_at(session(), actor(), action, unit_id) for action in WRITERS):
        raise UnknownUnit
    return Opening(dataset, unit_id, texts=texts or {})


def begun_by(unit_id: int) -> Mapping[str, Any]:
    """Who opens a filing of this unit here, and on whose behalf, as the opening of one takes it."""
    return opener(session(), actor(), about.PROCESS, unit_id)
