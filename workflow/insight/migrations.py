"""Which versions of the processes have open cases, and which moves between them were asked for. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.casework.migrating import KIND
from workflow.casework.models import BOND
from workflow.casework.reporting import PROCESS
from workflow.engine.definition import Definition
from workflow.engine.models import CASE, ProcessDefinition
from workflow.engine.registry import book
from workflow.operations.models import JobRequest

LATEST = 30


@dataclass(frozen=True)
class OldVersion:
    """A version that is not in force any more, and how many cases still go by it."""

    old: Definition
    current: Definition
    cases: int


def old_versions(session: Session) -> list[OldVersion]:
    """The versions out of force under which cases still run, by process."""
    in_force = book()
    current = [definition.hash for definition in in_force.current.values()]
    kept = select(ProcessDefinition.hash).where(ProcessDefinition.hash.not_in(current))
    found = []
    for hash_ in session.scalars(kept.order_by(ProcessDefinition.process, ProcessDefinition.version)).all():
        old = in_force.version(session, hash_)
        if old.process in in_force.current:
            found.append(old)
    counted = _open(session, found)
    return [OldVersion(old, in_force.current[old.process], counted[old.hash]) for old in found if counted.get(old.hash)]


def _open(session: Session, old: Sequence[Definition]) -> dict[str, int]:
    """Hash → cases in no final state, in one statement over the processes concerned."""
    processes = {definition.process for definition in old}
    if not processes:
        return {}
    rows = select(CASE.c.definition, CASE.c.state, func.count()).where(CASE.c.process.in_(processes))
    by_hash, counted = {definition.hash: definition for definition in old}, dict.fromkeys((d.hash for d in old), 0)
    for hash_, state, count in session.execute(rows.group_by(CASE.c.definition, CASE.c.state)):
        if hash_ in by_hash and not by_hash[hash_].states[state].final:
            counted[hash_] += count
    return counted


def migrations_asked(session: Session) -> list[Any]:
    """The latest requests for a move: digest in `key`, what it says, the case and its state."""
    asked = select(BOND.c.key, BOND.c.says, CASE.c.id, CASE.c.subject, CASE.c.state, CASE.c.opened_at, CASE.c.opened_by)
    asked = asked.join(CASE, CASE.c.id == BOND.c.case_id).where(CASE.c.process == PROCESS)
    mine = asked.where(BOND.c.key.like("migration:%")).order_by(CASE.c.id.desc()).limit(LATEST)
    return list(session.execute(mine))


def run_of(session: Session, digest: str) -> JobRequest | None:
    """The latest job that carries a move out; None where nobody began."""
    jobs = session.scalars(
        select(JobRequest).where(JobRequest.kind == KIND).order_by(JobRequest.id.desc()).limit(LATEST)
    )
    return next((job for job in jobs if job.params.get("digest") == digest), None)
