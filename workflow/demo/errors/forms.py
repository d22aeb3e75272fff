"""Errors of form, rules F01–F12: required fields, names, half width, dates, counts, document numbers, placeholders."""

from __future__ import annotations

from datetime import date, timedelta

from workflow.demo.bundle import Record
from workflow.demo.errors.mechanism import Error, Site, any_record, living_unit, one, staff
from workflow.demo.numbers import credit_code

_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
LONG_AGO, FAR_AHEAD = date(1850, 1, 15), date(2150, 1, 15)
CREDIT_PREFIX = {"事业单位": "12", "社会团体": "13"}


def wide(number: str) -> str:
    """A document number whose last part is in full-width digits."""
    head, _, tail = number.rpartition("〕")
    return f"{head}〕{tail.translate(_WIDE)}" if head else number.translate(_WIDE)


def bracketed(number: str) -> str:
    """A document number with the year in square brackets."""
    return number.replace("〔", "[").replace("〕", "]")


def current(_site: Site, position: Record) -> bool:
    return bool(position["status"] == "现任")


def leading(_site: Site, position: Record) -> bool:
    return bool(position["status"] == "现任" and position["is_leader"])


def working(_site: Site, contract: Record) -> bool:
    return bool(contract["status"] == "在岗")


def real_office(site: Site, office: Record) -> bool:
    return not office["is_virtual"]


def _retired_region(site: Site, unit: Record) -> Record | None:
    if unit["status"] != "正常" or unit["admin_tier"] == "市级":
        return None
    prefix = CREDIT_PREFIX.get(unit["org_nature"], "11")
    code = credit_code(prefix, "330200", 50_000 + site.bundle.planned.nth)
    return {"district_code": "江东区", "uscc": code, "annual_report_unit": False, "annual_report_district": None}


REQUIRED = (
    one("F01", "person", staff, lambda s, p: {"ethnic": None}, weight=3),
    one("F01", "position", leading, lambda s, p: {"scope": None}),
    one("F02", "unit", living_unit, lambda s, u: {"main_duties": None}),
    one("F02", "inner_org", real_office, lambda s, o: {"name": None}),
    one("F03", "contract", working, lambda s, c: {"job": None}, weight=2),
    one("F04", "ledger", living_unit, lambda s, r: {"entered_on": None}),
    one("F04", "leader_quota", any_record, lambda s, q: {"doc_no": None}),
    one("F04", "contract_quota", any_record, lambda s, q: {"approve_doc_no": None}),
    one("F04", "school", any_record, lambda s, r: {"staff_total": None}, rare=True, touches=("school",)),
    one("F04", "hospital", any_record, lambda s, r: {"hospital_type": None}, rare=True),
    one("F06", "unit", any_record, _retired_region),
    one("F07", "person", staff, lambda s, p: {"name": f"{p['name'][0]} {p['name'][1:]}"}, weight=3),
    one("F07", "contract", working, lambda s, c: {"name": f"{c['name']}A"}),
)
WIDTH = (
    one("F08", "person", staff, lambda s, p: {"entry_doc_no": wide(p["entry_doc_no"])}, weight=2),
    one("F08", "position", current, lambda s, p: {"appoint_doc_no": wide(p["appoint_doc_no"])}),
    one("F08", "unit", living_unit, lambda s, u: {"approve_doc_no": wide(u["approve_doc_no"])}),
    one("F08", "inner_org", real_office, lambda s, o: {"approve_doc_no": wide(o["approve_doc_no"])}),
    one("F08", "ledger", living_unit, lambda s, r: {"doc_no": wide(r["doc_no"])}),
    one("F08", "leader_quota", any_record, lambda s, q: {"doc_no": wide(q["doc_no"])}),
    one("F08", "contract_quota", any_record, lambda s, q: {"approve_doc_no": wide(q["approve_doc_no"])}),
    one("F08", "contract", working, lambda s, c: {"contract_no": wide(c["contract_no"])}),
)
DATES = (
    one("F09", "person", staff, lambda s, p: {"notice_valid_until": FAR_AHEAD} if p.get("notice_no") else None),
    one("F09", "unit", living_unit, lambda s, u: {"cg_date": LONG_AGO} if u["cg_flag"] else None, rare=True),
    one("F09", "inner_org", real_office, lambda s, o: {"approve_date": LONG_AGO}),
    one("F09", "ledger", living_unit, lambda s, r: {"doc_received_date": LONG_AGO}),
    one("F09", "leader_quota", any_record, lambda s, q: {"doc_date": LONG_AGO}),
    one("F09", "contract_quota", any_record, lambda s, q: {"valid_to": FAR_AHEAD}),
    one(
        "F09",
        "position",
        lambda s, p: not current(s, p),
        lambda s, p: {"end_date": FAR_AHEAD},
        also=("T07",),
        rare=True,
    ),
    one("F09", "contract", working, lambda s, c: {"contract_to": FAR_AHEAD} if c.get("contract_to") else None),
)
COUNTS = (
    one("F10", "person", staff, lambda s, p: {"absent_days_run": -1}),
    one("F10", "unit", living_unit, lambda s, u: {"sort_no": -1}),
    one("F10", "inner_org", real_office, lambda s, o: {"sort_no": -1}),
    one("F10", "ledger", living_unit, lambda s, r: {"leader_posts_after": -1}),
    one("F10", "leader_quota", lambda s, q: q["scope"] == "内设机构领导", lambda s, q: {"n_approved": -1}),
    one("F10", "contract_quota", any_record, lambda s, q: {"review_cycle": -1}),
    one("F10", "school", any_record, lambda s, r: {"boarders": -5}, rare=True),
    one("F10", "hospital", any_record, lambda s, r: {"discharges": -5}, rare=True),
)
DOCUMENTS = (
    one("F11", "person", staff, lambda s, p: {"entry_doc_no": bracketed(p["entry_doc_no"])}, weight=3),
    one("F11", "position", current, lambda s, p: {"appoint_doc_no": bracketed(p["appoint_doc_no"])}),
    one("F11", "unit", living_unit, lambda s, u: {"approve_doc_no": bracketed(u["approve_doc_no"])}),
    one("F11", "inner_org", real_office, lambda s, o: {"approve_doc_no": bracketed(o["approve_doc_no"])}),
    one("F11", "ledger", living_unit, lambda s, r: {"doc_no": bracketed(r["doc_no"])}),
    one("F11", "leader_quota", any_record, lambda s, q: {"doc_no": bracketed(q["doc_no"])}),
    one("F11", "contract_quota", any_record, lambda s, q: {"approve_doc_no": bracketed(q["approve_doc_no"])}),
)
PLACEHOLDERS = (
    one("F12", "person", staff, lambda s, p: {"school": "无"}, weight=2),
    one("F12", "contract", working, lambda s, c: {"job": "测试"}),
    one("F12", "position", current, lambda s, p: {"name": "待补"}),
    one("F12", "unit", living_unit, lambda s, u: {"principal_name": "测试"}),
    one("F12", "inner_org", real_office, lambda s, o: {"name": "测试"}),
    one("F12", "ledger", living_unit, lambda s, r: {"abstract": "无"}),
)
SOON = timedelta(days=200)  # far enough ahead to stay in the future while a demonstration is shown
FUTURE = (
    one("T07", "person", staff, lambda s, p: {"party_join_date": s.on + SOON} if p.get("party_join_date") else None),
    one("T07", "position", leading, lambda s, p: {"appoint_date": s.on + SOON}),
    one("T07", "unit", living_unit, lambda s, u: {"approve_date": s.on + SOON}),
    one("T07", "inner_org", real_office, lambda s, o: {"approve_date": s.on + SOON}),
    one("T07", "ledger", living_unit, lambda s, r: {"doc_received_date": s.on + SOON}),
    one("T07", "leader_quota", any_record, lambda s, q: {"doc_date": s.on + SOON}),
    one("T07", "contract_quota", any_record, lambda s, q: {"approve_date": s.on + SOON}),
    one(
        "T07",
        "contract",
        any_record,
        lambda s, c: {"leave_date": s.on + SOON} if c["status"] == "离职" else None,
        rare=True,
    ),
)
FORMS: tuple[Error, ...] = (*REQUIRED, *WIDTH, *DATES, *COUNTS, *DOCUMENTS, *PLACEHOLDERS, *FUTURE)
