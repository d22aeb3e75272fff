"""A unit and its parts, in the person's scope; the figures of the dashboard."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from flask import g, jsonify

from web.api import shapes
from web.api.records import line
from web.api.shared import api, listed
from web.database import session
from web.identity import actor
from web.pages.tickets import wanted_filter
from web.paging import argument, decode
from web.permissions import permission
from workflow.errors import UnknownUnit
from workflow.insight.dashboard import Figure, dashboard
from workflow.insight.dashboard import Line as Breakdown
from workflow.insight.lamps import view
from workflow.insight.roster import RosterFilter, roster
from workflow.insight.standing import standing
from workflow.insight.tickets import counts_by_light, tickets
from workflow.insight.units import figures, posts, quotas
from workflow.registry.dictionary import dictionary

bp = api("units")


def unit_in_scope(code: str) -> int:
    """The id of a unit in the person's scope. Raises UnknownUnit."""
    seen = view(session(), actor())
    unit_id = seen.tree.by_code.get(code)
    if unit_id is None or not seen.sees(unit_id):
        raise UnknownUnit
    return unit_id


@bp.get("/units/<code>")
@permission("record.read")
def one(code: str) -> Any:
    """Lamp, open tickets by light, red rounds and streak, negative list, holds, parent and children, as `sandeng unit`."""
    unit_in_scope(code)
    return jsonify(standing(session(), code, g.today))


@bp.get("/units/<code>/people")
@permission("record.read")
def people(code: str) -> Any:
    """The people of a unit and its subordinates, by code; ID numbers masked. `dataset=contract` for contract staff."""
    unit_in_scope(code)
    dataset = argument("dataset", ("person", "contract")) or "person"
    seen = view(session(), actor())
    wanted = RosterFilter(dataset=dataset, unit=code, text=argument("text"))
    lines, after = roster(session(), actor(), seen, wanted, after=decode(argument("after", limit=300)))
    return listed([line(each, seen) for each in lines], after, dataset=dataset)


@bp.get("/units/<code>/tickets")
@permission("ticket.read")
def unit_tickets(code: str) -> Any:
    """The tickets of a unit and its subordinates, most urgent first."""
    unit_in_scope(code)
    wanted = replace(wanted_filter(), unit=code)
    rows, after = tickets(session(), actor(), wanted, after=decode(argument("after", limit=300)))
    return listed([shapes.ticket(row) for row in rows], after, lights=counts_by_light(session(), actor(), wanted))


@bp.get("/units/<code>/quota")
@permission("record.read")
def quota(code: str) -> Any:
    """Quota by type, contract control numbers and leader posts: approved, planned, occupied, vacant, over."""
    numbers = figures(session(), unit_in_scope(code), g.today, today=True)
    by_type = [
        {**asdict(each), "vacant": each.vacant, "over": each.over}
        for each in quotas(numbers, "quota_type", "approved", "plan", "occupied")
    ]
    contracts = [
        {"code": each.code, "label": each.label, "control": each.approved, "employed": each.occupied, "over": each.over}
        for each in quotas(numbers, "contract_category", "control", "none", "contracts")
    ]
    return jsonify(
        unit=code, on=g.today, quotas=by_type, contracts=contracts, posts=[asdict(each) for each in posts(numbers)]
    )


@bp.get("/quality")
@permission("dashboard.read")
def quality() -> Any:
    """Lamps by region, trend, top rules, on-time share; each figure with the query of the ticket list that it counts."""
    district = argument("district", dictionary().codes["region"].by_code)
    shown = dashboard(session(), actor(), g.today, district=district)
    return jsonify(
        on=g.today,
        since=shown.since,
        district=shown.district or None,
        whole=_line(shown.whole),
        units=dict(shown.units),
        regions=[
            {
                "code": r.code,
                "name": r.name,
                "units": r.units,
                "lamps": dict(r.lamps),
                "red": _figure(r.red),
                "yellow": _figure(r.yellow),
            }
            for r in shown.regions
        ],
        trend=[
            {"on": d.on, "opened": d.opened.number, "resolved": d.resolved.number, "red": d.red.number}
            for d in shown.trend
        ],
        rules=[_line(each) for each in shown.rules],
        levels=[_line(each) for each in shown.levels],
        datasets=[_line(each) for each in shown.datasets],
        dimensions=[_line(each) for each in shown.dimensions],
    )


def _figure(figure: Figure) -> dict[str, Any]:
    return {"number": figure.number, "query": figure.query}


def _line(each: Breakdown) -> dict[str, Any]:
    names = ("red", "yellow", "open", "timely", "late")
    figures_of = {name: _figure(getattr(each, name)) for name in names}
    return {"key": each.key, "label": each.label, "on_time_share": each.share, **figures_of}
