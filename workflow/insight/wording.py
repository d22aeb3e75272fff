"""Findings, rules and fields in words, for pages and files. The sentence itself is quality's (explain); here are the names around it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import yaml

from workflow.access.scopes import CITY
from workflow.quality import explain
from workflow.quality.rulebook import Rule
from workflow.quality.rules import rules
from workflow.registry.dictionary import DEFINITIONS, dictionary


def said(rule: Rule, part: str, facts: Mapping[str, Any]) -> str:
    """The rule's message with this finding's values in place."""
    return explain.message(rule.id, rule.dataset, facts, part)


def spoken(rule: Rule, part: str, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and value as shown, in the order of the message."""
    return explain.values(rule.id, rule.dataset, facts, part)


def part_text(rule: Rule, part: str) -> str:
    """What the part of a finding is called: a field's label, a code's label; empty for none."""
    return explain.part_label(rule.id, rule.dataset, part) if part else ""


def field_label(dataset: str, name: str) -> str:
    """The label of a field; the name itself where this release has no such field."""
    held = dictionary().datasets.get(dataset)
    field = held.fields.get(name) if held else None
    return field.label if field else name


def region_title(code: str) -> str:
    """A district among its peers: the city's own units are 市本级, for 宁波市 is the whole of them."""
    return "市本级" if code == CITY else dictionary().codes["region"].label(code) or "未填政区"


def rule_named(rule_id: str, dataset: str) -> Rule | None:
    """A rule of this release for a data set; None where it was dropped."""
    return rules().by_key.get((rule_id, dataset))


@functools.cache
def condition_titles() -> dict[str, str]:
    """Guard → its name on screen (definitions/conditions.yaml)."""
    titles: dict[str, str] = yaml.load(
        (DEFINITIONS / "conditions.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
    )
    return titles


KEPT_DAYS = {  # what a timer's `until` names, as the page of a process says it
    "compare_by": "比对期限", "confirm_by": "确认期限", "day_before": "前一日", "due_on": "所定期限", "expires_on": "有效期满之日",
    "rectify_until": "整改期限", "remind_on": "提醒之日", "until_on": "截止之日", "valid_until": "通知单有效期满之日", "week_ends_on": "当周星期日",
}  # fmt: skip


def rule_titles() -> dict[str, str]:
    """Rule id → title."""
    return _titles(rules().hash)


@functools.lru_cache(4)
def _titles(hash_: str) -> dict[str, str]:
    return {rule.id: rule.title for rule in rules().rules}
