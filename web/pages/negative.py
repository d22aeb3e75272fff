"""负面清单办理 (办法10(一)): what is on the list, whose watch period is over, removal and reversal by officials. Buttons come from the table."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.paging import argument
from web.permissions import permission
from workflow.access.substitution import opener, stand_ins, take_step_as
from workflow.casework.listing import PROCESS, case_of_entry
from workflow.casework.overview import entries_to_act_on, entry_in_scope
from workflow.engine.registry import book
from workflow.engine.steps import require_moved
from workflow.errors import NotFound

bp = Blueprint("negative", __name__)
WHICH = {"over": "观察期已满", "watched": "观察期内", "listed": "未整改", "asked": "待撤销误列", "": "全部"}


@bp.get("/negative")
@permission("case.read")
def page() -> Any:
    """The entries that stand, narrowed as asked."""
    which = argument("which", WHICH) if "which" in request.args else "over"
    rows = entries_to_act_on(session(), actor(), g.today, which=which)
    return render_template("negative/page.html", rows=rows, which=which, WHICH=WHICH, steps=_steps(rows))


def _steps(rows: Any) -> dict[tuple[str, int], list[Any]]:
    """(State, unit) → the steps that the table gives the person there, and on whose behalf; guards answer when a step is taken."""
    units, steps = {row.NegativeEntry.unit_id for row in rows}, book().process(PROCESS).steps
    found: dict[tuple[str, int], list[Any]] = {}
    for who, behalf in [(actor(), None), *stand_ins(actor(), PROCESS)]:
        reach = {role: who.reach(session(), role, units) for role in {r for s in steps for r in s.by} if who.has(role)}
        for step in steps:
            for unit_id in set[int]().union(*(reach.get(role, ()) for role in step.by)):
                for source in step.sources:
                    offered = found.setdefault((source, unit_id), [])
                    if all(step is not other for other, _ in offered):
                        offered.append((step, behalf))
    return found


@bp.post("/negative/<int:entry_id>/<do>")
@permission("case.read")
def step(entry_id: int, do: str) -> Any:
    """An official's act on one entry; what stands against it is told in full (422)."""
    entry = entry_in_scope(session(), actor(), entry_id)
    if entry is None:
        raise NotFound
    by = opener(session(), actor(), PROCESS, entry.unit_id)
    case_id = case_of_entry(session(), entry_id, now=g.now, **by)
    reason = request.form.get("reason") or None
    require_moved(take_step_as(session(), actor(), PROCESS, do, [case_id], now=g.now, reason=reason))
    flash("已办理。", "done")
    return redirect(url_for("negative.page", which=request.form.get("which", "")))
