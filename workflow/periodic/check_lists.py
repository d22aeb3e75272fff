"""Cross-checks as their pages show them: the samples of a pair for its checker, the pairs and figures of a round, the year's bulletin.

`judge_samples` keeps what a checker found; all else only reads. A checker reads the sampled records here and nowhere else, while the
pair is open; ID numbers stay masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case as when
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.casework.models import LINK
from workflow.engine.models import CASE, Case
from workflow.engine.sets import among, grouped
from workflow.errors import BadInput, NotAllowed, NotFound
from workflow.insight.case import case_in_scope
from workflow.periodic.cross_check import LETTER, PAIR_PROCESS, ROUND
from workflow.periodic.models import PAIR, SAMPLE
from workflow.registry.dictionary import dictionary
from workflow.registry.places import names_of
from workflow.registry.queries import titles_of
from workflow.registry.tables import TABLES
from workflow.registry.values import show
from workflow.scoping import whole_view

SHOWN = {
    "person": ("name", "sex", "birth_date", "inner_org", "estab_status", "quota_type", "onpost_status", "entry_date"),
    "position": ("person", "name", "post_level", "is_main", "status", "appoint_date", "appoint_doc_no"),
}
RESULTS = {"right": "属实", "wrong": "不符"}
OPEN = ("checking", "late")


@dataclass(frozen=True)
class Sampled:
    """One sampled record: its row, key, unit's name, and label → shown text."""

    row: Any
    key: str
    unit: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class PairLine:
    """One pair of a round: who checks whom, how far, and what was found."""

    case_id: int | None
    state: str
    checker: tuple[str, str]
    checked: tuple[str, str]
    samples: int
    judged: int
    wrong: int


def pair_of(session: Session, actor: Actor, case_id: int) -> Case:
    """The case of a pair in scope. Raises NotFound for another process and out of scope."""
    found = case_in_scope(session, actor, case_id)
    if found.process != PAIR_PROCESS:
        raise NotFound
    return found


def samples_of(session: Session, pair: Case) -> list[Sampled]:
    """The sampled records of a pair with what the checker compares, in order; without the cells once the pair is done."""
    rows = session.execute(select(SAMPLE).where(SAMPLE.c.case_id == pair.id).order_by(SAMPLE.c.id)).all()
    with whole_view(session):  # another county's records: the sample of a pair in scope, and nothing else
        facts = _records(session, rows)
    seen = pair.state != "done"
    return [
        Sampled(row, *facts[row.dataset, row.record_id][:2], facts[row.dataset, row.record_id][2] if seen else {})
        for row in rows
        if (row.dataset, row.record_id) in facts
    ]


def _records(session: Session, rows: Sequence[Any]) -> dict[tuple[str, int], tuple[str, str, dict[str, str]]]:
    found: dict[tuple[str, int], tuple[str, str, dict[str, str]]] = {}
    for dataset, ids in grouped((row.dataset, row.record_id) for row in rows).items():
        described, table = dictionary()[dataset], TABLES[dataset]
        fields = [described.fields[name] for name in SHOWN[dataset]]
        columns = [table.c.id, table.c[described.key].label("record_key"), table.c.unit_id]
        columns += [table.c[f.column].label(f"f_{f.name}") for f in fields]
        records = session.execute(select(*columns).where(among(session, table.c.id, ids))).all()
        units = names_of(session, {record.unit_id for record in records})
        named = {
            f.name: titles_of(session, f.ref or "", {getattr(r, f"f_{f.name}") for r in records} - {None})
            for f in fields
            if f.type == "ref"
        }
        for record in records:
            cells = {f.label: _cell(f, getattr(record, f"f_{f.name}"), named) for f in fields}
            found[dataset, record.id] = (record.record_key, units.get(record.unit_id, ("", ""))[1], cells)
    return found


def _cell(f: Any, value: Any, named: Mapping[str, Mapping[int, str]]) -> str:
    if value is None:
        return ""
    return named[f.name].get(value, "") if f.type == "ref" else show(f, value)


def judge_samples(
    session: Session,
    actor: Actor,
    pair: Case,
    given: Mapping[int, tuple[str, str]],
    *,
    now: datetime,
    on_behalf_of: str | None = None,
) -> int:
    """Keeps what a clerk of the checking unit found: sample id → (right | wrong, problem), by whom and for whom; returns how many.

    Raises NotAllowed for anybody else or once it is submitted, BadInput for a finding without words; then nothing is kept.
    """
    if pair.state not in OPEN or not actor.reach(session, "unit_clerk", {pair.unit_id or 0}):
        raise NotAllowed("检查结果由检查单位经办人在提交前填写")
    whose = {"by": actor.account, "on_behalf_of": on_behalf_of}
    ours = set(session.scalars(select(SAMPLE.c.id).where(SAMPLE.c.case_id == pair.id)))
    for number, (id_, (result, problem)) in enumerate(given.items(), 1):
        if id_ not in ours or result not in RESULTS:
            raise BadInput(f"第 {number} 条：结果应为“属实”或“不符”")
        if result == "wrong" and not problem.strip():
            raise BadInput(f"第 {number} 条：核对不符的，须写明哪里不符", errors=[{"field": f"problem-{id_}"}])
        values = {"result": result, "problem": problem.strip()[:300] if result == "wrong" else ""}
        session.execute(update(SAMPLE).where(SAMPLE.c.id == id_).values(**values, **whose, at=now))
    return len(given)


def strike_sample(
    session: Session, actor: Actor, pair: Case, sample_id: int, *, struck: bool, on_behalf_of: str | None = None
) -> None:
    """The office takes a finding out, or back in, while it reviews the pair; who did it last, and for whom, stands with it.

    Raises NotAllowed, NotFound.
    """
    if pair.state != "reviewing" or not actor.reach(session, "reviewer", {pair.unit_id or 0}):
        raise NotAllowed("检查结果由编办在核定时采纳或不采纳")
    mine = (SAMPLE.c.id == sample_id) & (SAMPLE.c.case_id == pair.id) & (SAMPLE.c.result == "wrong")
    values = {"struck": struck, "struck_by": actor.account, "struck_for": on_behalf_of}
    if not session.execute(update(SAMPLE).where(mine).values(**values).returning(SAMPLE.c.id)).all():
        raise NotFound


def round_of(session: Session, actor: Actor, case_id: int) -> Case:
    """The case of a round in scope. Raises NotFound."""
    found = case_in_scope(session, actor, case_id)
    if found.process != ROUND:
        raise NotFound
    return found


def pair_lines(session: Session, round_id: int) -> list[PairLine]:
    """The pairs of a round with their progress, by pool."""
    figures = (
        select(
            SAMPLE.c.case_id,
            func.count().label("samples"),
            func.count(SAMPLE.c.result).label("judged"),
            func.sum(when(((SAMPLE.c.result == "wrong") & ~SAMPLE.c.struck, 1), else_=0)).label("wrong"),
        )
        .group_by(SAMPLE.c.case_id)
        .subquery()
    )
    wanted = (
        select(PAIR, CASE.c.state, figures.c.samples, figures.c.judged, figures.c.wrong)
        .outerjoin(CASE, CASE.c.id == PAIR.c.case_id)
        .outerjoin(figures, figures.c.case_id == PAIR.c.case_id)
        .where(PAIR.c.round_id == round_id)
    )
    rows = session.execute(wanted.order_by(PAIR.c.pool, PAIR.c.id)).all()
    names = names_of(session, {row.checker_id for row in rows} | {row.checked_id for row in rows})
    return [
        PairLine(
            row.case_id, row.state or "", names[row.checker_id], names[row.checked_id],
            row.samples or 0, row.judged or 0, int(row.wrong or 0),
        )
        for row in rows
    ]  # fmt: skip


def letters_of(session: Session, round_ids: Sequence[int]) -> list[Any]:
    """The letters of rounds: case, round, unit code and name, state, data."""
    unit = TABLES["unit"].c
    wanted = (
        select(
            CASE.c.id, CASE.c.state, CASE.c.data, CASE.c.open, LINK.c.other_id.label("round"), unit.unit_code, unit.name
        )
        .select_from(LINK)
        .join(CASE, CASE.c.id == LINK.c.case_id)
        .join(TABLES["unit"], unit.id == CASE.c.unit_id)
        .where(LINK.c.other_id.in_(round_ids), CASE.c.process == LETTER)
    )
    return list(session.execute(wanted.order_by(CASE.c.id)))


def rounds_of_year(session: Session, year: int) -> list[Any]:
    """The rounds of a year that were told: id, title, data, for the annual bulletin (通报)."""
    wanted = select(CASE.c.id, CASE.c.title, CASE.c.state, CASE.c.data).where(CASE.c.process == ROUND)
    rows = session.execute(wanted.order_by(CASE.c.id))
    return [row for row in rows if row.data.get("form", {}).get("year") == year]
