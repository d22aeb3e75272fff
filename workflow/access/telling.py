"""Notices about accounts and sessions: to the person, to the security officers, to the unit's head. Rows only; delivered from the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workflow.engine.outbox import emit


def tell_account(
    session: Session,
    account: str,
    kind: str,
    title: str,
    says: str,
    key: str,
    now: datetime,
    link: str = "/me/sessions",
) -> None:
    """One person is told something about the own account; `key` makes it unique within the kind."""
    item = {"account": account, "kind": kind, "title": title, "says": says, "link": link, "gather": key}
    _emit(session, kind, f"{account}:{key}", [item], now)


def tell_security(
    session: Session,
    kind: str,
    title: str,
    says: str,
    key: str,
    now: datetime,
    *,
    link: str = "",
    unit_id: int | None = None,
    urgent: bool = False,
) -> None:
    """The security officers are told, and the head of a unit where one is named. `urgent`: at once, at night and on days off too."""
    item: dict[str, Any] = {"role": "security", "kind": kind, "title": title, "says": says, "link": link}
    item |= {"gather": key[:80], **({"urgent": True} if urgent else {})}
    heads = [item | {"role": "unit_head", "unit_id": unit_id, "link": ""}] if unit_id is not None else []
    _emit(session, kind, f"security:{key}", [item, *heads], now)


def _emit(session: Session, kind: str, key: str, items: list[dict[str, Any]], now: datetime) -> None:
    emit(session, "notice", f"{kind}:{key}"[:160], {"items": items}, now)
