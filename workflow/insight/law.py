"""办法对照: each of the 24 articles with its text and with what carries it out, read from the definitions that run. Reads no database."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from workflow.engine.definition import Definition
from workflow.engine.registry import Book, book
from workflow.insight.wording import condition_titles
from workflow.policy import Policy
from workflow.quality.rulebook import Rule, RuleBook
from workflow.quality.rules import rules
from workflow.registry.dictionary import DEFINITIONS

NUMBERS = {text: n for n, text in enumerate(
    ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二", "十三", "十四", "十五", "十六", "十七", "十八", "十九", "二十", "二十一", "二十二", "二十三", "二十四"], 1
)}  # fmt: skip
CITED = re.compile(r"办法(\d{1,2})(?!\d)")
STATUS = {"working": "已可用", "partly": "部分可用", "planned": "尚未建设"}


@dataclass(frozen=True)
class Carrier:
    """One process that names the article: its steps' conditions and its deadlines, in words."""

    process: str
    title: str
    conditions: tuple[str, ...]
    timers: tuple[str, ...]


@dataclass(frozen=True)
class Article:
    """One article: number, title, text, how far it is carried out, and by what."""

    number: int
    title: str
    text: tuple[str, ...]
    status: str
    note: str
    processes: tuple[Carrier, ...]
    policies: tuple[str, ...]
    rules: tuple[Rule, ...]
    screens: tuple[str, ...]
    tests: tuple[str, ...]


def articles() -> list[Article]:
    """All 24 articles in order, against the definitions, rules and policies in force."""
    in_force, judged = book(), rules()
    carried = {n: _carriers(in_force, n) for n in NUMBERS.values()}
    return [_article(row, carried[row["article"]], in_force, judged) for row in _listed()]


def _article(row: Mapping[str, Any], carried: tuple[Carrier, ...], in_force: Book, judged: RuleBook) -> Article:
    number = row["article"]
    return Article(
        number=number,
        title=row["title"],
        text=_texts()[number],
        status=row["status"],
        note=row["note"],
        processes=carried,
        policies=_policies(in_force.policies.city, number),
        rules=tuple(rule for rule in judged.rules if number in cited(rule.basis)),
        screens=tuple(row["carried_by"]["screens"]),
        tests=tuple(row["carried_by"]["tests"]),
    )


def cited(basis: Iterable[str]) -> set[int]:
    """The numbers of the articles that a basis names: 办法10(一) is 10."""
    return {int(number) for text in basis for number in CITED.findall(text)}


def _carriers(in_force: Book, number: int) -> tuple[Carrier, ...]:
    named = [definition for definition in in_force.current.values() if number in cited(definition.basis)]
    return tuple(_carrier(definition, in_force.policies.city) for definition in named)


def _carrier(definition: Definition, policy: Policy) -> Carrier:
    names = dict.fromkeys(name for step in definition.steps for name in step.when)
    titles = condition_titles()
    timers = [
        f"{'、'.join(definition.states[state].title for state in timer.states)}：{definition.title_of(timer.do)}"
        + (f"（{policy.entry(timer.after).says}）" if timer.after else "")
        for timer in definition.timers
    ]
    return Carrier(definition.process, definition.title, tuple(titles.get(n, n) for n in names), tuple(timers))


def _policies(policy: Policy, number: int) -> tuple[str, ...]:
    return tuple(entry.says for entry in policy.entries.values() if number in cited(entry.basis))


@functools.cache
def _listed() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = yaml.load(
        (DEFINITIONS / "articles.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader
    )["articles"]
    return listed


@functools.cache
def _texts() -> dict[int, tuple[str, ...]]:
    """Article → its paragraphs, from definitions/regulation.md."""
    found: dict[int, list[str]] = {}
    present: list[str] = []
    for line in (DEFINITIONS / "regulation.md").read_text("utf-8").splitlines():
        head = re.fullmatch(r"### 第(.+)条", line.strip())
        if head:
            present = found.setdefault(NUMBERS[head[1]], [])
        elif line.startswith("#"):
            present = []
        elif line.strip():
            present.append(line.strip())
    return {number: tuple(lines) for number, lines in found.items()}
