"""Errors in the use of quotas: rules Q01–Q07, Q09, Q16, Q17, Q20, O01, O10. What a person may not use is approved first, so that only the misuse fails."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from workflow.demo.bundle import Record
from workflow.demo.errors.mechanism import Error, Fits, Site, Truth, one, plain, staff, truth
from workflow.demo.numbers import document_no, weekday

OCCUPYING = "在编"


def balances(site: Site) -> Counter[str]:
    """Quota type → quota by the ledger."""
    counted: Counter[str] = Counter()
    for row in site.all("ledger"):
        if row.get("quota_type"):
            counted[row["quota_type"]] += row["delta_plus"] - row["delta_minus"]
    return counted


def used(site: Site) -> Counter[str]:
    """Quota type → people in post."""
    return Counter(p["quota_type"] for p in site.bundle.living())


def enter(site: Site, change: str, quota: str, plus: int = 0, minus: int = 0, **more: object) -> Record:
    """A further ledger row of the last weeks, in order with the rows before it."""
    planned, nth = site.bundle.planned, 900 + len(site.all("ledger"))
    day = weekday(site.on - timedelta(days=20))
    before = balances(site)[quota]
    model = site.all("ledger")[0]
    row = {name: model[name] for name in ("unit", "status", "doc_org", "doc_kind", "entered_by", "remark")}
    row |= {
        "ledger_no": f"T{planned.code}-{nth:03d}", "ledger_type": "编制", "change_kind": change, "effective_date": day,
        "abstract": f"{change}{quota}", "quota_type": quota, "fund_type": site.unit["fund_form"], "balance_before": before,
        "delta_plus": plus, "delta_minus": minus, "balance_after": before + plus - minus, "doc_title": f"关于{change}的批复",
        "doc_no": document_no(planned.region, "编办", day, nth), "doc_date": day, "doc_file": f"{planned.code}-{nth}.pdf",
        "entered_on": day + timedelta(days=1),
    }  # fmt: skip
    return site.add("ledger", row | more)


def misuse(rule: str, quota: str, fits: Fits, **more: object) -> Error:
    """A person on a quota of the wrong kind, which the unit has been given."""

    def act(site: Site) -> list[Truth] | None:
        person = site.pick("person", fits) if site.unit["status"] == "正常" else None
        if person is None:
            return None
        enter(site, "核定", quota, plus=1)
        _follow_school(site)
        site.set("person", person, quota_type=quota)
        return [truth(rule, "person", person)]

    return Error(f"{rule} person", act, touches=("quota", "school"), **more)  # type: ignore[arg-type]


def _follow_school(site: Site) -> None:
    """A school reports the quota that its ledger shows (Q19)."""
    for row in site.all("school"):
        site.set("school", row, approved_quota=sum(balances(site).values()))


def _of(nature: str) -> Fits:
    return lambda site, person: plain(site, person) and site.unit["org_nature"] == nature and not site.unit["cg_flag"]


def _over_one_type(site: Site) -> list[Truth] | None:
    quota, held = balances(site), used(site)
    for person in site.bundle.living():
        for given in quota:
            fits = {person["quota_type"], given} == {"差额事业编制", "报备员额"} or (person["quota_type"], given) == (
                "机关工勤编制",
                "行政编制",
            )
            if fits and quota[given] == held[given] and id(person) not in site.used and plain(site, person):
                site.set("person", person, quota_type=given)
                return [truth("Q01", "unit", site.unit)]
    return None


def _over_in_all(site: Site) -> list[Truth] | None:
    quota, held = balances(site), used(site)
    planned = any(row.get("plan_approved_quota") for row in site.all("ledger"))
    if len(quota) != 1 or planned or site.all("school") or site.unit["status"] != "正常":
        return None
    name = next(iter(quota))
    if held[name] < 2:
        return None
    enter(site, "减编", name, minus=quota[name] - held[name] + 1)
    return [truth(rule, "unit", site.unit) for rule in ("Q01", "Q02", "M03")]


def _without_quota(site: Site) -> list[Truth] | None:
    person = site.pick("person", plain)
    if person is None or site.unit["status"] != "正常":
        return None
    site.set("person", person, quota_type="其他编制")
    return [truth("Q04", "unit", site.unit)]


def _special(rule: str, flag: str) -> Error:
    def act(site: Site) -> list[Truth] | None:
        if site.unit["status"] != "正常" or site.all("school"):
            return None
        quota = next(iter(balances(site)))
        enter(site, "核定", quota, plus=1, special_flag=flag, special_expires_on=site.on - timedelta(days=10))
        return [truth(rule, "unit", site.unit)]

    return Error(f"{rule} unit", act, touches=("quota",))


def _below_base(site: Site) -> list[Truth] | None:
    total = sum(n for name, n in balances(site).items() if "事业编制" in name)
    if not total or site.unit["status"] != "正常" or id(site.unit) in site.used:
        return None
    site.set("unit", site.unit, locked_base=total - 1)
    return [truth("Q20", "unit", site.unit)]


def _never_founded(site: Site) -> list[Truth] | None:
    rows = [r for r in site.all("ledger") if r["change_kind"] in ("设立", "核定")]
    if site.unit["status"] != "正常" or any(id(r) in site.used for r in rows):
        return None
    for row in rows:
        site.set("ledger", row, change_kind="其他" if row["change_kind"] == "设立" else "增编")
    return [truth("O01", "unit", site.unit)]


def _still_has_quota(site: Site) -> list[Truth] | None:
    if site.unit["status"] != "撤销":
        return None
    row = next(r for r in site.all("ledger") if r["change_kind"] == "减编")
    site.drop("ledger", row)
    return [truth("O10", "unit", site.unit)]


QUOTAS: tuple[Error, ...] = (
    Error("Q01 unit", _over_one_type, touches=("quota",), rare=True),
    Error("Q02 unit", _over_in_all, touches=("quota", "inner"), weight=2),
    one("Q03", "inner_org", lambda s, o: not o["is_virtual"] and o["approved_staff"] > 0, lambda s, o: {"approved_staff": o["approved_staff"] - 1}, touches=("inner",)),
    Error("Q04 unit", _without_quota, touches=("quota",)),
    misuse("Q05", "全额事业编制", lambda s, p: staff(s, p) and s.unit["org_nature"] in ("政党机关", "国家机关", "政法机关") and not p.get("rank")),
    misuse("Q06", "行政编制", _of("事业单位")),
    misuse("Q07", "参公事业编制", _of("事业单位")),
    misuse("Q09", "公安专项编制", lambda s, p: staff(s, p) and s.bundle.planned.kind_name in ("government", "party", "congress", "street", "town")),
    _special("Q16", "单列"),
    _special("Q17", "周转"),
    Error("Q20 unit", _below_base, touches=("quota",)),
    Error("O01 unit", _never_founded, touches=("quota",)),
    Error("O10 unit", _still_has_quota, touches=("quota",), rare=True),
)  # fmt: skip
