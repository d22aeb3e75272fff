"""The unit's own record, its inner organisations and the leaders' positions: all follow from the seats that were filled."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from workflow.demo.bundle import MARK, Bundle, Record
from workflow.demo.kinds import REGIONS
from workflow.demo.names import person_name
from workflow.demo.numbers import between, credit_code, document_no, weekday, years
from workflow.demo.seats import Seat, inner_level

APPROVERS = {True: "中共宁波市委机构编制委员会（演示）", False: "区（县、市）委机构编制委员会（演示）"}
CATEGORY_PREFIX = {"政党机关": "11", "国家机关": "11", "政法机关": "11", "社会团体": "13", "事业单位": "12"}
EARLIEST_SETUP = date(1976, 3, 1)
REFORMED = date(2019, 1, 21)  # the reform of that year set up one unit in eight anew


def unit_record(bundle: Bundle) -> Record:
    """The unit as its founding document has it; leaders and inner organisations are filled in later."""
    planned, kind, rng = bundle.planned, bundle.planned.kind, bundle.rng
    setup = REFORMED if rng.random() < 0.125 else between(rng, EARLIEST_SETUP, date(2012, 12, 1))
    approved = weekday(setup - timedelta(days=20))
    level = kind.levels[0 if planned.city else 1]
    record: Record = {
        "unit_code": planned.code,
        "name": planned.name,
        "short_name": planned.name.removeprefix(REGIONS[planned.region]),
        "plate_only": False,
        "parent": planned.parent,
        "status": "正常",
        "district_code": REGIONS[planned.region],
        "admin_tier": "市级" if planned.city else "乡镇街道级" if kind.town else "区县级",
        "subordination": "市、地区" if planned.city else "街道、镇、乡" if kind.town else "县",
        "sort_no": planned.nth,
        "org_nature": kind.nature,
        "org_category": kind.category,
        "system_type": kind.system,
        "industry": kind.industry,
        "org_level": level,
        "level_equivalent": not kind.organ,
        "fund_form": kind.fund,
        "cg_flag": kind.category == "参公事业单位",
        "approve_doc_no": document_no(planned.region, "编", approved, 1 + planned.nth % 90),
        "approve_doc_title": f"关于设立{planned.name}的通知",
        "approve_org": APPROVERS[planned.city],
        "approve_date": approved,
        "setup_date": setup,
        "legal_person_flag": "法人单位",
        "uscc": credit_code(CATEGORY_PREFIX[kind.nature], planned.region, planned.nth),
        "main_duties": f"按照规定承担{planned.name}职责范围内的各项工作，组织实施有关政策，提供公共服务，完成上级交办的其他任务。",
        "annual_report_unit": True,
        "annual_report_district": REGIONS[planned.region],
        "contact": person_name(rng, rng.random() < 0.5),
        "phone": f"0574-0{rng.randrange(10**7):07d}",
        "remark": MARK,
    }
    if record["cg_flag"]:
        agreed = weekday(years(setup, 1))
        record |= {"cg_doc_no": document_no(planned.region, "组公", agreed, 1 + planned.nth % 60), "cg_date": agreed}
    return record


def inner_orgs(bundle: Bundle, seats: list[Seat]) -> list[Record]:
    """单位领导 as a virtual one, and each real one with its quota and leader posts as they are filled."""
    unit, planned = bundle.unit, bundle.planned
    staff = Counter(seat.inner for seat in seats)
    heads = Counter((seat.inner, seat.leads) for seat in seats)
    approved = weekday(unit["setup_date"] + timedelta(days=30))
    records = []
    for place in range(max(staff, default=0) + 1):
        record: Record = {
            "inner_org_code": f"{planned.code}-{place:02d}",
            "unit": planned.code,
            "name": planned.kind.inner[place - 1] if place else "单位领导",
            "is_virtual": place == 0,
            "level": inner_level(unit["org_level"]) if place else None,
            "duties": f"承担{planned.kind.inner[place - 1]}日常工作" if place else None,
            "status": "正常",
            "sort_no": place,
            "approved_staff": staff[place],
            "n_main": heads[place, "inner_main"],
            "n_deputy": heads[place, "inner_deputy"],
            "approve_doc_no": document_no(planned.region, "编办", approved, 100 + planned.nth % 300),
            "approve_date": approved,
            "remark": MARK,
        }
        records.append(record)
    return records


class Positions:
    """Makes positions: takes codes from the city's counter."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, bundle: Bundle, filled: list[tuple[Seat, Record]]) -> list[Record]:
        """A position for each leader, some with the one held before, and a few honorary ones beside."""
        records = []
        for seat, person in filled:
            if seat.leads:
                records += self._leading(bundle, seat, person)
        return records

    def _leading(self, bundle: Bundle, seat: Seat, person: Record) -> list[Record]:
        rng, on = bundle.rng, bundle.on
        earliest = max(years(on, -6), person["entry_date"], years(person["birth_date"], 26), bundle.unit["setup_date"])
        since = between(rng, earliest, on - timedelta(days=45))
        records = [self._record(bundle, seat, person, since)]
        before = years(since, -3)
        if rng.random() < 0.25 and before > max(person["entry_date"], years(person["birth_date"], 25)):
            records.append(self._earlier(bundle, seat, person, before, since))
        if seat.leads == "unit_deputy" and rng.random() < 0.3:
            records.append(self._beside(bundle, seat, person, since))
        return records

    def _record(self, bundle: Bundle, seat: Seat, person: Record, since: date) -> Record:
        self.count += 1
        planned = bundle.planned
        return {
            "position_code": f"Z{self.count:08d}",
            "person": person["person_code"],
            "unit": planned.code,
            "inner_org": person["inner_org"],
            "name": seat.title,
            "post_level": seat.level,
            "is_leader": True,
            "rank_kind": "正职" if seat.leads.endswith("main") else "副职",
            "scope": "单位领导" if seat.leads.startswith("unit") else "内设机构领导",
            "is_main": True,
            "counts_post": True,
            "is_above_level": False,
            "status": "现任",
            "appoint_doc_no": document_no(planned.region, "干任", since, bundle.rng.randrange(1, 500)),
            "appoint_date": since,
            "remark": MARK,
        }

    def _earlier(self, bundle: Bundle, seat: Seat, person: Record, since: date, until: date) -> Record:
        removed = document_no(bundle.planned.region, "干任", until, bundle.rng.randrange(1, 500))
        ended = {
            "name": f"{seat.title}（前任）",
            "status": "已免",
            "end_date": until,
            "remove_doc_no": removed,
            "is_main": False,
        }
        return self._record(bundle, seat, person, since) | ended

    def _beside(self, bundle: Bundle, seat: Seat, person: Record, since: date) -> Record:
        record = self._record(bundle, seat, person, since)
        for name in ("post_level", "rank_kind", "scope"):
            del record[name]
        return record | {
            "name": "工会主席",
            "is_leader": False,
            "is_main": False,
            "counts_post": False,
            "concurrent_doc_no": record["appoint_doc_no"],
        }
