"""The quality dashboard (办法20): lamps, trend, rules, timeliness. Each figure carries the filter of the list that it counts. Reads only.

All figures come from four grouped statements over the very conditions of the ticket list, so that a figure and its list cannot differ;
they are remembered until a light, a check, a unit or the day changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.engine.models import Case
from workflow.insight.dimensions import ORDER, dimension
from workflow.insight.lamps import Count, Node, View, view
from workflow.insight.remembered import remembered
from workflow.insight.tickets import READ, TicketFilter
from workflow.insight.wording import region_title
from workflow.quality.models import CheckRun, NegativeEntry, Ticket
from workflow.quality.rules import rules
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

WINDOW = 30  # days of the trend and of the timeliness, today included
TOP = 12
UNIT = TABLES["unit"].c
LEVELS = ("B", "E", "W", "H")


class Figure(NamedTuple):
    """A number and the query parameters of the ticket list that counts exactly it."""

    number: int
    query: dict[str, str]


class Line(NamedTuple):
    """One row of a breakdown: open tickets by light, tickets put right in the window, those in time among them."""

    key: str
    label: str
    red: Figure
    yellow: Figure
    open: Figure
    timely: Figure
    late: Figure

    @property
    def share(self) -> float | None:
        """The share put right in time, 0–1; None where none was put right."""
        whole = self.timely.number + self.late.number
        return self.timely.number / whole if whole else None


class Day(NamedTuple):
    """One day of the trend."""

    on: date
    opened: Figure
    resolved: Figure
    red: Figure


class Square(NamedTuple):
    """One unit of the grid with everything below it."""

    node: Node
    problems: Count
    units: int


@dataclass(frozen=True)
class Region:
    """One district: units by lamp, open tickets by light and by group of rules."""

    code: str
    name: str
    units: int
    lamps: Mapping[str, int]
    red: Figure
    yellow: Figure
    groups: Mapping[str, Figure]


@dataclass(frozen=True)
class Dashboard:
    """Everything on the page. `whole` is the line over all rules."""

    district: str
    since: date
    whole: Line
    resolved: Figure
    hints: Figure
    units: Mapping[str, int]
    regions: Sequence[Region]
    grid: Sequence[Square]
    trend: Sequence[Day]
    rules: Sequence[Line]
    levels: Sequence[Line]
    datasets: Sequence[Line]
    dimensions: Sequence[Line]
    groups: Mapping[str, str]
    run: CheckRun | None


class _Open(NamedTuple):
    """Open tickets of one district, rule, data set, level and light."""

    district: str
    rule: str
    dataset: str
    level: str
    light: str
    number: int


class _Fixed(NamedTuple):
    """Tickets put right on one day of one rule, data set and level; `timely` None for those without a term."""

    on: date
    rule: str
    dataset: str
    level: str
    timely: bool | None
    number: int


def dashboard(session: Session, actor: Actor, today: date, *, district: str = "") -> Dashboard:
    """The dashboard in a person's scope, of one district where one is named. Four statements when nothing has changed, ten else."""
    seen = view(session, actor, READ)
    district = district if district in {node.district for node in seen.roots()} else ""
    key = ("dashboard", tuple(actor.holding(READ)), district, today)
    made = remembered(session, key, seen.lights, lambda: _make(session, actor, seen, today, district))
    return replace(made, run=_last_run(session))


def _make(session: Session, actor: Actor, seen: View, today: date, district: str) -> Dashboard:
    since = today - timedelta(days=WINDOW - 1)
    base = TicketFilter(district=district)
    still, fixed = _still_open(session, actor, base), _fixed(session, actor, base, since)
    lines = _Lines(still, fixed, base, since)
    return Dashboard(
        district=district,
        since=since,
        whole=lines.line("", "合计"),
        resolved=Figure(sum(f.number for f in fixed), _query(base, state="all", resolved_from=since)),
        hints=Figure(sum(o.number for o in still if o.level == "H"), _query(base, level="H")),
        units=_lamps(seen, [n for n in seen.units() if not district or n.district == district]),
        regions=_regions(seen, still, base),
        grid=_grid(seen, district),
        trend=_trend(session, actor, base, since, today, fixed),
        rules=lines.top_rules(),
        levels=[lines.line(x, x, level=x) for x in LEVELS if lines.any(level=x)],
        datasets=[lines.line(n, d.title, dataset=n) for n, d in dictionary().datasets.items() if lines.any(dataset=n)],
        dimensions=[lines.line(n, n, dimension=n) for n in ORDER if lines.any(dimension=n)],
        groups=rules().groups,
        run=None,
    )


def _last_run(session: Session) -> CheckRun | None:
    done = select(CheckRun).where(CheckRun.finished_at.is_not(None), CheckRun.kind != "scoped")
    return session.scalars(done.order_by(CheckRun.id.desc()).limit(1)).one_or_none()


def _query(base: TicketFilter, **more: Any) -> dict[str, str]:
    """The parameters of the list with this filter."""
    kept = {"district": base.district, **more}
    return {name: str(value) for name, value in kept.items() if value}


def _grouped(actor: Actor, wanted: TicketFilter, *columns: Any) -> Select[Any]:
    """The ticket list's own joins and conditions, counted by some columns."""
    statement = select(*columns, func.count()).select_from(Ticket).outerjoin(Case, Case.id == Ticket.case_id)
    return statement.join(TABLES["unit"], UNIT.id == Ticket.unit_id).where(*wanted.where(actor)).group_by(*columns)


def _still_open(session: Session, actor: Actor, base: TicketFilter) -> list[_Open]:
    light = func.coalesce(Case.light, "none")
    columns = (UNIT.district_code, Ticket.rule_id, Ticket.dataset, Ticket.level, light)
    return [_Open(*row) for row in session.execute(_grouped(actor, base, *columns))]


def _fixed(session: Session, actor: Actor, base: TicketFilter, since: date) -> list[_Fixed]:
    in_time = case((Ticket.resolved_on <= Ticket.deadline_on, 1), (Ticket.resolved_on > Ticket.deadline_on, 0))
    wanted = replace(base, state="all", resolved_from=since)
    columns = (Ticket.resolved_on, Ticket.rule_id, Ticket.dataset, Ticket.level, in_time)
    rows = session.execute(_grouped(actor, wanted, *columns))
    return [_Fixed(row[0], row[1], row[2], row[3], None if row[4] is None else bool(row[4]), row[5]) for row in rows]


class _Lines:
    """Breakdowns of the open and the fixed tickets, each by one property."""

    def __init__(self, still: Sequence[_Open], fixed: Sequence[_Fixed], base: TicketFilter, since: date) -> None:
        self.still, self.fixed, self.base, self.since = still, fixed, base, since

    def any(self, **by: str) -> bool:
        """Whether there is any open or fixed ticket of that kind."""
        return any(map(_picks(by), [*self.still, *self.fixed]))

    def line(self, key: str, label: str, **by: str) -> Line:
        """The row of one kind."""
        picks = _picks(by)
        still, fixed = [o for o in self.still if picks(o)], [f for f in self.fixed if picks(f)]

        def lit(light: str) -> Figure:
            return Figure(sum(o.number for o in still if o.light == light), _query(self.base, light=light, **by))

        def done(word: str) -> Figure:
            number = sum(f.number for f in fixed if f.timely is (word == "yes"))
            return Figure(number, _query(self.base, state="all", resolved_from=self.since, timely=word, **by))

        every = Figure(sum(o.number for o in still), _query(self.base, **by))
        return Line(key, label, lit("red"), lit("yellow"), every, done("yes"), done("no"))

    def top_rules(self) -> list[Line]:
        """The rules with most open tickets that have a light to fear."""
        counted: Counter[str] = Counter()
        for o in self.still:
            if o.level != "H":
                counted[o.rule] += o.number
        titles = {rule.id: rule.title for rule in rules().rules}
        return [self.line(rule, titles.get(rule, rule), rule=rule) for rule, _ in counted.most_common(TOP)]


def _picks(by: Mapping[str, str]) -> Callable[[Any], bool]:
    def holds(row: Any) -> bool:
        return all(
            (dimension(row.rule) if name == "dimension" else getattr(row, name)) == value for name, value in by.items()
        )

    return holds


def _lamps(seen: View, nodes: Iterable[Node]) -> dict[str, int]:
    """Units by lamp, each by its own problems."""
    return dict(Counter(seen.tree.own_count(node.id).lamp for node in nodes))


def _regions(seen: View, still: Sequence[_Open], base: TicketFilter) -> list[Region]:
    """Each district in sight: units by lamp, tickets by light and by group of rules."""
    of_district: dict[str, list[Node]] = {}
    for node in seen.units():
        if not base.district or node.district == base.district:
            of_district.setdefault(node.district, []).append(node)
    lit: Counter[tuple[str, str]] = Counter()
    for o in still:
        lit[o.district, o.light] += o.number
        lit[o.district, f"group {o.rule[:1]}"] += o.number

    def figure(code: str, what: str, **query: str) -> Figure:
        return Figure(lit[code, what], {"district": code, **query})

    return [
        Region(
            code,
            region_title(code),
            len(nodes),
            _lamps(seen, nodes),
            figure(code, "red", light="red"),
            figure(code, "yellow", light="yellow"),
            {group: figure(code, f"group {group}", group=group) for group in rules().groups},
        )
        for code, nodes in sorted(of_district.items())
    ]


def _grid(seen: View, district: str) -> list[Square]:
    """Topmost units of a district with everything visible below them, worst first; all districts together would be no picture."""
    roots = [node for node in seen.roots() if not district or node.district == district]
    if not district and len({node.district for node in roots}) > 1:
        return []
    squares = []
    for node in roots if len(roots) > 1 else [*roots, *(child for root in roots for child in seen.children(root.id))]:
        below = [unit for unit in seen.tree.below(node.id) if seen.sees(unit)]
        squares.append(Square(node, seen.tree.sum(below), len(below)))
    return sorted(squares, key=lambda s: (-s.problems.red, -s.problems.yellow, s.node.code))


def _trend(
    session: Session, actor: Actor, base: TicketFilter, since: date, today: date, fixed: Sequence[_Fixed]
) -> list[Day]:
    """Day by day: found for the first time, put right, turned red."""
    found = replace(base, state="all", found_from=since)
    opened = {row[0]: row[1] for row in session.execute(_grouped(actor, found, Ticket.first_found_on))}
    red = {row[0]: row[1] for row in session.execute(_reds(actor, base, since))}
    resolved: Counter[date] = Counter()
    for f in fixed:
        resolved[f.on] += f.number

    def figure(number: int | None, day: date, name: str) -> Figure:
        return Figure(number or 0, _query(base, state="all", **{f"{name}_from": day, f"{name}_to": day}))

    days = (since + timedelta(days=n) for n in range((today - since).days + 1))
    return [
        Day(d, figure(opened.get(d), d, "found"), figure(resolved[d], d, "resolved"), figure(red.get(d), d, "red"))
        for d in days
    ]


def _reds(actor: Actor, base: TicketFilter, since: date) -> Any:
    wanted = replace(base, state="all")
    statement = select(NegativeEntry.entered_on, func.count(func.distinct(Ticket.id))).select_from(NegativeEntry)
    statement = statement.join(Ticket, Ticket.id == NegativeEntry.ticket_id).outerjoin(Case, Case.id == Ticket.case_id)
    statement = statement.join(TABLES["unit"], UNIT.id == Ticket.unit_id)
    return statement.where(*wanted.where(actor), NegativeEntry.entered_on >= since).group_by(NegativeEntry.entered_on)
