"""The history walked once more over the pinned table: each step listed from that state to that state, by those who may, with its conditions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from workflow.clock import business_date
from workflow.engine.actors import PLATFORM_ROLES
from workflow.engine.definition import HOUSEKEEPING, Definition, Step
from workflow.engine.migrating import MIGRATE
from workflow.evidence.findings import Row, compared, number_of, told

Act = Mapping[str, Any]


def walked(lives: Sequence[Definition], case: Mapping[str, Any], acts: Sequence[Act]) -> Iterator[Row]:
    """One row for each step, and one for where the case stands after the last. `lives`: the table in force after each step."""
    before: Act | None = None
    for place, (definition, act) in enumerate(zip(lives, acts, strict=True), 1):
        if before is None:
            faults = [*_order(place, act, before), *_opened(definition, act)]
        else:
            faults = [*_order(place, act, before), *_moved(definition, act, before)]
        yield told("steps", number_of(act, definition.title_of(act["do"])), faults, _way(definition, act))
        before = act
    if before is None:
        yield told("steps", "办理经过", ["没有一步办理经过"], "")
        return
    yield from _standing(lives[-1], case, acts[0], before)


def in_force(versions: Mapping[str, Definition], last: str, acts: Sequence[Act]) -> list[Definition]:
    """The table in force after each step: the pinned one since the last move to a new version, before it the one that it came from.

    Raises KeyError for a version that is not among `versions` (hash → table).
    """
    lives, present = [], versions[last]
    for act in reversed(acts):
        lives.append(present)
        if act["do"] == MIGRATE:
            present = versions[act["facts"]["from"]["hash"]]
    return lives[::-1]


def _way(definition: Definition, act: Act) -> str:
    names = [
        definition.states[name].title if name in definition.states else str(name)
        for name in (act["from_state"], act["to_state"])
        if name
    ]
    return f"{' → '.join(names)}，与流程表一致"


def _order(place: int, act: Act, before: Act | None) -> Iterator[str]:
    if act["version"] != place:
        yield f"应为第 {place} 步"
    if before is not None:
        for name, what in (("at", "记入日期"), ("effective_at", "生效日期")):
            if _day(act[name]) < _day(before[name]):
                yield f"{what}早于上一步"
    if _day(act["effective_at"]) > _day(act["at"]):
        yield "生效日期晚于记入日期"


def _day(text: str) -> date:
    """The business date: clocks of two machines may differ by moments, never by days."""
    return business_date(datetime.fromisoformat(text))


def traced(process: str, acts: Sequence[Act], entries: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Each entry of the audit chain on one step of this case tells the same moment and people as the history."""
    by_version = {act["version"]: act for act in acts}
    for entry in entries:
        act = by_version.get(entry["summary"].get("version"))
        if act is None or entry["action"] != f"{process}.{act['do']}" or entry["case_id"] is None:
            continue
        kept = [act["at"], act["actor"], act["on_behalf_of"]]
        told_then = [entry["at"], entry["actor"], entry["on_behalf_of"]]
        where = f"第 {act['version']} 步 · 审计第 {entry['seq']} 行"
        yield compared("audit", where, kept, told_then, "时间、办理人与审计记录一致")


def _opened(definition: Definition, act: Act) -> Iterator[str]:
    if act["do"] != "open" or act["from_state"] is not None:
        yield "第一步应为发起"
    if act["to_state"] != definition.initial:
        yield f"应从“{definition.initial}”开始，记载为“{act['to_state']}”"


def _moved(definition: Definition, act: Act, before: Act) -> Iterator[str]:
    source, do, to = act["from_state"], act["do"], act["to_state"]
    if source != before["to_state"]:
        yield f"上一步到“{before['to_state']}”，这一步却从“{source}”开始"
    if do == MIGRATE:
        yield from _renewed(definition, act)
        return
    if do in HOUSEKEEPING:
        if to != source:
            yield "转交不改变状态"
        return
    step = definition.row(source, do)
    if step is None:
        yield f"流程表在“{source}”没有“{do}”这一步"
        return
    if definition.destination(source, do) != to:
        yield f"流程表到“{step.to}”，记载到“{to}”"
    yield from _lacking(step, act)


def _renewed(definition: Definition, act: Act) -> Iterator[str]:
    """A move to a new version leads to that version, and to the state that its mapping names."""
    facts = act["facts"]
    if facts["to"]["hash"] != definition.hash:
        yield "改用的新版不是此后所用的流程定义"
    if facts["mapping"].get("states") != act["to_state"]:
        yield f"对应表到“{facts['mapping'].get('states')}”，记载到“{act['to_state']}”"
    if act["to_state"] not in definition.states:
        yield f"新版没有状态“{act['to_state']}”"


def _lacking(step: Step, act: Act) -> Iterator[str]:
    """What the row of the table asks for and the history does not show."""
    if act["actor"] in PLATFORM_ROLES:
        if act["actor"] not in step.by:
            yield f"不由{PLATFORM_ROLES[act['actor']]}办理"
    elif not set(step.by) - PLATFORM_ROLES.keys():
        yield "应由平台办理，不由人办理"
    given = {**act["facts"].get("inputs", {}), "reason": (act["reason"] or "").strip()}
    if missing := [name for name in step.needs if not given.get(name)]:
        yield f"缺少须填写的内容：{'、'.join(missing)}"
    verdicts = act["facts"].get("verdicts", [])
    if silent := [name for name in step.when if name not in {verdict["guard"] for verdict in verdicts}]:
        yield f"缺少办理条件的结论：{'、'.join(silent)}"
    if refused := [verdict["guard"] for verdict in verdicts if not verdict["holds"]]:
        yield f"条件不满足而办理：{'、'.join(refused)}"


def _standing(definition: Definition, case: Mapping[str, Any], first: Act, last: Act) -> Iterator[Row]:
    state = definition.states.get(last["to_state"])
    yield compared("case", "现在的状态", case["state"], last["to_state"], "与最后一步一致")
    yield compared("case", "步数", case["version"], last["version"], "与办理经过一致")
    yield compared("case", "发起人", case["opened_by"], first["actor"], "与第一步一致")
    if state is not None:
        kept = [case["light"], case["open"], case["inbox"]]
        yield compared("case", "灯、是否办结、待办环节", kept, [state.light, state.open, state.inbox], "与流程表一致")
