"""Errors between two records, of one unit or of two: rules P08–P13, O02, O07."""

from __future__ import annotations

from datetime import timedelta

from workflow.demo.bundle import Record
from workflow.demo.errors.forms import working
from workflow.demo.errors.mechanism import Error, Site, Truth, staff, truth
from workflow.demo.errors.people import left
from workflow.demo.numbers import years

OF_THE_POST = ("person_code", "unit", "inner_org", "quota_type", "wage_source", "post_category")
OF_THE_CONTRACT = ("name", "sex", "id_no", "birth_date")


def _as(site: Site, person: Record, other: Record, **more: object) -> None:
    """Make a person the same human being as another, in the own post."""
    values = {name: other.get(name) for name in {**person, **other} if name not in OF_THE_POST}
    site.set("person", person, **values | {"entry_way": "划转"} | more)


def _pair(site: Site) -> tuple[Record, Record] | None:
    """Two people of the unit on the same kind of post."""
    first = site.pick("person", staff)
    if first is None:
        return None
    alike = ("quota_type", "post_category")
    second = site.pick("person", lambda s, p: p is not first and staff(s, p) and all(p[n] == first[n] for n in alike))
    return (first, second) if second else None


def _same_person_twice(site: Site) -> list[Truth] | None:
    pair = _pair(site)
    if pair is None:
        return None
    first, second = pair
    _as(site, second, first)
    site.used.add(id(first))
    return [truth("P08", "person", first), truth("P08", "person", second)]


def _two_files_of_one(site: Site) -> list[Truth] | None:
    pair = _pair(site)
    if pair is None:
        return None
    first, second = pair
    _as(site, second, first, id_no=site.carried.ids.take(first["birth_date"], first["sex"] == "女"))
    site.used.add(id(first))
    return [truth("P12", "person", first), truth("P12", "person", second)]


def _in_two_units(site: Site) -> list[Truth] | None:
    key = ("person", site.bundle.planned.kind_name)
    other = site.carried.kept.get(key)
    if other is None or other["unit"] == site.unit["unit_code"]:
        return None
    alike = ("quota_type", "post_category")
    person = site.pick("person", lambda s, p: staff(s, p) and all(p[n] == other[n] for n in alike))
    if person is None:
        return None
    _as(site, person, other)
    del site.carried.kept[key]
    return [truth("P09", "person", other), truth("P09", "person", person)]


def _in_post_and_on_contract(site: Site) -> list[Truth] | None:
    person = site.pick("person", lambda s, p: staff(s, p) and years(s.on, -46) < p["birth_date"] < years(s.on, -28))
    contract = site.pick("contract", lambda s, c: working(s, c) and bool(c.get("contract_to")))
    if person is None or contract is None:
        return None
    _same_contractor(site, contract, person)
    site.used.add(id(person))
    return [truth("P10", "person", person), truth("P10", "contract", contract)]


def _same_contractor(site: Site, contract: Record, other: Record) -> None:
    site.set(
        "contract", contract, **{n: other[n] for n in OF_THE_CONTRACT}, first_contract_date=contract["contract_from"]
    )


def _contract_twice(site: Site) -> list[Truth] | None:
    fits = lambda s, c: working(s, c) and bool(c.get("contract_to")) and c["birth_date"] < years(s.on, -28)  # noqa: E731
    first = site.pick("contract", fits)
    second = site.pick("contract", lambda s, c: c is not first and fits(s, c))
    if first is None or second is None:
        return None
    _same_contractor(site, second, first)
    site.used.add(id(first))
    return [truth("P08", "contract", first), truth("P08", "contract", second)]


def _contract_in_two_units(site: Site) -> list[Truth] | None:
    other = site.carried.kept.get(("contract",))
    if other is None or other["unit"] == site.unit["unit_code"] or other["birth_date"] > years(site.on, -28):
        return None
    contract = site.pick("contract", lambda s, c: working(s, c) and bool(c.get("contract_to")))
    if contract is None:
        return None
    _same_contractor(site, contract, other)
    del site.carried.kept["contract",]
    return [truth("P11", "contract", other), truth("P11", "contract", contract)]


def _working_elsewhere(site: Site) -> list[Truth] | None:
    """Half a year in another unit, without being lent."""
    elsewhere = site.carried.kept.get(("anywhere",))
    person = site.pick("person", staff)
    if person is None or elsewhere is None:
        return None
    site.set("person", person, work_unit=elsewhere["unit_code"], work_unit_from=site.on - timedelta(days=200))
    return [truth("Q11", "person", person)]


def _another_name(site: Site) -> list[Truth] | None:
    person, former = site.pick("person", staff), site.pick("person", left)
    if person is None or former is None or person["name"] == former["name"]:
        return None
    site.set("person", former, id_no=person["id_no"])
    site.used.add(id(person))
    return [truth("P13", "person", person), truth("P13", "person", former)]


def _same_name(site: Site) -> list[Truth] | None:
    return _like_another_unit(site, "O02", "name")


def _same_code(site: Site) -> list[Truth] | None:
    return _like_another_unit(site, "O07", "uscc")


def _like_another_unit(site: Site, rule: str, field: str) -> list[Truth] | None:
    """Take over a value of an earlier unit of the same region and kind; a name goes into the founding row as well."""
    planned = site.bundle.planned
    key = ("unit", planned.region, planned.kind_name)
    other = site.carried.kept.get(key)
    founding = next((r for r in site.all("ledger") if r["change_kind"] == "设立"), None)
    if other is None or founding is None or site.unit["status"] != "正常" or {id(site.unit), id(founding)} & site.used:
        return None
    if field == "name":
        site.set("ledger", founding, name_after=other["name"])
    site.set("unit", site.unit, **{field: other[field]})
    del site.carried.kept[key]
    return [truth(rule, "unit", other), truth(rule, "unit", site.unit)]


def keep_for_later(site: Site) -> None:
    """After a unit is done: keep a person, a contract and the unit itself, if whole, as partners for units to come."""
    planned, kept = site.bundle.planned, site.carried.kept
    if site.unit["status"] != "正常":
        return
    person = site.pick("person", staff)
    contract = site.pick("contract", working)
    if person:
        kept["person", planned.kind_name] = person
    if contract:
        kept["contract",] = contract
    if id(site.unit) not in site.used:
        kept["unit", planned.region, planned.kind_name] = site.unit
    kept["anywhere",] = site.unit


PAIRS: tuple[Error, ...] = (
    Error("P08 person", _same_person_twice, touches=("ranks",), weight=2),
    Error("P08 contract", _contract_twice),
    Error("P09 person", _in_two_units, touches=("ranks",), weight=3),
    Error("P10 person", _in_post_and_on_contract),
    Error("P11 contract", _contract_in_two_units),
    Error("P12 person", _two_files_of_one, touches=("ranks",)),
    Error("P13 person", _another_name, rare=True),
    Error("Q11 person", _working_elsewhere),
    Error("O02 unit", _same_name, rare=True),
    Error("O07 unit", _same_code, rare=True),
)
