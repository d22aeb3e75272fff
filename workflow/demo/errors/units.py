"""Errors in the unit's own record: rules O03–O16, Q07, Q08, M03."""

from __future__ import annotations

from typing import Any

from workflow.demo.bundle import Record
from workflow.demo.errors.mechanism import Error, Site, Truth, living_unit, one, truth
from workflow.demo.kinds import CITY, REGIONS
from workflow.demo.numbers import credit_code


def institution(site: Site, unit: Record) -> bool:
    return bool(living_unit(site, unit) and unit["org_nature"] == "事业单位")


def _code(site: Site, prefix: str, region: str) -> Record:
    return {"uscc": credit_code(prefix, region, 50_000 + site.bundle.planned.nth)}


def _wrong_check(_site: Site, unit: Record) -> Record:
    last = unit["uscc"][17]
    return {"uscc": unit["uscc"][:17] + ("1" if last != "1" else "2")}


def _other_fund(_site: Site, unit: Record) -> Record | None:
    other = {"公益一类": "财政适当补助", "公益二类": "财政全额补助"}.get(unit["org_category"])
    return {"fund_form": other} if other else None


def _founding(site: Site) -> Record | None:
    """The founding row of a running unit, if it and the unit are still whole."""
    row = next((r for r in site.all("ledger") if r["change_kind"] == "设立"), None)
    whole = row is not None and id(row) not in site.used and id(site.unit) not in site.used
    return row if whole and site.unit["status"] == "正常" else None


def _other_name(site: Site) -> list[Truth] | None:
    return _rewrite(site, "O03", name_after=f"{site.unit['name']}（筹）")


def _other_level(site: Site) -> list[Truth] | None:
    return _rewrite(site, "Z09", level_after="副科级")


def _rewrite(site: Site, rule: str, **values: Any) -> list[Truth] | None:
    row = _founding(site)
    if row is None:
        return None
    site.set("ledger", row, **values)
    site.used.add(id(site.unit))
    return [truth(rule, "unit", site.unit)]


def _as_high_as_its_parent(site: Site) -> list[Truth] | None:
    row = _founding(site)
    if row is None or not institution(site, site.unit):
        return None
    level = "正局级" if site.bundle.planned.city else "正处级"
    site.set("ledger", row, level_after=level)
    site.set("unit", site.unit, org_level=level, level_equivalent=False)
    return [truth("O09", "unit", site.unit)]


def _orphaned(site: Site, unit: Record) -> Record | None:
    fits = site.carried.revoked and unit["level_equivalent"] and not site.bundle.planned.city
    return {"parent": site.carried.revoked[0]} if fits else None


def _other_district(site: Site, unit: Record) -> Record:
    return {"annual_report_district": REGIONS["330282" if site.bundle.planned.region != "330282" else "330281"]}


UNITS: tuple[Error, ...] = (
    Error("O03 unit", _other_name),
    Error("Z09 unit", _other_level),
    Error("O09 unit", _as_high_as_its_parent),
    one("O04", "unit", living_unit, _wrong_check, weight=2),
    one("O05", "unit", living_unit, lambda s, u: _code(s, "19", s.bundle.planned.region)),
    one("O06", "unit", living_unit, lambda s, u: _code(s, u["uscc"][:2], "330100")),
    one("O08", "unit", institution, _orphaned, rare=True),
    one("O11", "unit", living_unit, lambda s, u: {"inner_org_count_approved": u["inner_org_count_approved"] - 1}),
    one("O14", "unit", living_unit, lambda s, u: {"main_duties": "承担有关工作。"}, weight=2),
    one("O15", "unit", lambda s, u: s.bundle.planned.kind.town, lambda s, u: {"admin_tier": "区县级"}, rare=True),
    one("O16", "unit", lambda s, u: living_unit(s, u) and s.bundle.planned.region != CITY, _other_district),
    one("Q07", "unit", lambda s, u: bool(u["cg_flag"]), lambda s, u: {"cg_doc_no": None}, rare=True),
    one("Q08", "unit", institution, _other_fund),
    one("M03", "unit", lambda s, u: bool(u.get("leader_total_approved")), lambda s, u: {"leader_total_approved": u["leader_total_approved"] + 1}, touches=("leaders",)),
)  # fmt: skip
