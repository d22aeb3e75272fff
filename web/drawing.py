"""A process drawn as SVG on the server, like a wiring plan: the main way on top, the other states below, one track an action. Pure; no script, no style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from web.route import AUTOMATIC, main_way
from workflow.engine.definition import Definition, State, Step

WIDE, HIGH, GAP = 118, 42, 82  # a state's box at least, and the gap between boxes
EDGE, TRACK = 22, 23  # margin, height of a track
LETTER, LARGE = 12.5, 14  # width of a Chinese letter on a wire and in a box
TOP, BOTTOM = 0, 1


@dataclass(frozen=True)
class Wire:
    """One action on one track: from these states to that one, through the space above, between or below the rows."""

    step: Step
    sources: tuple[str, ...]
    target: str
    space: str  # up | mid | low


@dataclass(frozen=True)
class Plan:
    """Where everything lies: states by row and column, wires by space."""

    main: list[str]
    others: list[str]
    wires: list[Wire]
    wide: int

    def tracks(self, space: str) -> list[Wire]:
        """The wires of a space, one track each."""
        return [wire for wire in self.wires if wire.space == space]

    def height(self, space: str) -> float:
        """The height of a space in pixels."""
        count = len(self.tracks(space))
        return EDGE + count * TRACK + (TRACK if space == "mid" and self.others else 0)

    @property
    def row_tops(self) -> tuple[float, float]:
        """The top of the upper and the lower row."""
        upper = self.height("up")
        return upper, upper + HIGH + self.height("mid")

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the whole."""
        columns = max(len(self.main), len(self.others))
        bottom = self.row_tops[BOTTOM] + HIGH if self.others else self.row_tops[TOP] + HIGH
        return 2 * EDGE + columns * self.wide + (columns - 1) * GAP, bottom + self.height("low")

    def spot(self, state: str) -> tuple[float, float]:
        """The upper left corner of a state's box."""
        row = self.main if state in self.main else self.others
        shift = (max(len(self.main), len(self.others)) - len(row)) * (self.wide + GAP) / 2 if row is self.others else 0
        return EDGE + shift + row.index(state) * (self.wide + GAP), self.row_tops[TOP if row is self.main else BOTTOM]


def drawn(
    definition: Definition,
    position: str | None = None,
    passed: Collection[str] = (),
    blocked: Collection[str] = (),
) -> Markup:
    """The SVG of a process; `position` is the state in which a case stands, `passed` where it was, `blocked` the actions refused now."""
    plan = _plan(definition)
    width, height = (round(value) for value in plan.size)
    head = Markup(
        '<svg class="process" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L10 5L0 10z" class="tip"></path></marker></defs>'
    ).format(width, height, width, height, _told(definition, position))
    boxes = (
        _state(state, plan.spot(state.name), plan.wide, state.name == position, state.name in passed)
        for state in definition.states.values()
    )
    return (
        head
        + Markup("").join([*_straight(definition, plan, blocked), *_wired(plan, blocked), *boxes])
        + Markup("</svg>")
    )


def _told(definition: Definition, position: str | None) -> str:
    titles = {name: state.title for name, state in definition.states.items()}
    here = f"，当前在“{titles[position]}”" if position in titles else ""
    ways = (
        f"{'、'.join(titles[s] for s in step.sources)}经“{step.title}”到{titles[step.to]}" for step in definition.steps
    )
    return f"“{definition.title}”流程图{here}：" + "；".join(ways)


def _plan(definition: Definition) -> Plan:
    main = main_way(definition)
    others = [name for name in definition.states if name not in main]
    longest = max(len(state.title) for state in definition.states.values())
    return Plan(main, others, list(_wires(definition, main)), max(WIDE, (longest + 2) * LARGE))


def _wires(definition: Definition, main: list[str]) -> Iterator[Wire]:
    for step in definition.steps:
        above = step.to in main
        rest = [s for s in step.sources if not _next_on(main, s, step.to)]
        same = tuple(s for s in rest if (s in main) == above)
        across = tuple(s for s in rest if (s in main) != above)
        if across:
            yield Wire(step, across, step.to, "mid")
        if same:
            yield Wire(step, same, step.to, "up" if above else "low")


def _next_on(main: list[str], source: str, target: str) -> bool:
    return source in main and target in main and main.index(target) == main.index(source) + 1


def _straight(definition: Definition, plan: Plan, blocked: Collection[str]) -> Iterator[Markup]:
    """The arrows along the main way."""
    for source, target in zip(plan.main, plan.main[1:], strict=False):
        steps = [s for s in definition.steps if s.to == target and source in s.sources]
        x, y = plan.spot(source)
        start, end, middle = x + plan.wide, x + plan.wide + GAP - 2, y + HIGH / 2
        yield _path(f"M{start:.0f} {middle:.0f}H{end:.0f}", all(set(s.by) <= AUTOMATIC for s in steps))
        stopped = bool(steps) and all(s.do in blocked for s in steps)
        yield _label("／".join(s.title for s in steps), (start + end) / 2, middle - 11, stopped)


def _wired(plan: Plan, blocked: Collection[str]) -> Iterator[Markup]:
    """Each wire: down (or up) from its sources to its track, along, and on to the target."""
    ends = Counter((state, wire.space) for wire in plan.wires for state in (*wire.sources, wire.target))
    used: Counter[tuple[str, str]] = Counter()

    def port(state: str, space: str) -> float:
        used[state, space] += 1
        return plan.spot(state)[0] + plan.wide * used[state, space] / (ends[state, space] + 1)

    for space in ("up", "mid", "low"):
        for number, wire in enumerate(plan.tracks(space)):
            level = _level(plan, space, number)
            goal = port(wire.target, space)
            starts = sorted(port(source, space) for source in wire.sources)
            yield _wire(plan, wire, level, starts, goal, wire.step.do in blocked)


def _level(plan: Plan, space: str, number: int) -> float:
    upper, lower = plan.row_tops
    if space == "up":
        return upper - (number + 1) * TRACK
    if space == "mid":
        return upper + HIGH + (number + 1) * TRACK
    return lower + HIGH + (number + 1) * TRACK


def _wire(plan: Plan, wire: Wire, level: float, starts: list[float], goal: float, stopped: bool) -> Markup:
    side = {state: _side(plan, state, level) for state in (*wire.sources, wire.target)}
    from_y = side[wire.sources[0]]
    to_y = side[wire.target] + (-2 if side[wire.target] > level else 2)
    automatic = set(wire.step.by) <= AUTOMATIC
    far = max(starts, key=lambda x: abs(x - goal))
    parts = [_path(f"M{far:.0f} {from_y:.0f}V{level:.0f}H{goal:.0f}V{to_y:.0f}", automatic)]
    parts += [_path(f"M{x:.0f} {from_y:.0f}V{level:.0f}", automatic, tip=False) for x in starts if x != far]
    outer = min(starts), max(starts)
    if not outer[0] <= goal <= outer[1] or len(starts) == 1:
        near = min(starts, key=lambda x: abs(x - goal))
        parts.append(_label(wire.step.title, (near + goal) / 2, level, stopped))
    else:
        near = outer[0] if far == outer[1] else outer[1]
        parts.append(_path(f"M{near:.0f} {level:.0f}H{goal:.0f}", automatic, tip=False))
        parts.append(_label(wire.step.title, (far + goal) / 2, level, stopped))
    return Markup("").join(parts)


def _side(plan: Plan, state: str, level: float) -> float:
    """The edge of the box that faces a track."""
    y = plan.spot(state)[1]
    return y if level < y else y + HIGH


def _path(way: str, automatic: bool, *, tip: bool = True) -> Markup:
    kind = "way way-auto" if automatic else "way"
    end = Markup(' marker-end="url(#tip)"') if tip else Markup("")
    return Markup('<path d="{}" class="{}"{}></path>').format(way, kind, end)


def _label(title: str, x: float, y: float, stopped: bool = False) -> Markup:
    title = f"⊘ {title}" if stopped else title
    wide = len(title) * LETTER + 6
    return Markup(
        '<rect x="{:.0f}" y="{:.0f}" width="{:.0f}" height="15" rx="3" class="paper"></rect>'
        '<text x="{:.0f}" y="{:.0f}" class="{}">{}</text>'
    ).format(x - wide / 2, y - 8, wide, x, y + 4, "do do-stopped" if stopped else "do", title)


def _state(state: State, spot: tuple[float, float], wide: int, here: bool, passed: bool) -> Markup:
    names = f"state state-{state.light}" + (" state-final" if state.final else "") + (" state-here" if here else "")
    names += " state-passed" if passed and not here else ""
    x, y = spot
    title = f"● {state.title}" if here else f"✓ {state.title}" if passed else state.title
    return Markup(
        '<g class="{}"><rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" rx="8"></rect>'
        '<text x="{:.0f}" y="{:.0f}">{}</text></g>'
    ).format(names, x, y, wide, HIGH, x + wide / 2, y + HIGH / 2 + 5, title)
