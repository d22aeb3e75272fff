"""推演: what turns yellow and red, who is reminded and suspended if nobody acts until a day, or under other terms. Done by a worker; changes nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for

from web.database import db, session
from web.identity import actor
from web.paging import day_argument
from web.permissions import permission
from workflow.casework.simulating import KIND, TERMS, tried
from workflow.casework.simulation import LONGEST
from workflow.errors import BadInput, NotFound
from workflow.operations.progress import shown
from workflow.operations.requests import ask, request_of, requests_by
from workflow.policy import shipped_policies

bp = Blueprint("simulation", __name__)
USUAL = timedelta(30)


@bp.get("/simulation")
@permission("simulation.run", scope="own")
def page() -> Any:
    """What to simulate, and one's earlier simulations."""
    mine = [made for made in requests_by(session(), actor().account, limit=60) if made.kind == KIND][:20]
    return render_template(
        "simulation/page.html",
        mine=mine,
        until=day_argument("until") or g.today + USUAL,
        longest=g.today + timedelta(LONGEST),
        policy=shipped_policies().city,
        TERMS=TERMS,
    )


@bp.post("/simulation")
@permission("simulation.run", scope="own")
def start() -> Any:
    """Ask a worker for it."""
    until = request.form.get("until", "")
    terms = {name: request.form[name] for name in TERMS if request.form.get(name)}
    if any(not (value.isascii() and value.isdigit() and 1 <= int(value) <= 60) for value in terms.values()):
        raise BadInput("工作日数应为 1 至 60 的整数")
    tried(terms)
    params = {"until": _day(until), "confirm": bool(request.form.get("confirm")), "terms": terms}
    made = ask(session(), KIND, params, by=actor().account, now=g.now)
    flash("已交后台推演，稍候即可在此查看。", "done")
    return redirect(url_for("simulation.one", request_id=made.id))


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadInput("日期应为 YYYY-MM-DD") from None
    if not g.today <= day <= g.today + timedelta(LONGEST):
        raise BadInput(f"截止日期应在 {g.today} 至 {g.today + timedelta(LONGEST)} 之间")
    return day.isoformat()


@bp.get("/simulation/<int:request_id>")
@permission("simulation.run", scope="own")
def one(request_id: int) -> Any:
    """One simulation: how far it has come, then its days."""
    made = request_of(session(), request_id, by=actor().account)
    if made.kind != KIND:
        raise NotFound
    done, total = shown(db.engine, made)
    live = bool(request.headers.get("HX-Request"))
    days = [day for day in made.result.get("days", []) if _moves(day)] if made.result else []
    answer = current_app.make_response(
        render_template(
            "simulation/_one.html" if live else "simulation/one.html", made=made, done=done, total=total, days=days
        )
    )
    if live and made.state in ("done", "failed"):
        answer.headers["HX-Refresh"] = "true"
    return answer


def _moves(day: dict[str, Any]) -> bool:
    quiet = ("on", "blocked_units")
    return any(value for name, value in day.items() if name not in quiet)
