"""How cost grows with the city: the benches' rows at several sizes, drawn on logarithmic axes. A line no steeper than the dotted one is linear."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from html import escape

from tests.bench.report import Row

SERIES = (  # what is drawn → rows whose work it takes; the first number in a row's work is its size
    ("全量检查", re.compile(r"^全量检查 ([\d,]+) 人(?!.*内存)")),
    ("增量检查（改动 0.3%）", re.compile(r"^增量检查 ([\d,]+) 人.*改动")),
    ("导入 xlsx", re.compile(r"^导入 ([\d,]+) 人 × \d+ 列 xlsx$")),
    ("导入全市 csv", re.compile(r"^导入 ([\d,]+) 人的城市")),
    ("发现对工单", re.compile(r"^([\d,]+) 条发现")),
    ("一夜变黄", re.compile(r"^([\d,]+) 张工单一夜")),
    ("定时器到期", re.compile(r"^([\d,]+) 个定时")),
    ("页面 p95", re.compile(r"^页面 ([\d,]+) 人")),
)
COLOURS = ("#1d4e6f", "#2f8f5b", "#b3541e", "#7a4b9a", "#a3323a", "#6b6b2f", "#c2883a", "#46606b")
SECONDS = {"s": 1.0, "ms": 0.001}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 860, 420, 70, 50, 20, 250
Point = tuple[float, float]


def draw(rows: list[Row]) -> str:
    """The SVG: size against seconds."""
    lines = _lines(rows)
    if not lines:
        return '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'
    sizes = [size for points in lines.values() for size, _ in points]
    times = [seconds for points in lines.values() for _, seconds in points]
    frame = _Frame(min(sizes), max(sizes), min(times), max(times))
    parts = [frame.axes(), frame.linear()]
    names = list(dict.fromkeys(name for name, _ in lines))
    for place, ((name, engine), points) in enumerate(lines.items()):
        parts.append(frame.line(points, COLOURS[names.index(name) % len(COLOURS)], engine == "PostgreSQL"))
        parts.append(
            frame.legend(place, f"{name} {engine}", COLOURS[names.index(name) % len(COLOURS)], engine == "PostgreSQL")
        )
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {style}><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def _lines(rows: list[Row]) -> dict[tuple[str, str], list[Point]]:
    found: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for name, pattern in SERIES:
        for row in rows:
            if row.unit in SECONDS and (size := pattern.match(row.work)):
                found[name, row.engine].append((float(size[1].replace(",", "")), row.value * SECONDS[row.unit]))
    return {key: sorted(points) for key, points in found.items() if len(points) > 1}


class _Frame:
    """Logarithmic axes and what is drawn between them."""

    def __init__(self, x0: float, x1: float, y0: float, y1: float) -> None:
        self.x0, self.x1 = math.floor(math.log10(x0)), math.ceil(math.log10(x1))
        self.y0, self.y1 = math.floor(math.log10(y0)), math.ceil(math.log10(y1))

    def at(self, size: float, seconds: float) -> Point:
        """Where a point lies on the sheet."""
        across = (math.log10(size) - self.x0) / (self.x1 - self.x0)
        up = (math.log10(seconds) - self.y0) / (self.y1 - self.y0)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    def axes(self) -> str:
        """Grid lines at the powers of ten, with their figures."""
        parts = []
        for power in range(self.x0, self.x1 + 1):
            x, y = self.at(10**power, 10**self.y0)
            parts.append(f'<path d="M{x:.0f} {y:.0f}V{TOP}" stroke="#ddd"/>')
            parts.append(f'<text x="{x:.0f}" y="{y + 18:.0f}" text-anchor="middle">{10**power:,}</text>')
        for power in range(self.y0, self.y1 + 1):
            x, y = self.at(10**self.x0, 10**power)
            parts.append(f'<path d="M{x:.0f} {y:.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
            parts.append(f'<text x="{x - 6:.0f}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g} s</text>')
        return "".join(parts)

    def linear(self) -> str:
        """A dotted line of slope one, to hold the others against."""
        rise = min(self.x1 - self.x0, self.y1 - self.y0)
        (x0, y0), (x1, y1) = self.at(10**self.x0, 10**self.y0), self.at(10 ** (self.x0 + rise), 10 ** (self.y0 + rise))
        return f'<path d="M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}" stroke="#999" stroke-dasharray="2 4"/>'

    def line(self, points: list[Point], colour: str, dashed: bool) -> str:
        """One series."""
        places = [self.at(*point) for point in points]
        path = "L".join(f"{x:.0f} {y:.0f}" for x, y in places)
        dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in places)
        dash = ' stroke-dasharray="6 3"' if dashed else ""
        return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>{dots}'

    def legend(self, place: int, text: str, colour: str, dashed: bool) -> str:
        """The name of a series, at the right."""
        x, y = WIDTH - RIGHT + 20, TOP + 12 + place * 20
        dash = ' stroke-dasharray="6 3"' if dashed else ""
        line = f'<path d="M{x} {y - 4}h24" stroke="{colour}" stroke-width="2"{dash}/>'
        return f'{line}<text x="{x + 30}" y="{y}">{escape(text)}</text>'
