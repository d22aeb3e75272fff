"""Errors in leaders' posts: rules L01–L07, L18–L21, T09–T11, N11."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from workflow.demo.bundle import Record
from workflow.demo.careers import ranks
from workflow.demo.errors.forms import current, leading
from workflow.demo.errors.mechanism import Error, Site, Truth, one, truth
from workflow.demo.numbers import years

_ABOVE = {"县处级正职": "厅局级副职", "乡科级正职": "县处级副职"}


def person_of(site: Site, position: Record) -> Record:
    """The person who holds a position."""
    return next(p for p in site.all("person") if p["person_code"] == position["person"])


def whole_holder(site: Site, position: Record) -> bool:
    """A leading position whose holder has not been spoiled."""
    return leading(site, position) and id(person_of(site, position)) not in site.used


def _second_head(_site: Site, position: Record) -> Record | None:
    deputy = position["scope"] == "单位领导" and position["rank_kind"] == "副职"
    return {"rank_kind": "正职"} if deputy else None


def _too_few_deputies(site: Site) -> list[Truth] | None:
    quota = site.pick("leader_quota", lambda s, q: q["scope"] == "单位领导" and q["rank_kind"] == "副职")
    held = sum(
        1 for p in site.all("position") if leading(site, p) and p["scope"] == "单位领导" and p["rank_kind"] == "副职"
    )
    if quota is None or held < 1 or id(site.unit) in site.used:
        return None
    less = quota["n_approved"] - held + 1
    site.set("leader_quota", quota, n_approved=held - 1)
    site.set("unit", site.unit, leader_total_approved=site.unit["leader_total_approved"] - less)
    return [truth("L02", "unit", site.unit)]


def _above_rank(_site: Site, position: Record) -> Record | None:
    head = position["scope"] == "内设机构领导" and position["post_level"] in _ABOVE and position["rank_kind"] == "正职"
    return {"post_level": _ABOVE[position["post_level"]]} if head else None


def _not_broken_down(site: Site) -> list[Truth] | None:
    rows = [q for q in site.all("leader_quota") if q["scope"] == "单位领导"]
    if not rows or site.unit["status"] != "正常" or any(id(q) in site.used for q in rows):
        return None
    for quota in rows:
        site.set("leader_quota", quota, status="失效")
    rules = ("L05", "L01", "L02") if len(rows) > 1 else ("L05", "L01")
    return [truth(rule, "unit", site.unit) for rule in rules]


def _moved_head(site: Site) -> list[Truth] | None:
    """A head of an inner organisation sits in another one; what is approved there moves along."""
    head = site.pick(
        "position", lambda s, p: leading(s, p) and p["scope"] == "内设机构领导" and id(person_of(s, p)) not in s.used
    )
    if head is None:
        return None
    here = next(o for o in site.all("inner_org") if o["inner_org_code"] == head["inner_org"])
    there = next((o for o in site.all("inner_org") if o is not here and not o["is_virtual"]), None)
    if there is None or id(here) in site.used or id(there) in site.used:
        return None
    site.set("person", person_of(site, head), inner_org=there["inner_org_code"])
    site.set("inner_org", here, approved_staff=here["approved_staff"] - 1)
    site.set("inner_org", there, approved_staff=there["approved_staff"] + 1)
    return [truth("L19", "position", head)]


def _closed_office(site: Site) -> list[Truth] | None:
    beside = site.pick("position", lambda s, p: p["name"] == "工会主席")
    if beside is None:
        return None
    office = dict(site.all("inner_org")[0]) | {
        "inner_org_code": f"{site.unit['unit_code']}-99", "name": "原调研室", "status": "撤销", "is_virtual": False,
        "approved_staff": 0, "n_main": 0, "n_deputy": 0, "revoke_date": years(site.on, -1),
    }  # fmt: skip
    site.add("inner_org", office)
    site.set("position", beside, inner_org=office["inner_org_code"])
    return [truth("L20", "position", beside)]


def _too_many_ranks(site: Site) -> list[Truth] | None:
    groups = {c.label: int(c.attrs["group"]) for c in ranks("综合管理类") if c.attrs.get("group")}
    held = Counter(
        groups[p["rank"]]
        for p in site.bundle.living()
        if p.get("rank") in groups and p["person_code"] not in site.leaders
    )
    names = {2: "一级和二级调研员", 3: "三级和四级调研员", 4: "一级和二级主任科员", 5: "三级和四级主任科员"}
    for group, n in held.items():
        quota = site.pick("leader_quota", lambda s, q, g=group: q.get("rank_group") == names[g])  # type: ignore[misc]
        if quota and n > 1:
            site.set("leader_quota", quota, n_approved=n - 1)
            return [truth("L21", "unit", site.unit)]
    return None


def _before_work(site: Site) -> list[Truth] | None:
    beside = site.pick("position", lambda s, p: p["name"] == "工会主席")
    if beside is None:
        return None
    site.set("position", beside, appoint_date=person_of(site, beside)["work_start_date"] - timedelta(days=60))
    return [truth("T09", "position", beside)]


def _too_young(site: Site, position: Record) -> Record | None:
    person = person_of(site, position)
    day = person["work_start_date"] + timedelta(days=3)
    fits = id(person) not in site.used and day < years(person["birth_date"], 22)
    return {"appoint_date": day} if fits else None


def _suspended(site: Site) -> list[Truth] | None:
    position = site.pick("position", whole_holder)
    if position is None:
        return None
    since = site.on - timedelta(days=40)
    away = {
        "onpost_status": "停职或留置",
        "onpost_from": since,
        "onpost_to": site.on + timedelta(days=60),
        "onpost_reason": "配合调查",
    }
    site.set("person", person_of(site, position), **away)
    return [truth("N11", "position", position)]


POSTS: tuple[Error, ...] = (
    Error("L01 unit", lambda s: _on_unit(s, "L01", "position", _second_head), touches=("leaders",)),
    Error("L02 unit", _too_few_deputies, touches=("leaders",)),
    one("L03", "position", leading, _above_rank),
    one("L04", "inner_org", lambda s, o: o["n_main"] > 0, lambda s, o: {"n_main": 0}),
    Error("L05 unit", _not_broken_down, touches=("leaders",)),
    one("L06", "unit", lambda s, u: bool(u.get("leader_total_approved")), lambda s, u: {"leader_main_approved": u["leader_total_approved"] + 1}),
    one("L07", "position", leading, lambda s, p: {"appoint_doc_no": None}, weight=2),
    one("L18", "position", leading, lambda s, p: {"remove_doc_no": p["appoint_doc_no"]}),
    Error("L19 position", _moved_head, touches=("inner",)),
    Error("L20 position", _closed_office, rare=True),
    Error("L21 unit", _too_many_ranks, touches=("ranks",)),
    Error("T09 position", _before_work, rare=True),
    one("T10", "position", leading, _too_young, rare=True),
    one("T11", "position", lambda s, p: not current(s, p), lambda s, p: {"end_date": p["appoint_date"] - timedelta(days=10)}, rare=True),
    Error("N11 position", _suspended),
)  # fmt: skip


def _on_unit(site: Site, rule: str, dataset: str, values: object) -> list[Truth] | None:
    """An error in one record that shows at the unit."""
    record = site.pick(dataset, lambda s, r: leading(s, r) and values(s, r) is not None)  # type: ignore[operator]
    if record is None:
        return None
    site.set(dataset, record, **values(site, record))  # type: ignore[operator]
    return [truth(rule, "unit", site.unit)]
