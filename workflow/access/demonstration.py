"""Demonstration accounts (CONTRACT): a clerk and a head of every unit, the offices' staff, the administrators. Never in production."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.accounts import create_in_bulk, hash_password
from workflow.access.scopes import CITY
from workflow.clock import business_date
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

PASSWORD = "sandeng-demo"
SURNAMES = "陈王张徐李周林黄吴胡俞沈郑朱叶杨毛严金何"
GIVEN = (
    "建国",
    "晓燕",
    "志明",
    "丽娜",
    "海波",
    "文静",
    "永康",
    "雪芬",
    "宏伟",
    "佳怡",
    "立军",
    "亚萍",
    "国平",
    "思远",
    "慧敏",
    "卫东",
    "春晖",
    "若兰",
    "正阳",
)
ADMINISTRATORS = {"security": "数据安全管理员", "auditor": "安全审计员", "sysadmin": "系统管理员"}
OFFICE = {"reviewer": "审核人员", "leader": "分管领导"}


def create_demonstration_accounts(session: Session, *, now: datetime, by: str = "demo") -> int:
    """Accounts for every unit and office that lacks them; the one password is hashed once. Returns how many were made."""
    unit = TABLES["unit"].c
    units = session.execute(select(unit.id, unit.unit_code, unit.name, unit.district_code).order_by(unit.id)).all()
    districts = {row.district_code for row in units} | {CITY}
    people = [*_administrators(), *_offices(districts), *_county_officers(districts), *_unit_people(units)]
    shared = {
        "password_hash": hash_password(PASSWORD),
        "demo": True,
        "created_at": now,
        "created_by": by,
        "failures": 0,
    }
    accounts = [{**shared, **account} for account, _ in people]
    grants = [_grant(account["name"], given, business_date(now), now, by) for account, given in people]
    return create_in_bulk(session, accounts, grants)[0]


def _grant(account: str, given: dict[str, Any], on: date, now: datetime, by: str) -> dict[str, Any]:
    scope = {"unit_id": None, "district": None, **given}
    return {"account": account, **scope, "from_on": on, "purpose": "演示", "granted_by": by, "granted_at": now}


def _administrators() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for number, (name, title) in enumerate(ADMINISTRATORS.items()):
        yield _account(name, title, None, CITY, number), {"role": name, "scope": "platform"}
    second = _account("security2", ADMINISTRATORS["security"], None, CITY, len(ADMINISTRATORS))
    yield second, {"role": "security", "scope": "platform"}  # who approves what the first proposes


def _offices(districts: Iterable[str | None]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    regions = dictionary().codes["region"]
    for number, district in enumerate(sorted(d for d in districts if d)):
        place = "市委编办" if district == CITY else f"{regions.label(district)}委编办"
        for offset, (role, title) in enumerate(OFFICE.items()):
            name = role if district == CITY else f"{role}@{district}"
            yield (
                _account(name, f"{place}{title}", None, district, 11 + 3 * number + offset),
                {
                    "role": role,
                    "scope": "district",
                    "district": district,
                },
            )


def _county_officers(districts: Iterable[str | None]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for number, district in enumerate(sorted(d for d in districts if d and d != CITY)):
        title = f"{dictionary().codes['region'].label(district)}数据安全管理员"
        given = {"role": "county_security", "scope": "district", "district": district}
        yield _account(f"security@{district}", title, None, district, 5 + 2 * number), given


def _unit_people(units: Iterable[Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for row in units:
        for kind, role, title in (("clerk", "unit_clerk", "经办人"), ("head", "unit_head", "负责人")):
            account = _account(f"{kind}@{row.unit_code}", f"{row.name}{title}", row.id, "", 7 * row.id + len(role))
            yield account, {"role": role, "scope": "unit", "unit_id": row.id}


def _account(name: str, title: str, unit_id: int | None, district: str, number: int) -> dict[str, Any]:
    person = SURNAMES[number % len(SURNAMES)] + GIVEN[number * 5 % len(GIVEN)]
    return {"name": name, "person_name": person, "title": title[:100], "unit_id": unit_id, "district": district}
