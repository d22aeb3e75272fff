"""Errors in the ledger: rules Z01–Z07, Z10, T19, T20."""

from __future__ import annotations

from datetime import timedelta

from workflow.demo.bundle import Record
from workflow.demo.errors.mechanism import Error, Site, Truth, living_unit, one, truth
from workflow.demo.errors.quotas import balances, enter


def _other_year(_site: Site, row: Record) -> Record:
    year = row["doc_date"].year
    return {"doc_no": row["doc_no"].replace(f"〔{year}〕", f"〔{year - 1}〕")}


def _last(site: Site, row: Record) -> bool:
    """The newest row of its quota type."""
    same = [r for r in site.all("ledger") if r.get("quota_type") == row.get("quota_type")]
    return bool(
        living_unit(site, row)
        and row.get("quota_type")
        and max(same, key=lambda r: (r["doc_date"], r["ledger_no"])) is row
    )


def _twice(site: Site) -> list[Truth] | None:
    """One approval booked as two: the sum is right, the number stands twice."""
    row = site.pick("ledger", lambda s, r: living_unit(s, r) and r["change_kind"] == "核定" and r["delta_plus"] > 2)
    if row is None:
        return None
    whole = row["delta_plus"]
    second = dict(row) | {
        "ledger_no": f"{row['ledger_no']}B",
        "balance_before": row["balance_before"] + whole - 1,
        "delta_plus": 1,
    }
    second["doc_file"] = f"{row['ledger_no']}B.pdf"
    site.set("ledger", row, delta_plus=whole - 1, balance_after=row["balance_before"] + whole - 1)
    site.add("ledger", second)
    return [truth("Z03", "ledger", row), truth("Z03", "ledger", second)]


def _nothing_moved(site: Site) -> list[Truth] | None:
    if site.unit["status"] != "正常":
        return None
    return [truth("Z05", "ledger", enter(site, "增编", next(iter(balances(site)))))]


def _below_zero(site: Site) -> list[Truth] | None:
    if site.unit["status"] != "正常":
        return None
    quota, total = next(iter(balances(site).items()))
    below = enter(site, "减编", quota, minus=total + 2)
    above = enter(site, "增编", quota, plus=total + 2)
    return [truth("Z06", "ledger", below), truth("F10", "ledger", above)]


def _planned_too_much(site: Site) -> list[Truth] | None:
    row = site.pick("ledger", lambda s, r: bool(r.get("plan_approved_quota")))
    if row is None:
        return None
    site.set("ledger", row, plan_approved_quota=500)
    return [truth("Z07", "unit", site.unit)]


BOOKS: tuple[Error, ...] = (
    one("Z01", "ledger", living_unit, lambda s, r: {"doc_file": None}),
    one("Z02", "ledger", living_unit, lambda s, r: {"entered_on": r["entered_on"] + timedelta(days=25)} if r["doc_date"].year < s.on.year else None),
    Error("Z03 ledger", _twice, touches=("quota",)),
    one("Z04", "ledger", living_unit, _other_year),
    Error("Z05 ledger", _nothing_moved, touches=("quota",)),
    Error("Z06 ledger", _below_zero, touches=("quota",)),
    Error("Z07 unit", _planned_too_much, touches=("quota",), rare=True),
    one("Z10", "ledger", living_unit, lambda s, r: {"entered_by": None}),
    one("T19", "ledger", living_unit, lambda s, r: {"effective_date": r["doc_date"] - timedelta(days=40)}),
    one("T20", "ledger", _last, lambda s, r: {"balance_after": r["balance_after"] + 1}, touches=("quota",)),
)  # fmt: skip
