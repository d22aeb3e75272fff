"""校验规则变更 (办法5, 办法9): a rule is proved and tried on the data as they are before two others decide on it; in force from its day.

Guards and effects of definitions/processes/rule_change.yaml.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from workflow.casework.matters import checks_form, titled
from workflow.engine.context import StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.registry import effect, guard
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput, DefinitionError
from workflow.quality.amendments import Amended, amended, in_force, with_amendment
from workflow.quality.findings import find
from workflow.quality.models import AMENDMENT
from workflow.quality.rulebook import RuleBook

PROCESS = "rule_change"
BASIS = "办法9"
KINDS = {"new": "新增", "change": "修改", "retire": "停用"}
SHOWN = 20  # keys of new findings that the trial shows
RULE_ID = re.compile(r"[A-Z][0-9]{2,3}")


@titled(PROCESS)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show it."""
    return f"{KINDS.get(str(values.get('kind', '')), '')}校验规则 {values.get('rule_id', '')}"


def _proposed(form: Mapping[str, Any]) -> Amended:
    return Amended(0, str(form.get("rule_id", "")), str(form.get("kind", "")), str(form.get("text", "")))


def digest(form: Mapping[str, Any]) -> str:
    """What was tried: kind, rule and text."""
    return hashlib.sha256("\0".join(_proposed(form)[1:]).encode()).hexdigest()


def proposed_book(session: Session, form: Mapping[str, Any], today: date) -> tuple[RuleBook, RuleBook]:
    """The book as it is and as it would be. Raises DefinitionError or BadInput with what is wrong with the proposal."""
    now = amended(in_force(session, today))
    one = _proposed(form)
    if fault := _unfit_id(now, one):
        raise BadInput(f"规则编号{fault}")
    return now, with_amendment(now, one)


def _unfit_id(now: RuleBook, one: Amended) -> str:
    """What is wrong with the id of a proposal; empty where nothing is."""
    there = one.rule_id in now.by_id
    if not RULE_ID.fullmatch(one.rule_id):
        return f"“{one.rule_id}”应为一个大写字母加两到三位数字，如 P04"
    if one.kind == "new" and there:
        return f" {one.rule_id} 已有规则，请选择“修改规则”或换一个编号"
    if one.kind != "new" and not there:
        return f" {one.rule_id} 没有规则，请核对编号，或选择“新增规则”"
    return ""


@checks_form(PROCESS)
def id_fits_kind(session: Session, values: Mapping[str, Any], today: date) -> dict[str, str]:
    """While it is drafted: the id is one, there already for a change, free for a new rule."""
    if not values.get("rule_id") or not values.get("kind"):
        return {}
    fault = _unfit_id(amended(in_force(session, today)), _proposed(values))
    return {"rule_id": fault} if fault else {}


@guard("rule_is_proved")
def rule_is_proved(context: StepContext) -> dict[int, list[Verdict]]:
    """The rule reads as a rule, names only known fields and codes, and compiles for both databases."""
    verdicts = {}
    for case in context.cases:
        try:
            proposed_book(context.session, case.data.get("form", {}), context.today)
            holds, says = True, "规则文字可以执行"
        except (DefinitionError, BadInput) as fault:
            holds, says = False, f"规则不能执行：{fault.says}"
        link = f"/cases/{case.id}"
        verdicts[case.id] = [Verdict("rule_is_proved", holds, says, basis=BASIS, clears_by="reviewer", link=link)]
    return verdicts


@guard("rule_was_tried")
def rule_was_tried(context: StepContext) -> dict[int, list[Verdict]]:
    """The trial was of the very text that is submitted."""
    verdicts = {}
    for case in context.cases:
        tried = (case.data.get("trial") or {}).get("digest")
        read = {"case": case.id, "tried": tried, "submitted": digest(case.data.get("form", {}))}
        verdicts[case.id] = judged("rule_was_tried", read)
    return verdicts


@judge_of("rule_was_tried")
def _tried(facts: Facts) -> Verdict:
    holds, link = facts["tried"] == facts["submitted"], f"/cases/{facts['case']}#step-try"
    says = "已按现有文字试运行" if holds else "规则文字尚未试运行，或试运行后又有修改"
    return Verdict("rule_was_tried", holds, says, basis=BASIS, clears_by="reviewer", link=link)


@effect("try_the_rule")
def try_the_rule(context: StepContext) -> None:
    """What would come and what would go, on the data of this moment; nothing is kept but the figures."""
    for case in context.cases:
        form = case.data.get("form", {})
        before, after = proposed_book(context.session, form, context.today)
        rule_id = str(form["rule_id"])
        had = _found(context.session, before, rule_id, context.today)
        has = _found(context.session, after, rule_id, context.today)
        come = sorted(has - had)
        trial = {
            "digest": digest(form), "on": context.today.isoformat(), "before": len(had), "after": len(has),
            "come": len(come), "gone": len(had - has), "keys": [f"{d} {key}" for d, key, _ in come[:SHOWN]],
        }  # fmt: skip
        context.keep(case, trial=trial)


def _found(session: Session, book: RuleBook, rule_id: str, today: date) -> set[tuple[str, str, str]]:
    """(data set, record key, part) of every finding of one rule by a book."""
    found: set[tuple[str, str, str]] = set()
    for rule in book.by_id.get(rule_id, ()):
        result = find(session, today, only=rule.key, book=book)
        for failed in result.failed:
            raise BadInput(f"规则 {rule_id} 在现有数据上不能执行：{failed.error}")
        rows = session.execute(text("SELECT dataset, record_key, part FROM found")).all()
        found |= {(row.dataset, row.record_key, row.part) for row in rows}
    return found


@effect("enact_the_rule")
def enact_the_rule(context: StepContext) -> None:
    """In force from the day proposed, at the earliest from today."""
    for case in context.cases:
        form = case.data["form"]
        begins = max(date.fromisoformat(form["effective_on"]), context.today)
        row = {
            "case_id": case.id, "rule_id": form["rule_id"], "kind": form["kind"], "text": form.get("text", ""),
            "from_on": begins, "written_at": context.now,
        }  # fmt: skip
        context.session.execute(insert(AMENDMENT).values(row))
        context.keep(case, from_on=begins.isoformat(), day_before=(begins - timedelta(1)).isoformat())


@effect("repeal_the_rule")
def repeal_the_rule(context: StepContext) -> None:
    """From today on the rule is as it was before; the amendment stays on file."""
    yesterday = context.today - timedelta(1)
    mine = AMENDMENT.c.case_id.in_(context.ids)
    context.session.execute(update(AMENDMENT).where(mine).values(until_on=yesterday))


def amendments_of(session: Session, rule_id: str) -> list[Any]:
    """Every decision on a rule, newest first: case, kind, from and until."""
    mine = select(AMENDMENT).where(AMENDMENT.c.rule_id == rule_id)
    return list(session.execute(mine.order_by(AMENDMENT.c.id.desc())))
