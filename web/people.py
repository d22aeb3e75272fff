"""Names of the people behind accounts, for pages that say who acted (办法16 实名使用). Read once a page, kept for a while in the process."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import select

from web.database import session
from workflow.access.models import Account

KEPT = 600.0  # seconds after which a name is read again
MOST = 20_000  # names kept; beyond that all are read anew
_known: dict[tuple[str, str], tuple[str, float]] = {}  # (database, account) → name, read when


def learn(accounts: Iterable[str | None]) -> None:
    """Read the names that are not known yet, in at most one statement; `named` then gives them."""
    place, now = _place(), time.monotonic()
    wanted = {account for account in accounts if account}
    missing = sorted(one for one in wanted if _known.get((place, one), ("", -KEPT))[1] + KEPT <= now)
    if not missing:
        return
    if len(_known) > MOST:
        _known.clear()
    found = session().execute(select(Account.name, Account.person_name).where(Account.name.in_(missing)))
    names = {row.name: row.person_name for row in found}
    _known.update({(place, one): (names.get(one, ""), now) for one in missing})


def named(account: str) -> str:
    """The name behind an account; empty where it was not learnt or there is none."""
    return _known.get((_place(), account), ("", 0.0))[0]


def _place() -> str:
    return str(session().get_bind().engine.url)
