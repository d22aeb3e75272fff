"""The roster: lists of every data set beside the unit tree, narrowed in the URL, printed and exported as they stand."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from web.database import session
from web.identity import actor
from web.look import LIGHTS
from web.pages.units import Branch, branches, opened_tree
from web.paging import PAGE, Page, argument, decode, encode
from web.permissions import permission
from workflow.access.scopes import may
from workflow.errors import NotFound
from workflow.insight.columns import LISTED, NARROWED, ORDER
from workflow.insight.lamps import Node, View, view
from workflow.insight.roster import COUNTED, RosterFilter, counted, roster
from workflow.registry.dictionary import DataSet, dictionary
from workflow.registry.values import choices

bp = Blueprint("roster", __name__)


@bp.get("/roster")
@permission("record.read")
def page() -> Any:
    """The list of people; the address of the other data sets names them."""
    return of("person")


@bp.get("/roster/<dataset>")
@permission("record.read")
def of(dataset: str) -> Any:
    """The list of one data set."""
    person, described = actor(), described_as(dataset)
    seen = view(session(), person)
    wanted = wanted_filter(dataset)
    lines, after = roster(session(), person, seen, wanted, after=decode(argument("after", limit=300)), limit=PAGE)
    total = None if argument("after") else counted(session(), person, seen, wanted)
    return render_template(
        "roster/page.html",
        dataset=described,
        fields=[described.fields[name] for name in LISTED[dataset]],
        page=Page(lines, encode(*after) if after else None, total),
        most=COUNTED,
        wanted=wanted,
        chosen=dict(wanted.codes),
        narrowing=_narrowing(described),
        unit=_chosen(seen, wanted.unit),
        tree=tree_of(seen, wanted.unit),
        datasets=[dictionary()[name] for name in ORDER],
        may_file=may(person, "filing.begin"),
        may_create=may(person, "record.write_locked" if described.create_by == "office" else "record.create"),
        kept=kept(),
    )


def _chosen(seen: View, code: str) -> Node | None:
    """The unit that the list is narrowed to; none out of scope, whose very name would be told."""
    unit_id = seen.tree.by_code.get(code, 0)
    return seen.tree.nodes[unit_id] if seen.sees(unit_id) else None


@bp.get("/roster/find")
@permission("record.read")
def find() -> Response:
    """From the tree's search box to the list of one unit."""
    return redirect(url_for("roster.of", dataset=argument("dataset", ORDER) or "person", unit=argument("unit")))


def described_as(dataset: str) -> DataSet:
    """The data set of an address. Raises NotFound."""
    if dataset not in LISTED:
        raise NotFound
    return dictionary()[dataset]


def wanted_filter(dataset: str) -> RosterFilter:
    """The filter that stands in the URL; what the data set does not know is passed over."""
    described = dictionary()[dataset]
    codes = ((name, argument(name)) for name in NARROWED[dataset])
    known = ((name, code) for name, code in codes if code in dictionary().codes_of(described.fields[name]).by_code)
    return RosterFilter(
        dataset=dataset,
        text=argument("text"),
        unit=argument("unit"),
        own=argument("own") == "1",
        light=argument("light", (*LIGHTS, "lit")),
        codes=tuple(known),
        removed=argument("removed") == "1",
    )


def kept() -> dict[str, str]:
    """The filter as it stands, for forms and links that keep it."""
    return {name: value for name, value in request.args.items() if value and name not in ("after", "sort")}


def tree_of(seen: View, unit: str) -> list[Branch]:
    """The tree beside a list, opened along the way to the chosen unit."""
    return opened_tree(seen, unit) if unit else branches(seen)


def _narrowing(described: DataSet) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(field, label, options) of the selects above the list."""
    fields = (described.fields[name] for name in NARROWED[described.name])
    return [(f.name, f.label, [(code.code, code.label) for code in choices(f, g.today)]) for f in fields]
