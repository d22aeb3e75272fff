"""Who may see a case: everybody who may read cases of its unit or of another side, fewer where its process says so (`read:` of the table). Reads only."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import ColumnElement, Select, and_, bindparam, false, or_, select

from workflow.access.scopes import Actor, in_scope, may
from workflow.casework.models import SIDE
from workflow.engine.definition import Definition
from workflow.engine.models import CASE, Case
from workflow.engine.registry import book

READ = "case.read"


def may_see(actor: Actor, definition: Definition) -> bool:
    """Whether cases of the process are shown to the person at all: by the action that it names, else by that for all business."""
    return may(actor, definition.read or READ)


def readable(actor: Actor) -> ColumnElement[bool]:
    """The condition that a case of `case_file` lies within what the person may see; for every list and page of cases.

    Who guards the platform and does no business sees the cases of processes with an action of their own, and no others.
    """
    return _readable(actor, _actions())


def one_readable(actor: Actor) -> Select[Case]:
    """The statement for one `case` within what the person may see."""
    return _one_readable(actor, _actions())


def _actions() -> tuple[tuple[str, str], ...]:
    return tuple((each.process, each.read) for each in book().current.values() if each.read)


@lru_cache(maxsize=512)
def _one_readable(actor: Actor, actions: tuple[tuple[str, str], ...]) -> Select[Case]:
    return select(Case).where(Case.id == bindparam("case"), _readable(actor, actions))


@lru_cache(maxsize=512)
def _readable(actor: Actor, actions: tuple[tuple[str, str], ...]) -> ColumnElement[bool]:
    """The same, kept: it stands in every statement about cases, and building it costs more than running it."""
    guarded = dict(actions)
    if not may(actor, READ):
        named = [process for process, action in guarded.items() if may(actor, action)]
        whole = [in_scope(actor, guarded[process], CASE.c.unit_id) & (CASE.c.process == process) for process in named]
        return or_(false(), *whole)
    own = [
        or_(CASE.c.process != process, in_scope(actor, action, CASE.c.unit_id)) for process, action in guarded.items()
    ]
    sides = select(SIDE.c.case_id).where(in_scope(actor, READ, SIDE.c.unit_id))
    return and_(or_(in_scope(actor, READ, CASE.c.unit_id), CASE.c.id.in_(sides)), *own)
