"""Holds on a unit drawn as SVG on the server: overlapping ones as one band with the governing end, each decision as a thin line below. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from workflow.casework.holds import Band, Span, bands

WIDE, EDGE, BAND, LINE = 560, 8, 16, 9  # pixels: drawing, margin, height of a band, distance of lines


def drawn_bands(spans: Sequence[Span], today: date) -> Markup:
    """The drawing; empty where the unit was never bound."""
    found = bands(spans)
    if not found:
        return Markup("")
    first, last = min(found[0].from_on, today), max(band.last_on for band in found)
    last = max(last, today)
    days = max(1, (last - first).days + 1)

    def x(day: date) -> float:
        return round(EDGE + (day - first).days / days * (WIDE - 2 * EDGE), 1)

    parts = [_band(band, today, x(band.from_on), x(band.free_on)) for band in found]
    kept = [span for band in found for span in band.spans]
    lines = [
        _line(span, 22 + BAND + LINE * number, x(span.from_on), x(span.last_on)) for number, span in enumerate(kept)
    ]
    high = 22 + BAND + LINE * len(kept) + 6
    now = Markup('<line class="now" x1="{0}" x2="{0}" y1="2" y2="{1}"></line>').format(x(today), high - 2)
    head = Markup('<svg class="holds" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">')
    says = "；".join(f"{band.from_on} 至 {band.last_on} 暂停办理" for band in found)
    return head.format(WIDE, high, says) + Markup("").join([*parts, *lines, now]) + Markup("</svg>")


def _band(band: Band, today: date, left: float, right: float) -> Markup:
    kind = "present" if band.from_on <= today <= band.last_on else "past" if band.last_on < today else "later"
    shape = '<rect class="band {}" x="{}" y="18" width="{}" height="{}" rx="3"></rect>'
    anchor, at = ("end", right) if right > WIDE / 2 else ("start", left)
    label = '<text class="end" x="{}" y="13" text-anchor="{}">{} 至 {}</text>'
    return Markup(shape).format(kind, left, max(2.0, right - left), BAND) + Markup(label).format(
        at, anchor, band.from_on, band.last_on
    )


def _line(span: Span, y: float, left: float, right: float) -> Markup:
    shape = '<line class="one" x1="{}" x2="{}" y1="{}" y2="{}"><title>{}</title></line>'
    says = f"{span.from_on} 起至 {span.until_on}" + (f"，{span.lifted_on} 解除" if span.lifted_on else "")
    return Markup(shape).format(left, max(left + 2, right), y, y, says)
