"""One step on many cases: asked for once, taken by a worker in chunks through the engine, each row with what became of it.

A row and its step are written in one transaction, so a repeat after a crash goes on where it stopped. An edge's work: `work_off`
opens transactions of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, actor_named
from workflow.access.substitution import take_step_as
from workflow.casework.handling_models import BulkRow, BulkStep
from workflow.casework.seeing import readable
from workflow.clock import present
from workflow.db import reading, writing
from workflow.engine.inputs import prove_inputs
from workflow.engine.models import CASE
from workflow.engine.registry import book
from workflow.engine.sets import among
from workflow.engine.steps import StepResult, lock_cases
from workflow.errors import BadInput, NotFound, SandengError
from workflow.operations.requests import ask

KIND = "bulk_step"
MOST = 2_000  # cases of one request
CHUNK = 50  # cases of one transaction
STATES = {
    "queued": "待办理",
    "moved": "已办理",
    "refused": "未能办理",
    "changed": "他人已先办理",
    "stopped": "已停止，未办理",
}


def start(
    session: Session,
    actor: Actor,
    process: str,
    do: str,
    versions: Mapping[int, int],
    *,
    key: str,
    now: datetime,
    reason: str = "",
    inputs: Mapping[str, Any] | None = None,
) -> BulkStep:
    """Ask for a step on cases as they were seen (case id → version); the same key again gives the same request.

    Raises BadInput for none or too many cases, for an unknown step, without what the step needs, or with what its fields do not allow,
    NotFound where one of the cases is not shown to the person: what becomes of a row is told with the case's title.
    """
    known = select(BulkStep).where(BulkStep.account == actor.account, BulkStep.key == key)
    if earlier := session.scalars(known).one_or_none():
        return earlier
    _prove(process, do, versions, {**(inputs or {}), "reason": reason.strip()})
    seen = session.scalar(select(func.count()).where(among(session, CASE.c.id, list(versions)), readable(actor)))
    if seen != len(versions):
        raise NotFound
    request = ask(session, KIND, {}, by=actor.account, now=now)
    made = BulkStep(
        account=actor.account, key=key, request_id=request.id, process=process, do=do, reason=reason.strip(),
        inputs=dict(inputs or {}), asked_at=now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    request.params = {"bulk_id": made.id}
    session.add_all(BulkRow(bulk_id=made.id, case_id=case, version=seen) for case, seen in versions.items())
    session.flush()
    return made


def _prove(process: str, do: str, versions: Mapping[int, int], given: Mapping[str, Any]) -> None:
    if not 0 < len(versions) <= MOST:
        raise BadInput(f"请选中 1 至 {MOST} 件事项")
    definition = book().process(process)
    for step in definition.steps:
        if step.do == do:
            prove_inputs(definition, step, str(given["reason"]), {n: v for n, v in given.items() if n != "reason"})
    needs = dict.fromkeys(need for step in definition.steps if step.do == do for need in step.needs)
    if not any(step.do == do for step in definition.steps):
        raise BadInput(f"“{definition.title}”没有“{do}”这一步")
    missing = [definition.input(name).label for name in needs if not given.get(name)]
    if missing:
        raise BadInput(f"须填写{'、'.join(missing)}", errors=[{"field": name} for name in needs if not given.get(name)])


def bulk_of(session: Session, bulk_id: int, account: str) -> BulkStep:
    """One's own bulk step. Raises NotFound."""
    found = session.get(BulkStep, bulk_id)
    if found is None or found.account != account:
        raise NotFound
    return found


def stop(session: Session, bulk_id: int, account: str, now: datetime) -> None:
    """Begin no further row; what is done stays done."""
    ours = (BulkStep.id == bulk_of(session, bulk_id, account).id) & BulkStep.stopped_at.is_(None)
    session.execute(update(BulkStep).where(ours).values(stopped_at=now))


def row_counts(session: Session, bulk_id: int) -> dict[str, int]:
    """State → rows of a bulk step."""
    counted = select(BulkRow.state, func.count()).where(BulkRow.bulk_id == bulk_id).group_by(BulkRow.state)
    return {row[0]: row[1] for row in session.execute(counted)}


def work_off(
    engine: Engine,
    bulk_id: int,
    *,
    progress: Callable[[int, int], None],
    clock: Callable[[], datetime] = present,
) -> dict[str, Any]:
    """Takes the rows that wait, chunk by chunk, until none waits or it was stopped. Message and result for the request's row."""
    while True:
        with reading(engine) as session:
            counts = row_counts(session, bulk_id)
        total = sum(counts.values())
        progress(total - counts.get("queued", 0), total)
        if not counts.get("queued"):
            told = "，".join(f"{STATES[state]} {n} 件" for state, n in counts.items())
            return {"message": told, "result": counts}
        try:
            with writing(engine) as session:
                _take(session, bulk_id, clock(), CHUNK)
        except SandengError:  # one row spoils its chunk: the rows one by one, each with its own refusal
            _one_by_one(engine, bulk_id, clock)


def _one_by_one(engine: Engine, bulk_id: int, clock: Callable[[], datetime]) -> None:
    with reading(engine) as session:
        ids = [row.case_id for row in _waiting(session, bulk_id, CHUNK)]
    for case_id in ids:
        try:
            with writing(engine) as session:
                _take(session, bulk_id, clock(), 1, only=case_id)
        except SandengError as refusal:
            with writing(engine) as session:
                _write(session, bulk_id, "refused", {case_id: str(refusal)})


def _waiting(session: Session, bulk_id: int, most: int, only: int | None = None) -> list[BulkRow]:
    waiting = select(BulkRow).where(BulkRow.bulk_id == bulk_id, BulkRow.state == "queued")
    if only is not None:
        waiting = waiting.where(BulkRow.case_id == only)
    return list(session.scalars(waiting.order_by(BulkRow.case_id).limit(most).with_for_update()))


def _take(session: Session, bulk_id: int, now: datetime, most: int, only: int | None = None) -> None:
    bulk = session.get_one(BulkStep, bulk_id, populate_existing=True)
    if bulk.stopped_at is not None:
        rest = update(BulkRow).where(BulkRow.bulk_id == bulk_id, BulkRow.state == "queued")
        session.execute(rest.values(state="stopped"))
        return
    seen = {row.case_id: row.version for row in _waiting(session, bulk_id, most, only)}
    cases = lock_cases(session, bulk.process, list(seen))
    fresh = [case.id for case in cases if case.version == seen[case.id]]
    _write(session, bulk_id, "changed", _who_acted(session, set(seen) - set(fresh)))
    if not fresh:
        return
    actor = actor_named(session, bulk.account, now)
    result = take_step_as(
        session, actor, bulk.process, bulk.do, fresh, now=now, reason=bulk.reason or None, inputs=bulk.inputs
    )
    _write_result(session, bulk_id, result)


def _write_result(session: Session, bulk_id: int, result: StepResult) -> None:
    _write(session, bulk_id, "moved", dict.fromkeys(result.moved, ""))
    says = {
        case_id: "；".join(verdict.says for verdict in verdicts if not verdict.holds)
        for case_id, verdicts in result.refused.items()
    }
    _write(session, bulk_id, "refused", says)


def _write(session: Session, bulk_id: int, state: str, says: Mapping[int, str]) -> None:
    by_words: dict[str, list[int]] = {}
    for case_id, words in says.items():
        by_words.setdefault(words[:2000], []).append(case_id)
    for words, ids in by_words.items():
        rows = update(BulkRow).where(BulkRow.bulk_id == bulk_id, among(session, BulkRow.case_id, ids))
        session.execute(rows.values(state=state, says=words))


def _who_acted(session: Session, case_ids: Collection[int]) -> dict[int, str]:
    states = select(CASE.c.id, CASE.c.process, CASE.c.state).where(among(session, CASE.c.id, list(case_ids)))
    found = {row.id: (row.process, row.state) for row in session.execute(states)} if case_ids else {}
    current = book().current
    return {
        case_id: f"预览之后已有人办理，现为“{current[process].states[state].title if state in current[process].states else state}”"
        for case_id, (process, state) in found.items()
    }
