"""Open cases moved to another version of their process as a reviewed act (办法17): asked with its dry run, approved by two others, carried out once.

The request keeps the mapping; what was approved is what is carried out. `carry_out` is an edge's work: it opens transactions of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from workflow.access.scopes import CITY, Actor, actor_named
from workflow.casework.models import BOND
from workflow.casework.reporting import (
    PROCESS,
    Operation,
    ask_approval,
    carried_out,
    digest_key,
    newest_request,
    require_approval,
)
from workflow.clock import present
from workflow.db import reading, writing
from workflow.engine.inbox import case_by_id
from workflow.engine.mapping import Standing, read_mapping
from workflow.engine.migrating import Migrated, migrate_cases
from workflow.engine.migration import Migration, prove_migration, standing, versions_named
from workflow.engine.models import CASE
from workflow.engine.steps import lock_cases
from workflow.errors import BadInput, NotAllowed, NotFound
from workflow.registry.tables import TABLES

KIND = "migrate_cases"
READ, RUN = "migration.read", "migration.run"
CHUNK = 500  # cases of one transaction
UNIT = TABLES["unit"].c


@dataclass(frozen=True)
class Outcome:
    """How many cases moved now, which stay and why, and the request whose result is on file by that; None while cases stay."""

    moved: int
    left: Mapping[int, str]
    reported: int | None

    @property
    def says(self) -> str:
        """In one sentence."""
        stay = f"，{len(self.left)} 件未能迁移：{'；'.join(f'{k} {v}' for k, v in list(self.left.items())[:5])}"
        return f"已迁移 {self.moved} 件未办结事项{stay if self.left else ''}"


def require_city(actor: Actor, action: str) -> None:
    """A version is in force for the whole city. Raises NotAllowed for everybody but its office."""
    if not any(held.everywhere for held in actor.holding(action)):
        raise NotAllowed("流程换版涉及全市的事项，由市级机构编制部门办理")


def planned(session: Session, process: str, old: str, new: str, mapping: str) -> Migration:
    """A migration between two versions, each named by its number or the beginning of its hash. Raises BadInput, NotFound."""
    written = read_mapping(mapping)
    before, after = versions_named(session, process, old, new)
    return Migration(before, after, written)


def key_of(migration: Migration) -> str:
    """The key of the operation: these two texts and this mapping, and no other."""
    return digest_key("migration", _facts(migration))


def _facts(migration: Migration) -> dict[str, Any]:
    return {
        "process": migration.old.process,
        "from": migration.old.hash,
        "to": migration.new.hash,
        "mapping": migration.mapping.as_json(),
    }


def link_of(key: str) -> str:
    """Where it is looked at and carried out."""
    return f"/migrations/{key.partition(':')[2]}"


def operation_of(session: Session, migration: Migration, there: Standing | None = None) -> Operation:
    """The move as a request names it; the number of cases is that of the moment (`there`, where it is known)."""
    old, new = migration.old, migration.new
    there = there or standing(session, migration)
    told = "、".join(f"{old.states[state].title} {n} 件" for state, n in there.cases.items()) or "没有未办结事项"
    key = key_of(migration)
    says = (
        f"“{old.title}”第 {old.version} 版的未办结事项改用第 {new.version} 版（{told}），对应表 SHA-256 {key[10:26]}…"
    )
    return Operation(key, "definition", says, sum(there.cases.values()), link_of(key))


def ask(
    session: Session, migration: Migration, unit_id: int, texts: Mapping[str, Any], *, now: datetime, actor: Actor
) -> int:
    """The request for a migration that is proved; it keeps the mapping. Returns the case.

    Raises NotAllowed outside the city's office, BadInput for a mapping at fault or a unit of another district.
    """
    require_city(actor, RUN)
    there = prove_migration(session, migration)
    if session.scalar(select(UNIT.district_code).where(UNIT.id == unit_id)) != CITY:
        raise BadInput("须由市本级的单位名义请示，由市级机构编制部门审批", errors=[{"field": "unit"}])
    operation = operation_of(session, migration, there)
    kept = {"migration": _facts(migration)}
    return ask_approval(session, operation, unit_id, texts, now=now, actor=actor, data=kept)


def asked_for(session: Session, digest: str) -> tuple[Migration, Any]:
    """The migration of the newest request with that digest, and the request's case (id, state, subject). Raises NotFound."""
    mine = select(CASE.c.id, CASE.c.state, CASE.c.subject, CASE.c.title, CASE.c.data).join(
        BOND, BOND.c.case_id == CASE.c.id
    )
    mine = mine.where(BOND.c.key == f"migration:{digest}", CASE.c.process == PROCESS).order_by(CASE.c.id.desc())
    found = session.execute(mine.limit(1)).one_or_none()
    if found is None:
        raise NotFound
    facts = found.data["migration"]
    return planned(
        session, facts["process"], facts["from"], facts["to"], orjson.dumps(facts["mapping"]).decode()
    ), found


def carry_out(
    engine: Engine,
    migration: Migration,
    by: str,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    clock: Callable[[], datetime] = present,
) -> Outcome:
    """Moves every open case in chunks, each in a transaction under the approved request; repeated, it goes on where it stopped.

    1. Proves the whole mapping on the cases as they are. Raises BadInput; nothing has changed.
    2. Moves chunk by chunk. Raises NotAllowed, or Refused where the request is not approved, or not any more.
    3. Where no case is left, the request is used up and its result reported; else it stays approved.
    """
    with reading(engine) as session:
        require_city(actor_named(session, by, clock()), RUN)
        there = prove_migration(session, migration)
        operation = operation_of(session, migration, there)
        if there.cases:
            require_approval(session, operation, operation.link)
    total, moved, after = sum(there.cases.values()), 0, 0
    left: dict[int, str] = {}
    while ids := _next(engine, migration, after):
        with writing(engine) as session:
            done = _chunk(session, migration, operation, ids, by, clock())
        moved, after = moved + len(done.moved), ids[-1]
        left |= done.left
        progress(moved, max(total, moved))
    with writing(engine) as session:
        reported = _report(session, migration, moved, clock()) if not left else None
    return Outcome(moved, left, reported)


def work_off(engine: Engine, digest: str, by: str, *, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """What a worker does of it: message and result for the row of the job."""
    with reading(engine) as session:
        migration, _ = asked_for(session, digest)
    outcome = carry_out(engine, migration, by, progress=progress)
    return {"message": outcome.says, "result": {"moved": outcome.moved, "left": len(outcome.left)}}


def _next(engine: Engine, migration: Migration, after: int) -> list[int]:
    with reading(engine) as session:
        ids = select(CASE.c.id).where(migration.open, CASE.c.id > after).order_by(CASE.c.id).limit(CHUNK)
        return list(session.scalars(ids))


def _chunk(
    session: Session, migration: Migration, operation: Operation, ids: list[int], by: str, now: datetime
) -> Migrated:
    request = require_approval(session, operation, operation.link)
    if migration.old.process != PROCESS:  # requests among themselves are locked in the order of their ids
        lock_cases(session, PROCESS, [request])  # nobody withdraws it beside us
        require_approval(session, operation, operation.link)
    asked = case_by_id(session, request)
    reason = f"请示 {asked['subject']} 批准：{asked['data']['form'].get('why', '')}"[:2000]
    actor = actor_named(session, by, now)
    return migrate_cases(session, migration, ids, now=now, actor=actor, reason=reason, facts={"request": request})


def _report(session: Session, migration: Migration, moved: int, now: datetime) -> int | None:
    if session.scalar(select(func.count()).select_from(CASE).where(migration.open)):
        return None
    found = newest_request(session, key_of(migration))
    if found is None or found.state != "approved":
        return None
    result = f"未办结事项已全部改用第 {migration.new.version} 版，本次迁移 {moved} 件"
    return carried_out(session, key_of(migration), result, now=now)
