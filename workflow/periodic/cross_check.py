"""半年交叉检查 (办法10(四)): pairs made and confirmed, samples judged by the checking unit, what stands goes out as a letter to each unit.

Guards and effects of definitions/processes/cross_check.yaml and check_pair.yaml. The samples are rows; a checker sees exactly these,
through the pair's page, while the pair is open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from workflow.access.scopes import CITY
from workflow.casework.letters import open_letter
from workflow.casework.links import link
from workflow.casework.matters import titled
from workflow.casework.models import LINK
from workflow.engine.actors import SYSTEM
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import CASE
from workflow.engine.registry import effect, guard
from workflow.engine.sets import among, grouped
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput
from workflow.periodic.models import PAIR, SAMPLE
from workflow.periodic.pairing import Node, Pairs, county_pairs, pairs_of, sampled
from workflow.quality.terms import policies_of
from workflow.registry.dictionary import dictionary
from workflow.registry.models import UnitClosure
from workflow.registry.places import names_of
from workflow.registry.tables import TABLES

ROUND, PAIR_PROCESS, LETTER = "cross_check", "check_pair", "letter"
BASIS = "办法10(四)"
UNIT = TABLES["unit"].c
COUNTIES = "counties"  # the form's `among`: county against county
HALVES = {"1": "上半年", "2": "下半年"}


@titled(ROUND)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show it."""
    between = "（区县之间）" if values.get("among") == COUNTIES else ""
    return f"{values.get('year', '')}年{HALVES.get(str(values.get('half', '')), '')}交叉检查{between}"


def pools(session: Session) -> dict[str, list[Node]]:
    """The departments (units under no other) that keep people in them or below, by district."""
    living = (UNIT.removed_on.is_(None)) & UNIT.parent_id.is_(None)
    person = TABLES["person"].c
    kept = select(UnitClosure.ancestor_id).join(TABLES["person"], person.unit_id == UnitClosure.descendant_id)
    kept = kept.where(person.removed_on.is_(None))
    rows = session.execute(select(UNIT.id, UNIT.district_code).where(living, UNIT.id.in_(kept)).order_by(UNIT.id))
    return grouped((row.district_code or "", Node(row.id)) for row in rows)


@effect("make_pairs")
def make_pairs(context: StepContext) -> None:
    """The pairs by the round's own chance: shown before anybody is asked to check. Raises BadInput where no pool can be paired."""
    for case in context.cases:
        found = _found(context.session, case)
        if not found.made:
            raise BadInput(f"无法配对：{'；'.join(dict.fromkeys(found.impossible.values()))}")
        context.session.execute(delete(PAIR).where(PAIR.c.round_id == case.id))
        rows = [
            {"round_id": case.id, "pool": pool, "checker_id": checker, "checked_id": checked}
            for pool, pairs in found.made.items()
            for checker, checked in pairs
        ]
        context.session.execute(insert(PAIR), rows)
        names = dictionary().codes["region"]
        skipped = {names.label(pool): why for pool, why in found.impossible.items()}
        context.keep(case, pairs=len(rows), skipped=skipped)


def _found(session: Session, case: CaseRow) -> Pairs:
    seed, everywhere = f"{case.subject}:{case.version}", pools(session)
    if case.data.get("form", {}).get("among") != COUNTIES:
        return pairs_of(everywhere, seed)
    return county_pairs({place: nodes for place, nodes in everywhere.items() if place not in ("", CITY)}, seed)


@guard("pairs_are_made")
def pairs_are_made(context: StepContext) -> dict[int, list[Verdict]]:
    """There are pairs to begin with."""
    counted = _counted(context.session, PAIR.c.round_id, context.ids)
    return {case.id: judged("pairs_are_made", {"pairs": counted.get(case.id, 0)}) for case in context.cases}


@judge_of("pairs_are_made")
def _paired(facts: Facts) -> Verdict:
    return Verdict("pairs_are_made", facts["pairs"] > 0, f"已配对 {facts['pairs']} 对", basis=BASIS)


@effect("begin_checks")
def begin_checks(context: StepContext) -> None:
    """A case for each pair, in the hands of the checking unit, with its samples drawn."""
    session = context.session
    for case in context.cases:
        pairs = session.execute(select(PAIR).where(PAIR.c.round_id == case.id).order_by(PAIR.c.id)).all()
        names = names_of(session, {pair.checker_id for pair in pairs} | {pair.checked_id for pair in pairs})
        new = [
            NewCase(
                pair.checker_id, f"{case.subject}:{pair.id}", f"{case.title}：检查{names[pair.checked_id][1]}",
                data={"round": case.id, "pair": pair.id, "checked": pair.checked_id},
            )
            for pair in pairs
        ]  # fmt: skip
        ids = open_cases(session, PAIR_PROCESS, new, now=context.now, actor=SYSTEM)
        for pair, pair_case in zip(pairs, ids, strict=True):
            session.execute(update(PAIR).where(PAIR.c.id == pair.id).values(case_id=pair_case))
            link(session, pair_case, case.id, "belongs_to", context.now)
            _draw(session, pair_case, pair.checked_id, f"{case.subject}:{pair.id}")


def _draw(session: Session, case_id: int, unit_id: int, seed: str) -> None:
    """5 to 10 % of the people in post and every leader post of the checked department, its subordinates included."""
    below = select(UnitClosure.descendant_id).where(UnitClosure.ancestor_id == unit_id)
    person, post = TABLES["person"].c, TABLES["position"].c
    in_post = dictionary().codes["estab_status"].by_label["在编"].code
    people = session.scalars(
        select(person.id).where(person.removed_on.is_(None), person.estab_status == in_post, person.unit_id.in_(below))
    ).all()
    current = dictionary().codes["position_status"].by_label["现任"].code
    leading = (post.removed_on.is_(None)) & post.is_leader & (post.status == current) & post.unit_id.in_(below)
    posts = session.scalars(select(post.id).where(leading)).all()
    percent = int(policies_of(session, [unit_id])[unit_id].value("check.sample"))
    rows = [("person", id_) for id_ in sampled(people, percent, seed)] + [("position", id_) for id_ in posts]
    if rows:
        session.execute(insert(SAMPLE), [{"case_id": case_id, "dataset": d, "record_id": id_} for d, id_ in rows])


@guard("every_sample_is_judged")
def every_sample_is_judged(context: StepContext) -> dict[int, list[Verdict]]:
    """Each sampled record was found right, or what is wrong is written down."""
    unjudged = (SAMPLE.c.result.is_(None)) & among(context.session, SAMPLE.c.case_id, context.ids)
    rows = context.session.execute(
        select(SAMPLE.c.case_id, func.count()).where(unjudged).group_by(SAMPLE.c.case_id)
    ).all()
    left = {row[0]: row[1] for row in rows}
    return {
        case.id: judged("every_sample_is_judged", {"case": case.id, "left": left.get(case.id, 0)}) for case in context.cases
    }  # fmt: skip


@judge_of("every_sample_is_judged")
def _samples(facts: Facts) -> Verdict:
    left, link_to = facts["left"], f"/checks/{facts['case']}"
    says = f"还有 {left} 条抽样记录没有核对" if left else "抽样记录已全部核对"
    return Verdict("every_sample_is_judged", not left, says, basis=BASIS, clears_by="unit_clerk", link=link_to)


@guard("every_check_is_done")
def every_check_is_done(context: StepContext) -> dict[int, list[Verdict]]:
    """No check of the round is still open."""
    return _all_closed(context, PAIR_PROCESS, "every_check_is_done")


@guard("every_letter_is_closed")
def every_letter_is_closed(context: StepContext) -> dict[int, list[Verdict]]:
    """Every letter of the round was answered and the answer accepted."""
    return _all_closed(context, LETTER, "every_letter_is_closed")


def _all_closed(context: StepContext, process: str, name: str) -> dict[int, list[Verdict]]:
    tied = select(LINK.c.other_id, func.count()).join(CASE, CASE.c.id == LINK.c.case_id)
    tied = tied.where(among(context.session, LINK.c.other_id, context.ids), CASE.c.process == process, CASE.c.open)
    open_ones = {row[0]: row[1] for row in context.session.execute(tied.group_by(LINK.c.other_id))}
    return {case.id: judged(name, {"case": case.id, "open": open_ones.get(case.id, 0)}) for case in context.cases}


def _of_open(name: str, bad: str, good: str) -> None:
    @judge_of(name)
    def answer(facts: Facts) -> Verdict:
        left, link_to = facts["open"], f"/checks/rounds/{facts['case']}"
        says = f"还有 {left} {bad}" if left else good
        return Verdict(name, not left, says, basis=BASIS, clears_by="reviewer", link=link_to)


_of_open("every_check_is_done", "项检查尚未核定", "各项检查均已核定")
_of_open("every_letter_is_closed", "份函尚未回函办结", "函告均已回函办结")


@effect("write_letters")
def write_letters(context: StepContext) -> None:
    """What stands of the findings, as one letter to each unit whose records are concerned."""
    for case in context.cases:
        problems = grouped((row["unit_id"], row) for row in standing_findings(context.session, case.id))
        for unit_id, rows in sorted(problems.items()):
            told = [{key: row[key] for key in ("record", "label", "says", "remedy")} for row in rows]
            open_letter(context.session, unit_id, told, round_case=case.id, about=case.title, now=context.now)
        context.keep(case, letters=len(problems), problems=sum(len(rows) for rows in problems.values()))


def standing_findings(session: Session, round_id: int) -> list[dict[str, Any]]:
    """The findings of a round that the office did not strike: unit_id, record, label, says, remedy."""
    wanted = select(SAMPLE).join(PAIR, PAIR.c.case_id == SAMPLE.c.case_id)
    wanted = wanted.where(PAIR.c.round_id == round_id, SAMPLE.c.result == "wrong", ~SAMPLE.c.struck)
    found = session.execute(wanted.order_by(SAMPLE.c.id)).all()
    facts = records_of(session, [(row.dataset, row.record_id) for row in found])
    return [
        {
            "unit_id": facts[row.dataset, row.record_id]["unit_id"],
            "record": facts[row.dataset, row.record_id]["key"],
            "label": dictionary()[row.dataset].title,
            "says": row.problem,
            "remedy": "核对个人档案和任免文件后更正，并在回函中说明",
        }
        for row in found
        if (row.dataset, row.record_id) in facts
    ]


def records_of(session: Session, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], dict[str, Any]]:
    """(data set, id) → key and unit id."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for dataset, ids in grouped(wanted).items():
        table = TABLES[dataset]
        columns = (table.c.id, table.c[dictionary()[dataset].key].label("key"), table.c.unit_id)
        for row in session.execute(select(*columns).where(among(session, table.c.id, ids))):
            found[dataset, row.id] = {"key": row.key, "unit_id": row.unit_id}
    return found


@effect("keep_bulletin")
def keep_bulletin(context: StepContext) -> None:
    """The figures of the round as they were told (通报)."""
    for case in context.cases:
        drawn = select(func.count()).select_from(SAMPLE).join(PAIR, PAIR.c.case_id == SAMPLE.c.case_id)
        samples = context.session.scalar(drawn.where(PAIR.c.round_id == case.id)) or 0
        context.keep(case, samples=samples, bulletin_on=context.today.isoformat())


def _counted(session: Session, column: Any, ids: Collection[int]) -> dict[int, int]:
    rows = session.execute(select(column, func.count()).where(among(session, column, ids)).group_by(column)).all()
    return {row[0]: row[1] for row in rows}
