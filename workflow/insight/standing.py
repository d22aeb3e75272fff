"""One unit's standing in the quality loop: lamp, tickets, red rounds, negative list, the tree around it. Reads only."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.casework.holds import band_on, spans_of
from workflow.casework.models import HOLD_APPLY
from workflow.engine.models import Case
from workflow.errors import NotFound
from workflow.quality.lights import lamp_of, open_by_light
from workflow.quality.models import NegativeEntry, RedRound
from workflow.registry.places import names_of
from workflow.registry.tables import TABLES


def standing(session: Session, code: str, today: date) -> dict[str, Any]:
    """The object of `sandeng unit CODE`. Raises NotFound."""
    table = TABLES["unit"]
    unit = session.execute(select(table).where(table.c.unit_code == code)).mappings().one_or_none()
    if unit is None:
        raise NotFound(f"没有机构 {code}")
    lights = open_by_light(session, unit["id"])
    rounds = _rounds(session, unit["id"])
    return {
        "code": code,
        "name": unit["name"],
        "lamp": lamp_of(lights["red"], lights["yellow"]),
        "tickets": lights,
        "red_rounds": [{"on": r.on, "kind": r.kind, "streak": r.streak, "tickets": len(r.tickets)} for r in rounds],
        "streak": rounds[-1].streak if rounds else 0,
        "negative_list": _negative(session, unit["id"]),
        **_holds(session, unit["id"], today),
        "parent": session.scalar(select(table.c.unit_code).where(table.c.id == unit["parent_id"])),
        "children": list(
            session.scalars(
                select(table.c.unit_code)
                .where(table.c.parent_id == unit["id"], table.c.removed_on.is_(None))
                .order_by(table.c.unit_code)
            )
        ),
        "on": today,
    }


def _rounds(session: Session, unit_id: int) -> list[RedRound]:
    return list(session.scalars(select(RedRound).where(RedRound.unit_id == unit_id).order_by(RedRound.id)))


def _negative(session: Session, unit_id: int) -> dict[str, Any]:
    entries = list(session.scalars(select(NegativeEntry).where(NegativeEntry.unit_id == unit_id)))
    listed = [e for e in entries if e.left_on is None and e.reversed_on is None]
    return {
        "listed": bool(listed),
        "open": sum(e.fixed_on is None for e in listed),
        "watched": sum(e.fixed_on is not None for e in listed),
    }


def _holds(session: Session, unit_id: int, today: date) -> dict[str, Any]:
    """The holds that bind today with their end dates, the governing end of all of them, and suspensions proposed (办法21)."""
    spans = spans_of(session, [unit_id]).get(unit_id, [])
    band = band_on(spans, today)
    binding = [span for span in spans if span.binds(today)]
    codes = names_of(session, [span.source_unit_id for span in binding]) if binding else {}
    proposed = select(Case).where(Case.process == "suspension", Case.unit_id == unit_id, Case.state == "proposed")
    return {
        "holds": [
            {
                "kind": HOLD_APPLY,
                "case": span.case_id,
                "source": codes[span.source_unit_id][0],
                "from": span.from_on,
                "until": span.until_on,
            }
            for span in binding
        ],
        "held_until": band.last_on if band else None,
        "proposals": [
            {"case": case.id, "months": case.data.get("months"), "since": case.day_zero}
            for case in session.scalars(proposed.order_by(Case.id))
        ],
    }
