"""A finding in words: the rule's message with the values it was found by, shown in Chinese. ID numbers never stand in it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from workflow.quality.compiler import REPEATED
from workflow.quality.compiler_frame import Frame, shown_path
from workflow.quality.compiler_terms import Term
from workflow.quality.compiler_text import express, label_path
from workflow.quality.rulebook import Rule, RuleBook
from workflow.quality.rules import rules
from workflow.registry.dictionary import Dictionary, Field

EMPTY = "（空）"
Facts = Mapping[str, Any]


def message(rule_id: str, dataset: str, facts: Facts, part: str = "", book: RuleBook | None = None) -> str:
    """The sentence that a unit reads about one finding; `facts` label → raw value and `part` as the ticket holds them."""
    book = book or rules()
    rule = book.by_key.get((rule_id, dataset))
    if rule is None:
        return f"规则 {rule_id} 已不在现行规则之中"
    shown = {label: show(book, rule, label, facts.get(label), part) for label in rule.placeholders}
    text = rule.message
    for label, value in shown.items():
        text = text.replace("{" + label + "}", value)
    return re.sub(f" ?{EMPTY} ?", EMPTY, text)


def values(
    rule_id: str, dataset: str, facts: Facts, part: str = "", book: RuleBook | None = None
) -> list[tuple[str, str]]:
    """The values that a finding rests on, as (label, shown value), in the order of the message; for the ticket's page."""
    book = book or rules()
    rule = book.by_key.get((rule_id, dataset))
    if rule is None:
        return [(label, str(value)) for label, value in facts.items()]
    labels = dict.fromkeys([*rule.placeholders, *facts])
    told = [(label, show(book, rule, label, facts.get(label), part)) for label in labels if label != "字段"]
    return [(part_field(book, rule, part).label if label == "值" else label, value) for label, value in told]


def show(book: RuleBook, rule: Rule, label: str, value: Any, part: str = "") -> str:
    """One value of a finding as a page shows it: code labels, ISO dates, 是/否."""
    if rule.by_field and label == "字段":
        return part_field(book, rule, part).label
    if rule.by_field and label == "值":
        return show_field(book.dictionary, part_field(book, rule, part), value)
    term = _terms(book)[rule.key].get(label)
    if label == rule.per:
        value = part
    return str(value) if term is None else show_term(book.dictionary, term, value)


def part_label(rule_id: str, dataset: str, part: str, book: RuleBook | None = None) -> str:
    """What a ticket's part is called: the field of a field-wise rule, the code of a rule judged per part; empty for none."""
    book = book or rules()
    rule = book.by_key.get((rule_id, dataset))
    if rule is None or not part:
        return part
    if rule.matter:
        return f"事项 {part}"
    return part_field(book, rule, part).label if rule.by_field else show(book, rule, rule.per or "", part, part)


def part_field(book: RuleBook, rule: Rule, part: str) -> Field:
    """The field that a part of a field-wise rule names; one that is no longer in the dictionary goes by its name."""
    return book.dictionary[rule.dataset].fields.get(part) or Field(part, part, "text")


def show_field(dictionary: Dictionary, f: Field, value: Any) -> str:
    """A field's raw value as a page shows it; masked fields are masked, ID numbers never shown."""
    if value is None or value == "":
        return EMPTY
    if f.type == "id" or f.sensitive:
        return mask(str(value))
    if f.type in ("date", "month", "int"):
        value = int(value)
    return show_term(dictionary, Term("", f.type, f.codes or ""), value)


def show_term(dictionary: Dictionary, term: Term, value: Any) -> str:
    """A raw value of a kind as a page shows it."""
    if value is None or value == "":
        return EMPTY
    match term.kind:
        case "code":
            return dictionary.codes[term.of].label(str(value))
        case "bool":
            return "是" if value in (1, True, "1", "true") else "否"
        case "date" if isinstance(value, int) and value > 9999999:
            return f"{value // 10000:04d}-{value // 100 % 100:02d}-{value % 100:02d}"
        case "month" if isinstance(value, int):
            return f"{value // 100:04d}-{value % 100:02d}"
    return str(value)


def mask(text: str) -> str:
    """The first three and last two characters; all stars where the text is short."""
    return f"{text[:3]}{'*' * (len(text) - 5)}{text[-2:]}" if len(text) > 7 else "*" * len(text)


@functools.lru_cache(4)
def _terms(book: RuleBook) -> dict[tuple[str, str], dict[str, Term]]:
    """Per rule the kind of each label that its facts may hold."""
    return {rule.key: _terms_of(book, rule) for rule in book.rules}


def _terms_of(book: RuleBook, rule: Rule) -> dict[str, Term]:
    frame = Frame(book.dictionary, rule.dataset, "sqlite", measures=book.measures)
    if rule.per:
        first = next(m for m in book.measures.values() if m.of == rule.dataset and m.per == rule.per)
        coded = express(first.part or "", Frame(book.dictionary, first.source, "sqlite"))
        frame.part = (rule.per, Term("pt.part", coded.kind, coded.of))
    made: dict[str, Term] = {}
    for label in dict.fromkeys([*rule.placeholders, *([rule.field] if rule.field else [])]):
        if rule.matter and label in dict(rule.matter.tells):
            made[label] = Term("", "text")
            continue
        if label == REPEATED or (rule.by_field and label in ("字段", "值")):
            continue
        made[label] = frame.resolve(shown_path(book.dictionary, rule.dataset, label_path(label)))
    return made
