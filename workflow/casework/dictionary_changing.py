"""数据字典变更 (办法5): codes are added, retired and renamed by decision, with their effect shown before; fields change with a release.

Guards and effects of definitions/processes/dictionary_change.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from workflow.casework.matters import titled
from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.registry import effect, guard
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput
from workflow.registry.code_amendments import AmendedCode, adopt, with_amendment
from workflow.registry.dictionary import Dictionary
from workflow.registry.models import CODE_AMENDMENT
from workflow.registry.tables import TABLES

PROCESS = "dictionary_change"
BASIS = "办法5"
KINDS = {"add": "新增代码", "retire": "停用代码", "rename": "代码改名", "field": "字段增改"}


@titled(PROCESS)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show it."""
    what = f"{values.get('codes', '')} {values.get('code', '')}".strip()
    return f"数据字典：{KINDS.get(str(values.get('kind', '')), '')} {what}".strip()


def _list_named(words: Dictionary, name: str) -> str:
    """The name of a code list by its name or title. Raises BadInput."""
    for codes in words.codes.values():
        if name in (codes.name, codes.title):
            return codes.name
    raise BadInput(f"没有代码表“{name}”")


def proposed(session: Session, form: Mapping[str, Any]) -> AmendedCode | None:
    """The amendment that a form proposes; None for a change of fields. Raises BadInput where it does not fit."""
    if form.get("kind") == "field":
        return None
    words = adopt(session)
    begins = date.fromisoformat(str(form.get("effective_on") or date.max.isoformat()))
    names = (str(form.get(name, "")) for name in ("kind", "code", "label"))
    kind, code, label = names
    one = AmendedCode(_list_named(words, str(form.get("codes", ""))), kind, code, label, begins)
    with_amendment(words, one)
    return one


@guard("change_is_possible")
def change_is_possible(context: StepContext) -> dict[int, list[Verdict]]:
    """The list is there, the code is new or present as the change needs it, and no name is given twice."""
    verdicts = {}
    for case in context.cases:
        try:
            proposed(context.session, case.data.get("form", {}))
            holds, says = True, "变更内容可以执行"
        except BadInput as fault:
            holds, says = False, fault.says
        link = f"/cases/{case.id}"
        verdicts[case.id] = [Verdict("change_is_possible", holds, says, basis=BASIS, clears_by="reviewer", link=link)]
    return verdicts


@guard("change_was_previewed")
def change_was_previewed(context: StepContext) -> dict[int, list[Verdict]]:
    """The effect was looked at for the very change that is submitted."""
    verdicts = {}
    for case in context.cases:
        seen = (case.data.get("effect") or {}).get("of")
        read = {"case": case.id, "previewed": seen, "submitted": _told(case.data.get("form", {}))}
        verdicts[case.id] = judged("change_was_previewed", read)
    return verdicts


@judge_of("change_was_previewed")
def _previewed(facts: Facts) -> Verdict:
    holds, link = facts["previewed"] == facts["submitted"], f"/cases/{facts['case']}#step-preview"
    says = "已预览影响" if holds else "尚未预览影响，或预览后又有修改"
    return Verdict("change_was_previewed", holds, says, basis=BASIS, clears_by="reviewer", link=link)


@guard("change_waits_for_a_release")
def change_waits_for_a_release(context: StepContext) -> dict[int, list[Verdict]]:
    """A change of fields is carried out by a release, and reported; a change of codes carries itself out."""
    kinds = {case.id: case.data.get("form", {}).get("kind") for case in context.cases}
    return {case_id: judged("change_waits_for_a_release", {"kind": kind}) for case_id, kind in kinds.items()}


@judge_of("change_waits_for_a_release")
def _waits(facts: Facts) -> Verdict:
    holds = facts["kind"] == "field"
    says = "字段变更随发布执行，由提议人报告" if holds else "代码变更按日自动生效，无须报告"
    return Verdict("change_waits_for_a_release", holds, says, basis=BASIS)


def _told(form: Mapping[str, Any]) -> str:
    names = ("kind", "codes", "code", "label", "what", "effective_on")
    return orjson.dumps({name: form.get(name) for name in names}, option=orjson.OPT_SORT_KEYS).decode()


@effect("preview_the_change")
def preview_the_change(context: StepContext) -> None:
    """How many records hold the code now, by data set and field."""
    for case in context.cases:
        form = case.data.get("form", {})
        one = proposed(context.session, form)
        used = _used(context.session, one.codes, one.code) if one else []
        context.keep(case, effect={"of": _told(form), "on": context.today.isoformat(), "used": used})


def _used(session: Session, codes: str, code: str) -> list[dict[str, Any]]:
    found = []
    for dataset in adopt(session).datasets.values():
        table = TABLES[dataset.name]
        for f in (f for f in dataset.fields.values() if f.codes == codes):
            held = (
                select(func.count()).select_from(table).where(table.c[f.column] == code, table.c.removed_on.is_(None))
            )
            if count := session.scalar(held):
                found.append({"dataset": dataset.title, "field": f.label, "records": count})
    return found


@effect("enact_the_change")
def enact_the_change(context: StepContext) -> None:
    """The amendment is on file; every process takes it over, and the next check is a full one."""
    for case in context.cases:
        one = proposed(context.session, case.data.get("form", {}))
        if one is None:
            continue
        begins = max(one.from_on, context.today)
        row = {**one._asdict(), "from_on": begins, "case_id": case.id, "written_at": context.now}
        context.session.execute(insert(CODE_AMENDMENT).values(row))
        context.keep(case, from_on=begins.isoformat())
