"""Figures kept in the process for as long as they are exact: each lies under the stamp of what it was read from. Never under a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.engine.models import CaseHistory
from workflow.quality.models import CheckRun
from workflow.registry.tables import TABLES
from workflow.scoping import whole_view

Value = TypeVar("Value")
Stamp = tuple[Any, ...]
MOST = 400  # figures kept at once, the longest unused goes first

_kept: OrderedDict[Hashable, tuple[Stamp, Any]] = OrderedDict()
_lock = threading.Lock()


def remembered(session: Session, key: Hashable, stamp: Stamp, make: Callable[[], Value]) -> Value:
    """What `make` gave under this stamp; made anew when the stamp differs. `key` names the figure and everything it depends on besides."""
    place = (str(session.get_bind().engine.url), key)
    with _lock:
        found = _kept.get(place)
        if found is not None and found[0] == stamp:
            _kept.move_to_end(place)
            return found[1]
    value = make()
    with _lock:
        _kept[place] = (stamp, value)
        _kept.move_to_end(place)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return value


def shared(session: Session, key: Hashable, stamp: Stamp, make: Callable[[], Value]) -> Value:
    """As `remembered`, of a figure that serves everybody and is narrowed afterwards: read whole, whoever happens to ask first."""

    def whole() -> Value:
        with whole_view(session):
            return make()

    return remembered(session, key, stamp, whole)


def stamps(session: Session) -> tuple[Stamp, Stamp]:
    """The stamps of the lights and of the unit tree, in one statement.

    No light changes without a step in the history or a check run; no unit without a later write. Each is one look at the end of an index.
    """
    with whole_view(
        session
    ):  # the number of the last step, whoever's it was: among those in reach it would be a search
        row = session.execute(_STAMPS).one()
    return tuple(row[:3]), tuple(row[3:])


_UNIT = TABLES["unit"]
_STAMPS = select(
    select(func.max(CaseHistory.id)).scalar_subquery(),
    select(func.max(CheckRun.id)).scalar_subquery(),
    select(CheckRun.finished_at).order_by(CheckRun.id.desc()).limit(1).scalar_subquery(),
    select(func.max(_UNIT.c.changed_at)).scalar_subquery(),
    select(func.count()).select_from(_UNIT).scalar_subquery(),
)
