"""The history of cases: one row for each case and step, and the step's entry in the audit chain. Append-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.engine.auditing import note_step
from workflow.engine.context import CaseRow, Request
from workflow.engine.models import HISTORY
from workflow.engine.sets import grouped, insert_for_cases
from workflow.engine.statements import INSERT_HISTORY
from workflow.engine.verdicts import Verdict


def write_history(
    session: Session,
    cases: Sequence[CaseRow],
    request: Request,
    to: str,
    since: Sequence[datetime],
    verdicts: Mapping[int, list[Verdict]],
    *,
    opening: bool = False,
) -> None:
    """One history row for each case: INSERT … SELECT for those that share everything, rows otherwise.

    `since`: for each case the moment from which it stands in the state `to`; `opening`: it came from no state.
    """
    left = [None if opening else case.state for case in cases]
    note_step(session, cases, request, to, None if opening else {case.state for case in cases})
    facts: dict[str, Any] = {"inputs": dict(request.inputs)} if request.inputs else {}
    groups = grouped(((source, moment), case) for source, moment, case in zip(left, since, cases, strict=True))
    taking = 0 if opening else 1  # the case row still shows the version before the step
    if len(groups) > 4 or any(verdicts.get(case.id) for case in cases if verdicts):
        rows: list[dict[str, Any]] = [
            {
                **_act(request, source, moment),
                "case_id": case.id,
                "version": case.version + taking,
                "to_state": to,
                "facts": facts | _told(verdicts.get(case.id, [])),
            }
            for source, moment, case in zip(left, since, cases, strict=True)
        ]
        INSERT_HISTORY.run_each(session, rows)
        return
    for (source, moment), ours in groups.items():
        act = {**_act(request, source, moment), "to_state": to, "facts": facts}
        insert_for_cases(session, HISTORY, [case.id for case in ours], act, version="version", bump=taking)


def _act(request: Request, source: str | None, effective_at: datetime) -> dict[str, Any]:
    return {
        "do": request.do,
        "from_state": source,
        "actor": request.actor.account,
        "on_behalf_of": request.on_behalf_of,
        "at": request.now,
        "effective_at": effective_at,
        "reason": request.reason,
    }


def _told(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts as they were given, and by guard what they rested on."""
    if not verdicts:
        return {}
    read = {verdict.guard: dict(verdict.read) for verdict in verdicts if verdict.read is not None}
    return {"verdicts": [verdict.as_json() for verdict in verdicts]} | ({"read": read} if read else {})
