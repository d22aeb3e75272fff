"""A new account, opened by a security officer for one real person (办法16 实名使用、一人一号); without any role until a second officer approves one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.access.accounts import create_account
from workflow.access.models import Account
from workflow.access.scopes import CITY, Actor, in_scope
from workflow.errors import BadInput, Conflict, SandengError
from workflow.registry.dictionary import dictionary
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES
from workflow.scoping import whole_view

MANAGE = "account.manage"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}(@[A-Za-z0-9]{1,30})?")
TAKEN = ("new", "cli", "system", "clock", "checker", "demo")  # names of parts of the platform and of pages
HOLDERS = ("person", "contract")  # data sets of people
LONGEST = {"person_name": 50, "title": 100}
LABELS = {
    "name": "账号",
    "person_name": "姓名",
    "title": "职务",
    "unit": "所在单位",
    "district": "政区",
    "person_code": "人员编码",
}
UNIT = TABLES["unit"].c


class _Fault(NamedTuple):
    field: str
    says: str


def open_account(session: Session, actor: Actor, texts: Mapping[str, str], now: datetime) -> Account:
    """An account of a person of a unit in reach, or of an office where the city opens it.

    `texts`: name, person_name, title, unit (code) or district, person_code. Raises BadInput with every field and its fault,
    Conflict where the name is taken or the person has an account.
    """
    given = {name: texts.get(name, "").strip() for name in LABELS}
    unit_id = session.scalar(
        select(UNIT.id).where(
            UNIT.unit_code == given["unit"], UNIT.removed_on.is_(None), in_scope(actor, MANAGE, UNIT.id)
        )
    )
    _refuse(BadInput, [*_faults_of_name(given), *_faults_of_place(actor, given, unit_id)])
    if given["person_code"]:
        _refuse(BadInput, _faults_of_holder(session, given, unit_id))
    _refuse(Conflict, _taken(session, given))
    return create_account(
        session, name=given["name"], person_name=given["person_name"], title=given["title"], unit_id=unit_id,
        district="" if unit_id else given["district"], person_code=given["person_code"] or None, now=now, by=actor.account,
    )  # fmt: skip


def _refuse(error: type[SandengError], faults: Sequence[_Fault]) -> None:
    if faults:
        raise error(
            "；".join(f"「{LABELS[fault.field]}」{fault.says}" for fault in faults),
            errors=[{"field": fault.field, "message": fault.says} for fault in faults],
        )


def _faults_of_name(given: Mapping[str, str]) -> list[_Fault]:
    name, faults = given["name"], list[_Fault]()
    if not NAME.fullmatch(name) or name.lower() in TAKEN:
        faults.append(_Fault("name", "用字母、数字、点、横线，可加 @ 和机构编码或政区代码，如 li@330282101"))
    if not given["person_name"]:
        faults.append(_Fault("person_name", "须填写真实姓名"))
    faults += [_Fault(field, f"最多 {most} 个字") for field, most in LONGEST.items() if len(given[field]) > most]
    return faults


def _faults_of_place(actor: Actor, given: Mapping[str, str], unit_id: int | None) -> list[_Fault]:
    everywhere = any(held.everywhere for held in actor.holding(MANAGE))
    if given["unit"]:
        return [] if unit_id else [_Fault("unit", "没有这个机构，或不在您的管理范围内")]
    if not everywhere:
        return [_Fault("unit", "须填写机构编码")]
    if not given["district"]:
        return [_Fault("unit", "单位人员填机构编码，机构编制部门人员填政区")]
    regions = dictionary().codes["region"].by_code
    return [] if given["district"] in regions or given["district"] == CITY else [_Fault("district", "没有这个政区")]


def _faults_of_holder(session: Session, given: Mapping[str, str], unit_id: int | None) -> list[_Fault]:
    """The record must be of a person of that name in the unit or below it; locked, so that two officers open one account after the other."""
    for dataset in HOLDERS:
        record, described = TABLES[dataset].c, dictionary()[dataset]
        at = record[described.fields[described.unit or ""].column]
        below = select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == unit_id)
        found = select(record.id).where(record[described.key] == given["person_code"], record.removed_on.is_(None))
        found = found.where(record[described.fields["name"].column] == given["person_name"])
        with whole_view(session):
            here = found if unit_id is None else found.where(at.in_(below))
            known = session.scalar(here.with_for_update(key_share=True))
        if known is not None:
            return []
    return [_Fault("person_code", "本单位没有这一编码和姓名的人员")]


def _taken(session: Session, given: Mapping[str, str]) -> list[_Fault]:
    """A name is one account's, and a person has one account that is open (办法16 一人一号)."""
    faults = [_Fault("name", "已有此账号")] if session.get(Account, given["name"]) else []
    if not given["person_code"]:
        return faults
    own = select(Account.name).where(Account.person_code == given["person_code"], Account.disabled_on.is_(None))
    other = session.scalar(own.limit(1))
    return [*faults, _Fault("person_code", f"本人已有账号 {other}（一人一号）")] if other else faults
