"""In whose name a paper is signed: the office of who signs, and the series of numbers that is its own (办法23 分级管理).

A guard for the tables of what is numbered (letters, notices of approval), and the number for their effects.
"""

from __future__ import annotations

from typing import Any

from workflow.casework.serials import next_number
from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.registry import book, guard
from workflow.engine.verdicts import Verdict
from workflow.errors import Refused
from workflow.registry.dictionary import dictionary
from workflow.registry.places import districts_of

SIGNER = "leader"  # the role that signs
SERIES = {
    "letter": "letter.number",
    "approval": "approval.number",
}  # process → the policy entry that numbers its papers


def offices_of(context: StepContext) -> dict[int, str]:
    """Case → the district whose office the signer signs for: the city's where the role reaches everywhere, else the county of the unit."""
    if context.request.actor.everywhere(SIGNER):
        return dict.fromkeys(context.ids, book().policies.city.district)
    units = {case.unit_id for case in context.cases if case.unit_id is not None}
    found = districts_of(context.session, units)
    city = book().policies.city.district
    return {case.id: (found.get(case.unit_id or 0) or city)[:6] for case in context.cases}


@guard("office_has_its_own_number")
def office_has_its_own_number(context: StepContext) -> dict[int, list[Verdict]]:
    """Who signs has numbers of the own office to sign under: a county's leader never uses the city's (办法23)."""
    offices, series = offices_of(context), SERIES[context.definition.process]
    return {id_: judged("office_has_its_own_number", _office(offices[id_], series)) for id_ in context.ids}


def _office(district: str, series: str) -> dict[str, Any]:
    place = dictionary().codes["region"].label(district)
    return {"district": district, "place": place, "own": book().policies.own(district, series)}


def _numbered(facts: Facts) -> Verdict:
    place, own = facts["place"], facts["own"]
    says = f"以{place}机构编制部门的名义和文号签发"
    if not own:
        says = f"{place}还没有自己的文号，不能以市编办的名义和文号签发；请由市编办领导签发，或者在{place}的口径中定文号后再签发"
    return Verdict("office_has_its_own_number", own, says, basis="办法10(四)、办法23", clears_by=SIGNER)


judge_of("office_has_its_own_number")(_numbered)


def own_number(context: StepContext, district: str) -> str:
    """The next number of the office of a district, from 1 each year. Raises Refused where it has none of its own."""
    process, year = context.definition.process, context.today.year
    verdict = _numbered(_office(district, SERIES[process]))
    if not verdict.holds:
        raise Refused(verdict.says, verdicts=[verdict])
    template = str(book().policies.of(district).value(SERIES[process]))
    return template.format(year=year, n=next_number(context.session, f"{process}:{district}", year))
