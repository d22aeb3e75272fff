"""Two different people (办法17): whoever wrote, proposed or agreed does not decide, nor does anybody on their behalf. Guards of every process.

Sending a case back with a reason is no part in it: who found it wanting may decide on it when it comes again, and who decided once
takes the same step again when somebody further on has sent it back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.engine.actors import PLATFORM_ROLES
from workflow.engine.context import StepContext
from workflow.engine.definition import HOUSEKEEPING, NO_PART
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.models import HISTORY
from workflow.engine.registry import guard
from workflow.engine.sets import among, grouped
from workflow.engine.verdicts import Verdict

BASIS = "办法17"
ACTS = "acts"  # where a judgement keeps what was done in its cases
Acts = Mapping[int, Sequence[Mapping[str, Any]]]


def people_of(session: Session, case_ids: Collection[int], dos: Collection[str] = ()) -> dict[int, set[str]]:
    """Case → accounts that acted in it and those on whose behalf, of all steps or of the steps named; the platform left out."""
    return _of_acts(acts_by_case(session, case_ids), dos, HOUSEKEEPING)


def acts_by_case(session: Session, case_ids: Collection[int]) -> Acts:
    """Case → what was done in it, by whom and on whose behalf. One statement."""
    acts = select(HISTORY.c.case_id, HISTORY.c.do, HISTORY.c.actor, HISTORY.c.on_behalf_of)
    acts = acts.where(among(session, HISTORY.c.case_id, list(case_ids)))
    rows: list[Mapping[str, Any]] = [dict(row) for row in session.execute(acts).mappings()]
    return grouped((row["case_id"], row) for row in rows)


def _of_acts(acts: Acts, dos: Collection[str], but: Collection[str]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for case_id, rows in acts.items():
        counted = [row for row in rows if row["do"] not in but and (not dos or row["do"] in dos)]
        people = {name for row in counted for name in (row["actor"], row["on_behalf_of"])}
        found[case_id] = people - {None, *PLATFORM_ROLES}
    return found


def took_part(context: StepContext, dos: Collection[str] = ()) -> dict[int, set[str]]:
    """Case → who took part in what is to be decided: all but those who only sent it back, or took this very step before it was sent back.

    The history is read once for all guards, and for the page that shows it.
    """
    but = (*NO_PART, context.step.do)
    return _of_acts(context.once(ACTS, lambda: acts_by_case(context.session, context.ids)), dos, but)


def mine(context: StepContext) -> set[str]:
    """The account that acts and the one on whose behalf."""
    return {name for name in (context.account, context.request.on_behalf_of) if name}


def of_people(name: str, good: str, bad: str, *, basis: str = BASIS, version: int = 1) -> None:
    """Registers a judge of two people: whoever acts, or is acted for, is none of those who `took_part`. Pure."""

    @judge_of(name, version)
    def answer(facts: Facts) -> Verdict:
        holds = not set(facts["mine"]) & set(facts["took_part"])
        return Verdict(name, holds, good if holds else bad, basis=basis, clears_by=facts["clears_by"])


def judged_people(
    context: StepContext, name: str, people: Mapping[int, Collection[str | None]], clears_by: str = ""
) -> dict[int, list[Verdict]]:
    """The verdicts of such a judge: case id → who took part in it."""
    acting, clears = sorted(mine(context)), clears_by or context.step.by[0]
    return {
        case.id: judged(
            name, {"mine": acting, "took_part": sorted({*people.get(case.id, ())} - {None}), "clears_by": clears}
        )
        for case in context.cases
    }  # fmt: skip


of_people(
    "took_no_part",
    "办理人未起草、提出或审核过本事项",
    "起草、提出或审核过本事项的人不得再作决定，请由他人办理",
    version=2,
)
of_people("not_the_applicant", "办理人不是申请人", "申请人不得办理自己的申请，请由他人办理")


@guard("took_no_part")
def took_no_part(context: StepContext) -> dict[int, list[Verdict]]:
    """Who decides neither wrote nor proposed nor agreed to it before; having sent it back, or having taken the same step, bars nobody."""
    return judged_people(context, "took_no_part", took_part(context))


@guard("not_the_applicant")
def not_the_applicant(context: StepContext) -> dict[int, list[Verdict]]:
    """Who acts neither opened nor submitted the case."""
    return judged_people(context, "not_the_applicant", took_part(context, ("open", "edit", "submit")))


@guard("is_the_applicant")
def is_the_applicant(context: StepContext) -> dict[int, list[Verdict]]:
    """Only who opened the case, or somebody on their behalf, goes on with it."""
    read = {"mine": sorted(mine(context)), "clears_by": context.step.by[0]}
    return {case.id: judged("is_the_applicant", read | {"opened_by": case.opened_by}) for case in context.cases}


@judge_of("is_the_applicant")
def _applicant(facts: Facts) -> Verdict:
    holds = facts["opened_by"] in facts["mine"]
    says = "由发起人本人办理" if holds else f"由发起人 {facts['opened_by']} 办理"
    return Verdict("is_the_applicant", holds, says, basis=BASIS, clears_by=facts["clears_by"])
