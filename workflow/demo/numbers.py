"""Numbers of the invented city: ID numbers under 330200, which is issued to nobody; credit codes that begin DEM; documents; days."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from random import Random

from workflow.errors import BadInput
from workflow.registry.identity import id_check, organisation_check, uscc_check

ID_REGION = "330200"  # the city's own code: people are registered under their district's
DOCUMENT_WORDS = {
    "330200": "甬", "330203": "海", "330205": "江北", "330206": "仑", "330211": "镇", "330212": "鄞",
    "330213": "奉", "330225": "象", "330226": "宁", "330281": "余", "330282": "慈",
}  # fmt: skip


class IdNumbers:
    """Hands out ID numbers with right check digits; no number twice."""

    def __init__(self, region: str = ID_REGION) -> None:
        self.region = region
        self._used: defaultdict[tuple[int, bool], int] = defaultdict(int)

    def take(self, birth: date, woman: bool) -> str:
        """The next number of that birth date and sex; 500 of each exist."""
        key = (birth.toordinal(), woman)
        nth = self._used[key]
        if nth >= 500:
            raise BadInput(f"{birth} 出生的身份证顺序码已用完")
        self._used[key] = nth + 1
        return id_number(birth, nth * 2 + (0 if woman else 1), self.region)


def id_number(birth: date, order: int, region: str = ID_REGION) -> str:
    """An 18-place number (GB 11643-1999)."""
    first17 = f"{region}{birth:%Y%m%d}{order:03d}"
    return first17 + id_check(first17)


def credit_code(prefix: str, region: str, nth: int) -> str:
    """An 18-place unified social credit code (GB 32100-2015); its organisation code begins with DEM."""
    organisation = f"DEM{nth:05d}" if nth < 100_000 else f"DEN{nth - 100_000:05d}"
    first17 = prefix + region + organisation + organisation_check(organisation)
    return first17 + uscc_check(first17)


def document_no(region: str, kind: str, day: date, nth: int) -> str:
    """A document number: 甬编〔2019〕12号."""
    return f"{DOCUMENT_WORDS[region]}{kind}〔{day.year}〕{nth}号"


def between(rng: Random, first: date, last: date) -> date:
    """A day in that span, both ends included; the first where the span is empty."""
    span = last.toordinal() - first.toordinal()
    return first if span <= 0 else date.fromordinal(first.toordinal() + int(rng.random() * (span + 1)))


def weekday(day: date) -> date:
    """That day, or the Monday after a weekend."""
    return day + timedelta(days=7 - day.weekday()) if day.weekday() >= 5 else day


def years(day: date, n: int) -> date:
    """The same day n years later (or earlier); 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year + n)
    except ValueError:
        return day.replace(year=day.year + n, day=28)
