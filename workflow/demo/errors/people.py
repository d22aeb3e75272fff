"""Errors of identity, dates of life, presence and exit in single people: rules P, T, N."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from workflow.demo.bundle import Record
from workflow.demo.errors.mechanism import Error, Site, one, plain, staff
from workflow.demo.numbers import years
from workflow.registry.identity import id_check


def young(site: Site, person: Record) -> bool:
    """Staff far from retirement by any reckoning."""
    return staff(site, person) and person["birth_date"] > years(site.on, -42)


def left(site: Site, person: Record) -> bool:
    return bool(person["estab_status"] == "出编")


def retired(site: Site, person: Record) -> bool:
    return bool(person.get("exit_reason") == "到龄退休")


def renumbered(number: str, **parts: str) -> str:
    """The number with another region or birth segment and the check digit that goes with it."""
    first17 = parts.get("region", number[:6]) + parts.get("birth", number[6:14]) + number[14:17]
    return first17 + id_check(first17)


def impossible(site: Site, person: Record, day: str) -> str:
    """A number of the same year and sex whose birth segment is no date; no number twice."""
    year = person["birth_date"].year
    spare = site.carried.ids.take(date(year, int(day[:2]) % 12 or 12, 1), person["sex"] == "女")
    return renumbered(spare, birth=f"{year}{day}")


def wrong_check(number: str) -> str:
    """The number with another last place."""
    return number[:17] + ("0" if number[17] != "0" else "1")


def _reborn(site: Site, person: Record, birth: date, **more: Any) -> Record:
    """The person born on another day, with a number to match."""
    return {"birth_date": birth, "id_no": site.carried.ids.take(birth, person["sex"] == "女"), **more}


def _early(person: Record, start: date, entry: date, special: bool) -> Record:
    """Work and post long ago: no studies whose end would contradict, no approval notice."""
    none = dict.fromkeys(("grad_date", "notice_no", "notice_date", "notice_valid_until"))
    return {"work_start_date": start, "entry_date": entry, "special_recruit": special, "entry_way": "划转", **none}


IDENTITY = (
    one("P01", "person", staff, lambda s, p: {"id_no": p["id_no"][:17]}, weight=2),
    one("P02", "person", staff, lambda s, p: {"id_no": wrong_check(p["id_no"])}, weight=3),
    one("P03", "person", staff, lambda s, p: {"id_no": impossible(s, p, "1332")}),
    one("P04", "person", young, lambda s, p: {"birth_date": p["birth_date"] + timedelta(days=1)}, weight=4),
    one("P05", "person", young, lambda s, p: {"archive_birth_date": years(p["birth_date"], 1)}),
    one("P06", "person", young, lambda s, p: {"sex": "男" if p["sex"] == "女" else "女"}, weight=2),
    one("P07", "person", staff, lambda s, p: {"id_no": renumbered(p["id_no"], region="990000")}),
    one("P14", "person", young, lambda s, p: {"sex": "未说明的性别"}),
    one("P17", "person", staff, lambda s, p: {"party_join_date": years(p["birth_date"], 17)} if p.get("party_join_date") else None),
    one("P18", "person", staff, lambda s, p: {"party_join_date": None} if p["political_status"] == "中国共产党党员" else None, weight=2),
    one("P15", "person", plain, lambda s, p: _early(p, years(p["birth_date"], 15), years(p["birth_date"], 15), special=True)),
    one("P16", "person", plain, lambda s, p: _reborn(s, p, date(s.on.year - 72, 5, 1), retire_defer_doc="延迟退休审批表（演示）", planned_retire_month=(s.on.year + 1) * 100 + 6)),
)  # fmt: skip
TIMES = (
    one("T01", "person", plain, lambda s, p: {"work_start_date": years(p["birth_date"], -1), "grad_date": None}),
    one("T02", "person", plain, lambda s, p: {"work_start_date": years(p["birth_date"], 15), "grad_date": None, "special_recruit": False}),
    one("T03", "person", plain, lambda s, p: {"work_start_date": p["entry_date"] + timedelta(days=70)} if p["entry_date"] < years(s.on, -1) else None),
    one("T04", "person", plain, lambda s, p: _early(p, years(p["birth_date"], 17), years(p["birth_date"], 17), special=False)),
    one("T05", "person", staff, lambda s, p: {"entry_way": "调入"} if p["entry_way"] == "划转" else None),
    one("T06", "person", staff, lambda s, p: {"notice_date": p["entry_date"] + timedelta(days=5)} if p.get("notice_no") else None),
    one("T08", "person", left, lambda s, p: {"exit_date": p["entry_date"] - timedelta(days=20)} if not retired(s, p) else None, rare=True),
    one("T14", "person", staff, lambda s, p: {"grad_date": years(p["birth_date"], 8)}),
    one("T15", "person", staff, lambda s, p: {"degree_highest": "工学博士"} if p["edu_highest"] == "大学专科毕业" else None),
    one("T16", "person", plain, lambda s, p: {"grad_date": years(p["work_start_date"], 2)} if p["work_start_date"] < years(s.on, -3) else None),
)  # fmt: skip


def away(status: str, since: int, until: int | None, **more: Any) -> Any:
    """Away since and until so many days before and after the reference date."""

    def values(site: Site, _person: Record) -> Record:
        ends = None if until is None else site.on + timedelta(days=until)
        reason = {
            "onpost_status": status,
            "onpost_from": site.on - timedelta(days=since),
            "onpost_to": ends,
            "onpost_reason": "演示",
        }
        return reason | more

    return values


PRESENCE = (
    one("N01", "person", plain, lambda s, p: _reborn(s, p, date(s.on.year - 66, 3, 1))),
    one("N05", "person", staff, away("产假", 40, None)),
    one("N06", "person", staff, away("失联或旷工", 70, 30)),
    one("N07", "person", staff, away("借出", 200, -20), weight=2),
    one("N08", "person", staff, away("挂职", 900, 60)),
    one("N09", "person", staff, away("脱产学习", 500, 60)),
    one("N10", "person", staff, away("长期病休", 250, 60)),
    one("N12", "person", left, lambda s, p: {"exit_doc_no": None}, rare=True),
    one("N13", "person", retired, lambda s, p: {"exit_date": years(p["exit_date"], -4)}, rare=True),
    one(
        "N14",
        "person",
        left,
        lambda s, p: {"onpost_status": "援派", "onpost_from": p["entry_date"], "onpost_reason": "演示"},
        rare=True,
    ),
)
PEOPLE: tuple[Error, ...] = (*IDENTITY, *TIMES, *PRESENCE)
