"""会签、加签: other people's opinions on a case, asked for by name and given once. Rows only.

Who is asked must hold a role of the office over the case's unit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from workflow.access.models import Account
from workflow.access.scopes import actor_named
from workflow.casework.models import SIGNATURE
from workflow.engine.context import StepContext
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import effect
from workflow.errors import BadInput
from workflow.registry.tables import TABLES

UNIT = TABLES["unit"].c
OFFICE_ROLES = ("reviewer", "leader")


def named_in(text: str) -> list[str]:
    """The names in a line, each once, in order."""
    return list(dict.fromkeys(part for part in re.split(r"[\s、，,;；]+", text) if part))


@effect("ask_signatures")
def ask_signatures(context: StepContext) -> None:
    """Asks the people named for their opinion; whoever is asked already is not asked twice. Raises BadInput naming whom it cannot ask."""
    names = named_in(str(context.request.inputs["signers"]))
    for case in context.cases:
        _prove_signers(context, case.unit_id, names)
        waiting = select(SIGNATURE.c.account).where(SIGNATURE.c.case_id == case.id, SIGNATURE.c.opinion.is_(None))
        asked = set(context.session.scalars(waiting))
        row = {"case_id": case.id, "asked_by": context.account, "asked_at": context.now, "says": ""}
        rows = [row | {"account": name} for name in names if name not in asked]
        if rows:
            context.session.execute(insert(SIGNATURE), rows)
        kind, title = "approval.sign", f"请您会签：{case.title}"
        told = {"kind": kind, "title": title, "case_id": case.id, "link": f"/cases/{case.id}"}
        items = [told | {"account": row["account"]} for row in rows]
        emit_all(
            context.session,
            [Message("notice", f"{kind}:{case.id}:{case.version}", {"items": items})] if items else [],
            context.now,
        )


def _prove_signers(context: StepContext, unit_id: int | None, names: Sequence[str]) -> None:
    if not names:
        raise BadInput("请填写会签人账号", errors=[{"field": "signers"}])
    units = {unit_id} if unit_id is not None else set[int]()
    wrong = []
    for name in names:
        account = context.session.get(Account, name)
        person = actor_named(context.session, name, context.now) if account and not account.disabled_on else None
        if person is None or not any(
            person.reach(context.session, role, units) for role in OFFICE_ROLES if person.has(role)
        ):
            wrong.append(name)
    if wrong:
        raise BadInput(
            f"不能请 {'、'.join(wrong)} 会签：须是管理本单位的编办审核员或领导", errors=[{"field": "signers"}]
        )


@effect("keep_signature")
def keep_signature(context: StepContext) -> None:
    """The opinion of whoever signs, with what they add."""
    values = {
        "opinion": context.request.inputs["opinion"],
        "says": (context.request.reason or "")[:1000],
        "signed_at": context.now,
    }
    for case in context.cases:
        mine = (
            (SIGNATURE.c.case_id == case.id) & (SIGNATURE.c.account == context.account) & SIGNATURE.c.opinion.is_(None)
        )
        context.session.execute(update(SIGNATURE).where(mine).values(values))


def signatures_of(session: Session, case_id: int) -> Sequence[Any]:
    """The opinions asked for on a case, in order."""
    return session.execute(select(SIGNATURE).where(SIGNATURE.c.case_id == case_id).order_by(SIGNATURE.c.id)).all()
