"""Beside the steps of any case: comments, files, urging, copies with receipts. Rows only, append-only but for the receipt; no commit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import false, select, update
from sqlalchemy.orm import Session

from workflow.access.roles import roles
from workflow.access.scopes import Actor, actor_named
from workflow.casework.handling_models import CaseAttachment, CaseComment, CaseCopy, CaseUrge
from workflow.casework.seeing import readable
from workflow.engine.models import Case
from workflow.engine.outbox import Message, emit_all, insert_new
from workflow.errors import BadInput, Conflict, NotFound
from workflow.registry.models import UnitClosure
from workflow.registry.tables import TABLES

MENTION = re.compile(r"(?<![A-Za-z0-9])@([a-z_]+(?:@[0-9]{6,})?)")
UNIT = TABLES["unit"].c
CITY = "330200"


def comment(session: Session, case: Case, actor: Actor, text: str, now: datetime) -> CaseComment:
    """Write a comment; who is named with @account is told. Raises BadInput for an empty one or a name out of scope."""
    words = text.strip()
    if not 0 < len(words) <= 2000:
        raise BadInput("请填写 1 至 2000 字的意见", errors=[{"field": "text"}])
    named = list(dict.fromkeys(MENTION.findall(words)))
    for account in named:
        _prove_may_read(session, account, case, now)
    row = CaseComment(case_id=case.id, account=actor.account, text=words, at=now)
    session.add(row)
    session.flush()
    told = [_item(case, "case.mention", "有人在事项中提到您") | {"account": account} for account in named]
    _tell(session, f"case.mention:{row.id}", told, now)
    return row


def attach(session: Session, case: Case, actor: Actor, files: Iterable[dict[str, Any]], now: datetime) -> int:
    """Lay files beside a case; the same content again is left out. Returns how many are new."""
    there = {each.file["sha256"] for each in session.scalars(_of(CaseAttachment, case.id))}
    fresh = [file for file in files if file["sha256"] not in there]
    session.add_all(CaseAttachment(case_id=case.id, account=actor.account, file=file, at=now) for file in fresh)
    session.flush()
    return len(fresh)


def urge(session: Session, case: Case, actor: Actor, *, today: date, now: datetime) -> None:
    """Remind whose turn it is (催办). Raises Conflict for a second time on a day, or where it is nobody's turn."""
    if not case.open or case.inbox is None:
        raise Conflict("此事项现在没有待办环节，无须催办")
    row = {"case_id": case.id, "on": today, "account": actor.account, "at": now}
    fresh = insert_new(session, CaseUrge, ["case_id", "on"]).returning(CaseUrge.case_id)
    if not session.execute(fresh, row).all():
        raise Conflict("此事项今天已催办过，每天催办一次")
    item = _item(case, "case.urge", "催办：请尽快办理")
    if case.assignee:
        item |= {"account": case.assignee}
    elif roles()[case.inbox].scope == "unit":
        item |= {"role": case.inbox, "unit_id": case.unit_id}
    else:
        county = session.scalar(select(UNIT.district_code).where(UNIT.id == case.unit_id))
        item |= {"role": case.inbox, "district": county or CITY}
    _tell(session, f"case.urge:{case.id}:{today}", [item], now)


def copy_to(session: Session, case: Case, actor: Actor, to: str, now: datetime) -> int:
    """Show a case to an account that may read it, or to a unit: the case's own or one above it (抄送). Returns the copy's id.

    Raises BadInput for anybody else, Conflict for a second copy to the same.
    """
    to = to.strip()
    if to.isascii() and to.isdigit():
        aim = {"to_account": "", "to_unit_id": _unit_concerned(session, to, case)}
        items = [{"role": role, "unit_id": aim["to_unit_id"]} for role in ("unit_head", "unit_clerk")]
    else:
        _prove_may_read(session, to, case, now)
        aim, items = {"to_account": to, "to_unit_id": 0}, [{"account": to}]
    row = {"case_id": case.id, "by": actor.account, "at": now, **aim}
    fresh = insert_new(session, CaseCopy, ["case_id", "to_account", "to_unit_id"]).returning(CaseCopy.id)
    made = session.scalars(fresh, row).one_or_none()
    if made is None:
        raise Conflict(f"此事项已抄送 {to}")
    told = [_item(case, "case.copy", "抄送：请阅知并签收") | item for item in items]
    _tell(session, f"case.copy:{made}", told, now)
    return made


def sign_for(session: Session, copy_id: int, actor: Actor, now: datetime) -> None:
    """Say that one has read a copy; the first of a unit says it for the unit. Raises NotFound for a copy to somebody else."""
    mine = CaseCopy.to_account == actor.account
    if actor.unit_id is not None:
        mine |= CaseCopy.to_unit_id == actor.unit_id
    signed = update(CaseCopy).where(CaseCopy.id == copy_id, mine, CaseCopy.read_at.is_(None))
    if not session.execute(signed.values(read_at=now, read_by=actor.account).returning(CaseCopy.id)).all():
        raise NotFound


def beside(session: Session, case_id: int) -> dict[str, Any]:
    """Comments, files, copies and urgings of a case, each in order: four statements."""
    copies = select(CaseCopy, UNIT.name.label("unit_name")).outerjoin(
        TABLES["unit"], UNIT.id == CaseCopy.to_unit_id
    )  # fmt: skip
    return {
        "comments": session.scalars(_of(CaseComment, case_id)).all(),
        "files": session.scalars(_of(CaseAttachment, case_id)).all(),
        "copies": session.execute(copies.where(CaseCopy.case_id == case_id).order_by(CaseCopy.id)).all(),
        "urges": session.scalars(select(CaseUrge).where(CaseUrge.case_id == case_id).order_by(CaseUrge.on)).all(),
    }


def _of(model: Any, case_id: int) -> Any:
    return select(model).where(model.case_id == case_id).order_by(model.id)


def _prove_may_read(session: Session, account: str, case: Case, now: datetime) -> None:
    try:
        seen = readable(actor_named(session, account, now))
    except NotFound:
        seen = false()
    if session.scalar(select(Case.id).where(Case.id == case.id, seen)) is None:
        raise BadInput(f"没有账号 {account}，或其管理范围不含此事项的单位", errors=[{"field": "to", "value": account}])


def _unit_concerned(session: Session, code: str, case: Case) -> int:
    above = select(UnitClosure.ancestor_id).where(UnitClosure.descendant_id == case.unit_id)
    found = session.scalar(select(UNIT.id).where(UNIT.unit_code == code, UNIT.id.in_(above)))
    if found is None:
        raise BadInput(f"只能抄送此事项的单位或其上级单位，{code} 不是", errors=[{"field": "to", "value": code}])
    return int(found)


def _item(case: Case, kind: str, title: str) -> dict[str, Any]:
    link = f"/cases/{case.id}"
    return {"kind": kind, "title": title, "says": case.title, "case_id": case.id, "link": link, "gather": str(case.id)}


def _tell(session: Session, key: str, items: list[dict[str, Any]], now: datetime) -> None:
    if items:
        emit_all(session, [Message("notice", key, {"items": items})], now)
