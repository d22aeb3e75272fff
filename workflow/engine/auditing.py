"""One audit entry for each row of a definition that a set of cases goes through: a night of 100,000 tickets leaves some hundred."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy.orm import Session

from workflow.audit.notes import note, told
from workflow.engine.context import CaseRow, Request


def note_step(
    session: Session, cases: Sequence[CaseRow], request: Request, to: str, sources: Collection[str] | None
) -> None:
    """Notes that these cases of one process went to one state; `sources`: the states that they left, None at the opening.

    One case is named; many are counted, with the digest of their ids: the history rows of that moment must give the same.
    """
    first, one = cases[0], len(cases) == 1
    units = {case.unit_id for case in cases}
    note(
        session,
        f"{first.process}.{request.do}",
        at=request.now,
        actor=request.actor.account,
        on_behalf_of=request.on_behalf_of,
        kind=first.process,
        key=first.subject if one else f"{len(cases)} cases",
        unit_id=units.pop() if len(units) == 1 else None,
        case_id=first.id if one else None,
        summary=_summary(cases, request, to, sources),
    )


def _summary(cases: Sequence[CaseRow], request: Request, to: str, sources: Collection[str] | None) -> dict[str, Any]:
    summary: dict[str, Any] = {"to": [to]}
    if sources is not None:
        summary["from"] = sorted(sources)
    if len(cases) > 1:
        summary |= {"n": len(cases), "ids": told(sorted(case.id for case in cases))}
    else:
        summary["version"] = cases[0].version + (sources is not None)
    if request.reason:
        summary["reason"] = told(request.reason)
    if request.inputs:
        summary["inputs"] = {name: told(value) for name, value in request.inputs.items()}
    return summary
