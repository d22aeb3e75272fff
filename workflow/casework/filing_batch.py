"""One change for many records (单条或批量填报): a draft for each, all of them or, on the first fault, none. Submitted and confirmed in bulk from the inbox.

Each record keeps a filing of its own, so that each is judged, returned and traced for itself (办法7, 办法8). Never commits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.casework.filing import fields_of
from workflow.casework.filing_drafting import Opening, open_filing, open_for, save_draft
from workflow.casework.models import Filing
from workflow.errors import BadInput
from workflow.quality.terms import policies_of
from workflow.registry.dictionary import dictionary
from workflow.registry.queries import Record


@dataclass(frozen=True)
class Drafted:
    """One draft of a batch: its record, its case, how many fields change and how many rules block."""

    key: str
    case_id: int
    changes: int
    blocked: int


def most_at_once(session: Session, unit_id: int | None) -> int:
    """How many records one batch may hold: beyond it, an import on an approved request is the way (report.batch_rows, 办法17)."""
    return policies_of(session, [unit_id])[unit_id].count("report.batch_rows")


def open_batch(
    session: Session, dataset: str, records: Sequence[Record], texts: Mapping[str, str], *, now: datetime,
    by: Callable[[int], Mapping[str, Any]],
) -> list[Drafted]:  # fmt: skip
    """Drafts with the same texts for every record (`texts`: field → text, and the basis as in `save_draft`).

    `by`: unit id → who drafts for it, as the arguments `actor` and `on_behalf_of`.

    Raises BadInput naming every record that cannot be drafted, and why; then nothing is opened.
    """
    _prove(session, dataset, records, texts)
    drafted = []
    for record in records:
        who = by(record.unit_id or 0)
        case_id = open_filing(session, Opening(dataset, record.unit_id or 0, record), now=now, **who)
        filing = save_draft(session, case_id, texts, now=now, **who)
        drafted.append(_drafted(record, filing))
    return drafted


def _drafted(record: Record, filing: Filing) -> Drafted:
    return Drafted(record.key, filing.case_id, len(filing.lines), sum(1 for f in filing.findings if f["blocks"]))


def _prove(session: Session, dataset: str, records: Sequence[Record], texts: Mapping[str, str]) -> None:
    known = fields_of(dictionary()[dataset], new=False)
    changed = [name for name in texts if not name.startswith("_")]
    if not changed or not set(changed) <= set(known):
        raise BadInput("请选择要变更的字段", errors=[{"field": "field"}])
    if any(known[name].type == "id" for name in changed):
        raise BadInput("身份证号逐人更正，不能批量填报", errors=[{"field": "field"}])
    faults = [
        {"row": number, "field": "keys", "message": f"第 {number} 条 {record.key}：{why}"}
        for number, record in enumerate(records, 1)
        if (why := _fault(session, dataset, record))
    ]
    if faults:
        raise BadInput("；".join(str(fault["message"]) for fault in faults[:10]), errors=faults)


def _fault(session: Session, dataset: str, record: Record) -> str:
    if record.removed:
        return "记录已移除"
    other = open_for(session, dataset, record.id)
    return f"已有未办结的填报 {other}" if other is not None else ""
