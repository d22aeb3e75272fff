"""Ranks, grades and professional titles that fit a seat and the years served. Labels and orders come from the code lists."""

from __future__ import annotations

import functools
from datetime import date, timedelta
from random import Random
from typing import Any

from workflow.demo.bundle import Record
from workflow.demo.numbers import between, years
from workflow.demo.seats import Seat
from workflow.registry.dictionary import dictionary

MANAGEMENT = {60: "管理五级", 50: "管理六级", 40: "管理七级", 30: "管理八级"}
# Professional grades by level of the title, with the least years of service and what the title is called.
TITLES = (
    ("正高级", 24, ("专技四级",), {"teacher": "正高级教师", "doctor": "主任医师", "engineer": "正高级工程师"}),
    (
        "副高级",
        15,
        ("专技五级", "专技六级", "专技七级"),
        {"teacher": "高级教师", "doctor": "副主任医师", "engineer": "高级工程师"},
    ),
    (
        "中级",
        7,
        ("专技八级", "专技九级", "专技十级"),
        {"teacher": "一级教师", "doctor": "主治医师", "engineer": "工程师"},
    ),
    ("助理级", 1, ("专技十一级", "专技十二级"), {"teacher": "二级教师", "doctor": "医师", "engineer": "助理工程师"}),
    ("员级", 0, ("专技十三级",), {"teacher": "三级教师", "doctor": "医士", "engineer": "技术员"}),
)
STAFF_NAMES = {"teacher": "教师", "doctor": "医务人员", "engineer": "技术人员"}
_YEARS_FOR_RANK = (0, 0, 3, 5, 8, 11, 17)  # years served → one step up from the lowest rank of the sequence
RANK_OF_LEADERS = {60: 9, 50: 7, 40: 5, 30: 3}  # level of the post → least order in 综合管理类 and 执法勤务警员


@functools.cache
def ranks(sequence: str) -> tuple[Any, ...]:
    """The ranks of a sequence, lowest first; place + 1 is the order."""
    listed = [c for c in dictionary().codes["rank"].items if c.attrs["sequence"] == sequence]
    return tuple(sorted(listed, key=lambda c: c.attrs["order"]))


def career(seat: Seat, kind_ranks: str, subject: str, entry: date, on: date, rng: Random) -> Record:
    """Post grade, rank, title and the name of the post of one person."""
    if seat.category in ("公务员", "参公"):
        return _civil(seat, kind_ranks or "综合管理类", entry, on, rng)
    served = (on - entry).days // 365
    if seat.category == "管理":
        grade = MANAGEMENT.get(seat.order, "管理九级")
        return {"post_grade": grade, "position_name": seat.title or "管理人员", "post_level": seat.level}
    if seat.category == "工勤":
        grade = ("技术工五级", "技术工四级", "技术工三级", "技术工二级")[min(3, served // 8)]
        return {
            "post_grade": grade,
            "position_name": "工勤人员",
            "skill_cert": f"{grade}证书演示{rng.randrange(10**6):06d}",
        }
    return _professional(subject, served, rng)


def _professional(subject: str, served: int, rng: Random) -> Record:
    reached = [t for t in TITLES if served >= t[1]]
    level, _, grades, called = reached[0] if rng.random() < 0.6 or len(reached) == 1 else reached[1]
    return {
        "post_grade": rng.choice(grades),
        "position_name": STAFF_NAMES[subject],
        "title": called[subject],
        "title_level": level,
    }


def _civil(seat: Seat, sequence: str, entry: date, on: date, rng: Random) -> Record:
    if not seat.leads and (on - entry).days < 300:
        return {"position_name": "试用期人员", "post_level": "试用期人员", "probation": True}
    record: Record = {"position_name": seat.title, "post_level": seat.level, "probation": False}
    if seat.order > 60:
        return record
    listed = ranks(sequence)
    served = (on - entry).days // 365
    order = RANK_OF_LEADERS[seat.order] if seat.leads else 1 + sum(1 for need in _YEARS_FOR_RANK[1:] if served >= need)
    order = min(order if seat.leads or rng.random() < 0.7 else max(2, order - 1), len(listed))
    rank = listed[order - 1]
    record |= {"rank": rank.label, "position_name": seat.title or rank.label}
    since = between(rng, max(entry, years(on, -3)), on - timedelta(days=40))
    record["rank_date"] = since
    least = rank.attrs.get("min_years")
    before = years(since, -(least + 1)) if least else entry
    if order > 1 and before > entry:
        record |= {"prior_rank": listed[order - 2].label, "prior_rank_date": before}
    return record
