"""安全事件 (办法19): reported, contained, eradicated, recovered, reviewed; what was done at each step stays with the case.

Guards and effects of definitions/processes/incident.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflow.casework.four_eyes import judged_people, of_people, took_part
from workflow.casework.matters import titled
from workflow.engine.context import StepContext
from workflow.engine.registry import book, effect, guard
from workflow.engine.verdicts import Verdict

PROCESS = "incident"
BASIS = "办法19"
HANDLING = ("contain", "eradicate", "recover")


@titled(PROCESS)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show it: how grave, of which kind, found when."""
    shown = {field.name: field.options for field in book().process(PROCESS).form if field.options}
    kind, level = (shown[name].get(values.get(name, ""), "") for name in ("kind", "level"))
    return f"安全事件（{level}）：{kind} {values.get('found_on', '')}".strip()


@effect("keep_handling")
def keep_handling(context: StepContext) -> None:
    """What was done, by whom and when, after what was done before."""
    given, asked = context.request.inputs, (*context.step.needs, *context.step.takes)
    told = [[context.definition.input(name).label, given[name]] for name in asked if given.get(name)]
    for case in context.cases:
        done = {"title": context.step.title, "by": context.account, "on": context.today.isoformat(), "told": told}
        context.keep(case, handling=[*case.data.get("handling", []), done])


of_people("reviewed_by_another", "复盘人未参与处置", "参与处置的人不得自己复盘，请由另一人复盘", basis=BASIS)


@guard("reviewed_by_another")
def reviewed_by_another(context: StepContext) -> dict[int, list[Verdict]]:
    """Who reviews an incident neither contained it, nor removed its cause, nor restored what it took."""
    return judged_people(context, "reviewed_by_another", took_part(context, HANDLING))
