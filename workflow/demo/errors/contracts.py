"""Errors of contract staff: rules P01–P07 and T17, T18 for them, O04, Y01–Y09."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from workflow.demo.bundle import Record
from workflow.demo.errors.forms import working
from workflow.demo.errors.mechanism import Error, Site, Truth, any_record, one, truth
from workflow.demo.errors.people import impossible, renumbered, wrong_check


def dated(site: Site, contract: Record) -> bool:
    """At work under a contract with an end."""
    return working(site, contract) and bool(contract.get("contract_to"))


def _dispatched(site: Site, contract: Record) -> bool:
    return working(site, contract) and bool(contract.get("dispatch_uscc"))


def _over_control(site: Site) -> list[Truth] | None:
    held = Counter(c["category"] for c in site.all("contract") if c["status"] == "在岗")
    quota = site.pick("contract_quota", lambda s, q: held[q["category"]] > 1)
    if quota is None:
        return None
    site.set("contract_quota", quota, n_control=held[quota["category"]] - 1)
    return [truth("Y01", "unit", site.unit)]


def _without_control(site: Site) -> list[Truth] | None:
    contract = site.pick("contract", working)
    if contract is None:
        return None
    site.set("contract", contract, category="其他")
    return [truth("Y02", "unit", site.unit)]


def _too_old(site: Site, contract: Record) -> Record | None:
    birth = date(site.on.year - 68, 4, 1)
    return {"birth_date": birth, "id_no": site.carried.ids.take(birth, contract["sex"] == "女")}


CONTRACTS: tuple[Error, ...] = (
    one("P01", "contract", working, lambda s, c: {"id_no": c["id_no"][:17]}),
    one("P02", "contract", working, lambda s, c: {"id_no": wrong_check(c["id_no"])}),
    one("P03", "contract", working, lambda s, c: {"id_no": impossible(s, c, "0230")}),
    one("P04", "contract", working, lambda s, c: {"birth_date": c["birth_date"] + timedelta(days=1)}),
    one("P06", "contract", working, lambda s, c: {"sex": "男" if c["sex"] == "女" else "女"}),
    one("P07", "contract", working, lambda s, c: {"id_no": renumbered(c["id_no"], region="990000")}),
    one("T17", "contract", dated, lambda s, c: {"first_contract_date": s.on + timedelta(days=200)}),
    one("T18", "contract", dated, lambda s, c: {"contract_from": c["contract_to"] + timedelta(days=5)}),
    one("T18", "contract_quota", any_record, lambda s, q: {"valid_from": q["valid_to"] + timedelta(days=5)}),
    one("O04", "contract", _dispatched, lambda s, c: {"dispatch_uscc": c["dispatch_uscc"][:17] + ("1" if c["dispatch_uscc"][17] != "1" else "2")}),
    Error("Y01 unit", _over_control, touches=("contract",)),
    Error("Y02 unit", _without_control, touches=("contract",)),
    one("Y03", "contract_quota", any_record, lambda s, q: {"valid_to": s.on - timedelta(days=20)} if q["valid_from"] < s.on - timedelta(days=60) and q["n_control"] else None),
    one("Y04", "contract", dated, lambda s, c: {"contract_to": s.on - timedelta(days=4)} if c["contract_from"] < s.on - timedelta(days=60) else None, weight=3),
    one("Y06", "contract", _dispatched, lambda s, c: {"dispatch_company": None}),
    one("Y07", "contract", working, lambda s, c: {"job": "财务出纳"}, weight=2),
    one("Y08", "contract", lambda s, c: working(s, c) and bool(c["is_listed"]), lambda s, c: {"is_listed": False}, rare=True),
    one("Y09", "contract", working, _too_old),
)  # fmt: skip
