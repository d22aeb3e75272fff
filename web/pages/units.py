"""The unit tree and the page of one unit: lamp, problems, quotas, posts, people, subordinates, ledger, consequences, as of any day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, g, render_template

from web.database import session
from web.identity import actor
from web.paging import Page, argument, day_argument, decode, encode
from web.permissions import permission
from workflow.access.scopes import may
from workflow.errors import NotFound
from workflow.insight.lamps import Count, Node, View, view
from workflow.insight.units import unit_page
from workflow.insight.wording import region_title
from workflow.registry.dictionary import dictionary

bp = Blueprint("units", __name__)
FOUND = 40
LISTED = 100
LAMPS = ("red", "yellow", "green", "lit", "any")


@dataclass(frozen=True)
class Branch:
    """One entry of the tree: a district or a unit, its whole count, and the branches already opened under it."""

    label: str
    count: Count
    code: str = ""
    district: str = ""
    more: int = 0
    open: bool = False
    under: list[Branch] = field(default_factory=list)


def branches(seen: View, *, district: str = "", under: str = "") -> list[Branch]:
    """The entries directly below a unit or a district; at the top the districts, or the units where there is one district."""
    if under:
        unit_id = seen.tree.by_code.get(under)
        if unit_id is None or not seen.sees(unit_id):
            raise NotFound
        return [_branch(seen, node) for node in seen.children(unit_id)]
    roots = seen.roots()
    districts = sorted({node.district for node in roots})
    if not district and len(districts) > 1:
        return [_district(seen, code) for code in districts]
    return [_branch(seen, node) for node in roots if not district or node.district == district]


def opened_tree(seen: View, code: str) -> list[Branch]:
    """The whole way from the top to one unit, opened."""
    unit_id = seen.tree.by_code.get(code)
    if unit_id is None or not seen.sees(unit_id):
        return branches(seen)
    line = [node for node in [*seen.tree.above(unit_id), seen.tree.nodes[unit_id]] if seen.sees(node.id)]
    top = branches(seen)
    if top and top[0].district:
        district = line[0].district
        return [
            _opened(b, _along(seen, branches(seen, district=district), line)) if b.district == district else b
            for b in top
        ]
    return _along(seen, top, line)


def _along(seen: View, level: list[Branch], line: list[Node]) -> list[Branch]:
    if not line:
        return level
    here, rest = line[0], line[1:]
    return [
        _opened(b, _along(seen, branches(seen, under=b.code), rest)) if b.code == here.code and b.more and rest else b
        for b in level
    ]


def _opened(branch: Branch, under: list[Branch]) -> Branch:
    return Branch(branch.label, branch.count, branch.code, branch.district, branch.more, True, under)


def _branch(seen: View, node: Node) -> Branch:
    return Branch(node.name, seen.tree.count(node.id), node.code, more=len(seen.children(node.id)))


def _district(seen: View, code: str) -> Branch:
    ids = [node.id for node in seen.units() if node.district == code]
    return Branch(region_title(code), seen.tree.sum(ids), district=code, more=len(ids))


@bp.get("/units")
@permission("record.read")
def page() -> Any:
    """The tree with lamps; who holds one unit only comes straight to its page."""
    seen = view(session(), actor())
    if argument("lamp", LAMPS):
        return _by_lamp(seen)
    roots = seen.roots()
    if len(roots) == 1 and not argument("text"):
        return one(roots[0].code)
    found = matching(seen, argument("text")) if argument("text") else []
    return render_template(
        "units/page.html", tree=branches(seen), found=found, text=argument("text"), worst=_worst(seen)
    )


def _by_lamp(seen: View) -> str:
    """The units with one lamp (their own problems only), of one district where it is named, in order of code."""
    lamp, district, after = argument("lamp"), argument("district"), (decode(argument("after", limit=300)) or [""])[0]
    counted = [
        (node, seen.tree.own_count(node.id)) for node in seen.units() if not district or node.district == district
    ]
    wanted = [(node, count) for node, count in counted if lamp in _lamps(count)]
    rest = [pair for pair in wanted if pair[0].code > str(after)]
    page = Page(rest[:LISTED], encode(rest[LISTED - 1][0].code) if len(rest) > LISTED else None, len(wanted))
    return render_template("units/lamps.html", page=page, lamp=lamp, district=district)


def _lamps(count: Count) -> tuple[str, ...]:
    """Under which words a unit with these problems is listed."""
    return (count.lamp, "any", "lit") if count.all else (count.lamp, "any")


@bp.get("/units/tree")
@permission("record.read")
def tree() -> Any:
    """A piece of the tree: below a unit or a district, or what the words match."""
    seen = view(session(), actor())
    words = argument("text")
    if words:
        entries = matching(seen, words)
    else:
        entries = branches(seen, under=argument("under"), district=argument("district"))
    return render_template(
        "units/_branches.html", entries=entries, dataset=argument("to"), words=words, unit=argument("unit")
    )


def matching(seen: View, words: str) -> list[Branch]:
    """The units in scope whose code begins with or whose name contains the words."""
    found: list[Branch] = []
    for node in seen.units():
        if words in node.name or node.code.startswith(words):
            found.append(Branch(node.name, seen.tree.count(node.id), node.code))
            if len(found) == FOUND:
                break
    return found


def _worst(seen: View) -> list[tuple[Node, Count]]:
    """The twelve units with most problems of their own, red first."""
    lit = ((node, seen.tree.own_count(node.id)) for node in seen.units() if node.id in seen.tree.own)
    return sorted(lit, key=lambda pair: (-pair[1].red, -pair[1].yellow, pair[0].code))[:12]


@bp.get("/units/<code>")
@permission("record.read")
def one(code: str) -> Any:
    """One unit, today or as of a day."""
    person = actor()
    seen = view(session(), person)
    unit_id = seen.tree.by_code.get(code)
    if unit_id is None or not seen.sees(unit_id):
        raise NotFound
    as_of = day_argument("as_of")
    day = as_of if as_of and as_of < g.today else g.today
    shown = unit_page(session(), unit_id, day, today=day == g.today)
    return render_template(
        "units/one.html",
        node=seen.tree.nodes[unit_id],
        above=[node for node in seen.tree.above(unit_id) if seen.sees(node.id)],
        own=seen.tree.own_count(unit_id),
        whole=seen.tree.count(unit_id),
        under=branches(seen, under=code),
        as_of=None if day == g.today else day,
        may_tickets=may(person, "ticket.read"),
        label=lambda codes, value: dictionary().codes[codes].label(value),
        inner_code=dictionary().codes["inner_org_status"].by_label["正常"].code,
        **shown,
    )
