"""Red rounds, streaks and the negative list: what 办法10(一) and 办法21 count."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from web.database import session
from web.identity import actor
from web.paging import Page, argument, decode, encode
from web.permissions import permission
from workflow.insight import red
from workflow.policy import shipped_policies
from workflow.quality.negative_list import STATES

bp = Blueprint("red", __name__)
MOST = 30


def page_of_entries(state: str) -> Page:
    """Entries of the negative list, by cursor."""
    after = decode(argument("after"))
    before = after[0] if after and isinstance(after[0], int) else None
    rows = red.listed(session(), actor(), state=state, before=before, limit=MOST)
    return Page(rows, encode(rows[-1]["entry"].id) if len(rows) == MOST else None)


@bp.get("/red")
@permission("ticket.read")
def page() -> Any:
    """Streaks, the negative list and the ledger of rounds, within the person's scope."""
    state = argument("state", STATES)
    return render_template(
        "red/page.html",
        streaks=red.streaks(session(), actor()),
        page=page_of_entries(state),
        counts=red.counts_by_state(session(), actor()),
        rounds=red.rounds(session(), actor()),
        state=state,
        STATES=STATES,
        policy=shipped_policies().city,
    )
