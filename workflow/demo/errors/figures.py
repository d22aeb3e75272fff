"""Errors in school and hospital figures: rules X01–X08, M03, Q19, F09, T07."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from workflow.demo.bundle import Record
from workflow.demo.errors.mechanism import Error, Site, Truth, any_record, one, truth


def latest(site: Site, row: Record) -> bool:
    """The row of the last semester."""
    return bool(row["snapshot_date"] == max(r["snapshot_date"] for r in site.all("school")))


def well_staffed(site: Site, row: Record) -> bool:
    """The row of the last semester where three more staff stay near the standard, so that no hint (X04) comes along."""
    return latest(site, row) and bool(row["staff_total"] >= 24)


def earlier(site: Site, row: Record) -> bool:
    """The row of a semester before the last."""
    return not latest(site, row)


def _unreported(site: Site) -> list[Truth] | None:
    rows = list(site.all("school"))
    if not rows:
        return None
    for row in rows:
        site.drop("school", row)
    return [truth("X01", "unit", site.unit)]


def _next_semester(_site: Site, row: Record) -> Record:
    """The row as if it were of the semester to come."""
    year = row["snapshot_date"].year
    if row["semester"] == "第一学期":
        return {"semester": "第二学期", "snapshot_date": date(year + 1, 3, 10)}
    return {"semester": "第一学期", "school_year": year, "snapshot_date": date(year, 9, 10)}


SCHOOL: dict[str, Any] = {"rare": True, "touches": ("school",)}
FIGURES: tuple[Error, ...] = (
    Error("X01 unit", _unreported, rare=True, touches=("school",)),
    one("X02", "school", any_record, lambda s, r: {"class_count": r["class_count"] * 4}, **SCHOOL),
    one("X03", "school", well_staffed, lambda s, r: {"staff_total": r["staff_total"] + 3}, **SCHOOL),
    one("X05", "school", earlier, lambda s, r: {"stage": "初中"} if s.bundle.planned.kind_name == "primary" else None, **SCHOOL),
    one("X06", "hospital", lambda s, r: r["hospital_type"] == "综合医院", lambda s, r: {"bed_actual": r["bed_approved"] * 2}, rare=True),
    one("X08", "school", earlier, lambda s, r: {"snapshot_date": r["snapshot_date"] - timedelta(days=70)}, **SCHOOL),
    one("X08", "hospital", any_record, lambda s, r: {"snapshot_date": r["snapshot_date"] - timedelta(days=1)}, rare=True),
    one("M03", "school", earlier, lambda s, r: {"boarders": r["students"] + 10}, **SCHOOL),
    one("M03", "hospital", any_record, lambda s, r: {"staff_ext": r["staff_ext"] + 3}, rare=True),
    one("Q19", "school", latest, lambda s, r: {"approved_quota": r["approved_quota"] + 2}, **SCHOOL),
    one("F09", "school", earlier, lambda s, r: {"snapshot_date": date(1850, r["snapshot_date"].month, 10)}, also=("X08",), **SCHOOL),
    one("F09", "hospital", any_record, lambda s, r: {"snapshot_date": date(1850, 12, 31)}, also=("X08",), rare=True),
    one("T07", "school", latest, _next_semester, **SCHOOL),
    one("T07", "hospital", any_record, lambda s, r: {"snapshot_date": date(s.on.year + 1, 12, 31), "year": s.on.year + 1}, rare=True),
)  # fmt: skip
