"""Invented people: every date after the one it needs, every number with its check digit, nobody near retirement."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from workflow.calendar.months import month_index
from workflow.demo.bundle import MARK, Bundle, Record
from workflow.demo.careers import career
from workflow.demo.names import DEGREES, ETHNIC, MAJORS, OTHER_PARTIES, PLACES, SCHOOLS, person_name
from workflow.demo.numbers import IdNumbers, between, document_no, years
from workflow.demo.seats import Seat
from workflow.registry.retirement import retirement

# Least and greatest age in years by what the seat leads. Women's last years in post come five (ten in 工勤 posts) earlier.
AGES = {
    "unit_main": (41, 57.5),
    "unit_deputy": (37, 57.5),
    "inner_main": (33, 57),
    "inner_deputy": (30, 55),
    "": (22.6, 58),
}
WOMEN_AT_MOST, WORKING_WOMEN_AT_MOST = 54.2, 49.2
PLANNED_WITHIN = 3.0  # years before the greatest age from which the month of retirement is planned
# Full-time education: label, age at the end of June of graduation, degree, share.
EDUCATION = (
    ("博士研究生毕业", 28, "博士", 0.02),
    ("硕士研究生毕业", 25, "硕士", 0.18),
    ("大学本科毕业", 22, "学士", 0.55),
    ("大学专科毕业", 21, None, 0.19),
    ("中等专科毕业", 19, None, 0.06),
)
WAGES = {
    "行政经费": "财政全额",
    "财政全额补助": "财政全额",
    "财政适当补助": "财政差额",
    "财政定额补助": "财政差额",
    "经费自理": "单位自筹",
    "企业化管理": "单位自筹",
}
ENTRY_WAYS = {
    True: ("公务员考录", "公务员考录", "公务员考录", "选调", "调入", "军转安置"),
    False: ("事业单位公开招聘", "事业单位公开招聘", "事业单位公开招聘", "调入", "人才引进"),
}
PLATFORM_NOTICES = date(2016, 1, 1)  # since when entries carry the number of their approval notice


class People:
    """Makes the people of a unit: takes ID numbers and codes from the city's counters."""

    def __init__(self, ids: IdNumbers) -> None:
        self.ids = ids
        self.count = 0

    def code(self) -> str:
        """The next person code."""
        self.count += 1
        return f"P{self.count:08d}"

    def in_post(self, bundle: Bundle, seat: Seat, taken: set[tuple[str, date]]) -> Record:
        """One person on a seat of the unit."""
        rng, on = bundle.rng, bundle.on
        woman = rng.random() < (0.18 if bundle.planned.kind_name == "police" else 0.46)
        birth = _birth(seat, woman, on, rng)
        name = _fresh_name(rng, woman, birth, taken)
        studies = _studies(birth, bundle.planned.kind.subject, on, rng, lead=bool(seat.leads))
        start = _work_start(studies["grad_date"], rng)
        entry = start if rng.random() < 0.6 else between(rng, start, min(years(start, 6), on - timedelta(days=60)))
        if seat.leads:
            entry = min(entry, years(on, -4))
            start = min(start, entry)
        return {
            "person_code": self.code(),
            "name": name,
            **_personal(self.ids, birth, woman, start, on, rng),
            **studies,
            **_entry(bundle, seat, entry, rng),
            **career(seat, bundle.planned.kind.ranks, bundle.planned.kind.subject, entry, on, rng),
            "onpost_status": "在岗",
            "planned_retire_month": _planned_retirement(seat, birth, woman, on),
            "remark": MARK,
        }

    def left(self, bundle: Bundle, seat: Seat, taken: set[tuple[str, date]]) -> Record:
        """One person who has left: retired at the statutory month, moved or resigned."""
        person = self.in_post(bundle, seat, taken)
        rng, on = bundle.rng, bundle.on
        for name in ("probation", "planned_retire_month"):
            person.pop(name, None)
        if rng.random() < 0.5 and person["sex"] == "男" and person["entry_date"] < years(on, -10):
            self._retire(person, on, rng)
            return person
        day = between(rng, max(years(on, -2), person["entry_date"] + timedelta(days=30)), on - timedelta(days=25))
        reason = "调出" if rng.random() < 0.6 else "辞职"
        return _gone(
            person, bundle.planned.region, day, reason, "外地示例单位" if reason == "调出" else "自主择业", rng
        )

    def _retire(self, person: Record, on: date, rng: Random) -> None:
        birth = between(rng, years(on, -63), years(on, -61))
        month = retirement("男", birth.year * 100 + birth.month, "M").retire_month
        shift = month_index(birth.year * 100 + birth.month) - month_index(
            person["birth_date"].year * 100 + person["birth_date"].month
        )
        for name in ("work_start_date", "entry_date", "grad_date", "party_join_date", "rank_date", "prior_rank_date"):
            if person.get(name):
                person[name] = years(person[name], shift // 12)
        person |= {"birth_date": birth, "id_no": self.ids.take(birth, woman=False)}
        for name in ("notice_no", "notice_date", "notice_valid_until"):
            person.pop(name, None)
        person["entry_doc_no"] = document_no("330200", "编办", person["entry_date"], rng.randrange(1, 900))
        _gone(person, "330200", date(month // 100, month % 100, 28), "到龄退休", "退休", rng)


def _gone(person: Record, region: str, day: date, reason: str, destination: str, rng: Random) -> Record:
    person |= {"estab_status": "出编", "exit_date": day, "exit_reason": reason, "exit_dest": destination}
    person["exit_doc_no"] = document_no(region, "编办", day, rng.randrange(1, 900))
    return person


def _birth(seat: Seat, woman: bool, on: date, rng: Random) -> date:
    least, most = AGES[seat.leads]
    if woman:
        most = min(most, WORKING_WOMEN_AT_MOST if seat.category == "工勤" else WOMEN_AT_MOST)
    return on - timedelta(days=int((least + rng.random() * (most - least)) * 365.25))


def _planned_retirement(seat: Seat, birth: date, woman: bool, on: date) -> int | None:
    """The statutory month of the plain category for whoever is within a few years of it; else None."""
    category = "M" if not woman else "F50" if seat.category == "工勤" else "F55"
    most = {"M": 60, "F55": WOMEN_AT_MOST, "F50": WORKING_WOMEN_AT_MOST}[category]
    if (on - birth).days < (most - PLANNED_WITHIN) * 365.25:
        return None
    return retirement("女" if woman else "男", birth.year * 100 + birth.month, category).retire_month


def _fresh_name(rng: Random, woman: bool, birth: date, taken: set[tuple[str, date]]) -> str:
    while True:
        name = person_name(rng, woman)
        if (name, birth) not in taken:
            taken.add((name, birth))
            return name


def _studies(birth: date, subject: str, on: date, rng: Random, lead: bool = False) -> Record:
    """Education that was finished at least two months ago, and for leaders long enough ago."""
    latest = on.year - (6 if lead else 1)
    possible = [e for e in EDUCATION if birth.year + e[1] <= latest and not (lead and e[2] is None)]
    draw = rng.random() * sum(e[3] for e in possible)
    label, age, degree, _ = possible[-1]
    for entry in possible:
        draw -= entry[3]
        if draw < 0:
            label, age, degree, _ = entry
            break
    record: Record = {
        "edu_full": label,
        "edu_highest": label,
        "school": SCHOOLS[int(rng.random() * len(SCHOOLS))],
        "major": rng.choice(MAJORS[subject]),
        "grad_date": date(birth.year + age, 6, 30),
        "degree_highest": f"{rng.choice(DEGREES[subject])}{degree}" if degree else None,
    }
    if label == "大学专科毕业" and rng.random() < 0.3 and birth.year + age + 8 < on.year:
        record |= {"edu_onjob": "大学本科毕业", "edu_highest": "大学本科毕业"}
    return record


def _work_start(graduated: date, rng: Random) -> date:
    return date(graduated.year, 7 + int(rng.random() * 3), 1 + int(rng.random() * 28))


def _personal(ids: IdNumbers, birth: date, woman: bool, start: date, on: date, rng: Random) -> Record:
    return {
        "sex": "女" if woman else "男",
        "ethnic": "汉族" if rng.random() < 0.97 else rng.choice(ETHNIC),
        "id_no": ids.take(birth, woman),
        "birth_date": birth,
        "native_place": PLACES[min(len(PLACES) - 1, int(rng.expovariate(0.5)))],
        "work_start_date": start,
        "special_recruit": False,
        "phone": f"0574-0{int(rng.random() * 10**7):07d}",
        **_party(birth, on, rng),
    }


def _party(birth: date, on: date, rng: Random) -> Record:
    draw, adult = rng.random(), years(birth, 19)
    if draw < 0.55:
        return {
            "political_status": "中国共产党党员",
            "party_join_date": between(rng, adult, min(years(birth, 40), years(on, -2))),
        }
    if draw < 0.6:
        return {
            "political_status": rng.choice(OTHER_PARTIES),
            "party_join_date": between(rng, adult, min(years(birth, 45), years(on, -1))),
        }
    return {"political_status": "中国共产主义青年团团员" if on < years(birth, 27) else "群众"}


def _entry(bundle: Bundle, seat: Seat, entry: date, rng: Random) -> Record:
    planned, unit = bundle.planned, bundle.unit
    way = "划转" if entry < unit["setup_date"] else rng.choice(ENTRY_WAYS[planned.kind.organ])
    record: Record = {
        "unit": planned.code,
        "inner_org": f"{planned.code}-{seat.inner:02d}",
        "estab_status": "在编",
        "quota_type": seat.quota,
        "wage_source": WAGES[unit["fund_form"]],
        "entry_way": way,
        "entry_source": "示例单位" if way in ("划转", "调入", "军转安置") else "社会招录",
        "entry_doc_no": document_no(planned.region, "编办", entry, rng.randrange(1, 900)),
        "entry_date": entry,
        "post_category": seat.category,
    }
    if entry >= PLATFORM_NOTICES:
        agreed = entry - timedelta(days=20 + int(rng.random() * 60))
        record |= {"notice_no": f"{planned.code}控编{entry.year}{rng.randrange(10000):04d}", "notice_date": agreed}
        record["notice_valid_until"] = years(agreed, 1)
    return record
