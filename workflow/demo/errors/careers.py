"""Errors of ranks, grades and titles: rules L11–L17, T12, T13, Q08, Q10, Q11, Q18 in single people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from workflow.demo.bundle import Record
from workflow.demo.errors.mechanism import Error, Site, Truth, one, staff, truth
from workflow.demo.numbers import years

_NO_PRIOR: dict[str, Any] = {"prior_rank": None, "prior_rank_date": None}


def ranked(site: Site, person: Record) -> bool:
    return staff(site, person) and bool(person.get("prior_rank"))


def leader(site: Site, person: Record) -> bool:
    return bool(person["estab_status"] == "在编" and person["person_code"] in site.leaders)


def institution(site: Site, person: Record) -> bool:
    return staff(site, person) and site.unit["org_nature"] == "事业单位" and not person.get("rank")


def _too_soon(_site: Site, person: Record) -> Record:
    return {"prior_rank_date": person["rank_date"] - timedelta(days=100)}


def _low_rank(site: Site, person: Record) -> Record | None:
    lowest = "二级警员" if site.bundle.planned.kind_name == "police" else "二级科员"
    fits = person.get("rank") and person["post_level"] in ("县处级正职", "县处级副职", "乡科级正职", "乡科级副职")
    return {"rank": lowest, **_NO_PRIOR} if fits and not site.bundle.planned.kind.town else None


def _other_grade(_site: Site, person: Record) -> Record | None:
    other = {"管理五级": "管理六级", "管理六级": "管理七级", "管理七级": "管理八级", "管理八级": "管理七级"}
    return {"post_grade": other[person["post_grade"]]} if person.get("post_grade") in other else None


def _two_main_posts(site: Site) -> list[Truth] | None:
    position = site.pick("position", lambda s, p: p["name"] == "工会主席")
    if position is None:
        return None
    site.set("position", position, is_main=True)
    return [Truth("L11", "person", position["person"])]


def _leading_worker(site: Site) -> list[Truth] | None:
    held = {p["person"]: p for p in site.all("position") if p["status"] == "现任" and p["is_leader"]}
    person = site.pick("person", lambda s, p: p["person_code"] in held and p["sex"] == "男" and not p.get("rank"))
    if person is None:
        return None
    site.set("person", person, post_category="工勤", post_grade="普通工")
    return [truth("L09", "position", held[person["person_code"]])]


CAREERS: tuple[Error, ...] = (
    Error("L11 person", _two_main_posts, rare=True),
    Error("L09 position", _leading_worker),
    one("L12", "person", leader, _low_rank),
    one("L13", "person", institution, lambda s, p: {"rank": "一级科员"}),
    one("L14", "person", leader, _other_grade),
    one("L15", "person", staff, lambda s, p: {"title_level": "员级"} if p.get("title_level") in ("助理级", "中级") else None, weight=2),
    one("L16", "person", staff, lambda s, p: {"skill_cert": None} if p.get("skill_cert") else None),
    one("L17", "person", staff, lambda s, p: {"probation": True} if p["entry_date"] < years(s.on, -2) else None),
    one("T12", "person", staff, lambda s, p: {"rank_date": p["work_start_date"] - timedelta(days=30), **_NO_PRIOR} if p.get("rank") else None),
    one("T13", "person", ranked, _too_soon),
    one("Q08", "person", staff, lambda s, p: {"wage_source": "财政全额"} if p["quota_type"] == "自收自支事业编制" else None, rare=True),
    one("Q10", "person", staff, lambda s, p: {"post_category": "公务员", "post_grade": None, "skill_cert": None} if p["quota_type"] == "机关工勤编制" else None, rare=True),
    one("Q18", "person", staff, lambda s, p: {"quota_type": "挂职借用"}, touches=("quota", "school")),
)  # fmt: skip
