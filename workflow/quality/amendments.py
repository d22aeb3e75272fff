"""Rules changed while the platform runs (办法9): the release's book with the amendments in force on a day, proved like every book.

An amendment is a row: new, change or retire, the rule's own YAML, from which day. Every process takes over the book of its present by
`adopt`, at most every few seconds; the hash of an amended book differs, so that the next check is a full one.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.errors import BadInput, DefinitionError
from workflow.quality.models import AMENDMENT
from workflow.quality.rulebook import Rule, RuleBook, rules_of_row
from workflow.quality.rules import compiled, put_in_force, release, rules_proved
from workflow.quality.vocabulary import DIALECTS
from workflow.registry import code_amendments
from workflow.registry.dictionary import DEFINITIONS, Dictionary, dictionary

KINDS = ("new", "change", "retire")


class Amended(NamedTuple):
    """One amendment: its id, the rule, what happens to it, and its text as YAML (empty for retire)."""

    id: int
    rule_id: str
    kind: str
    text: str


def in_force(session: Session, today: date) -> tuple[Amended, ...]:
    """The amendments in force on a day, in the order in which they were decided."""
    columns = [AMENDMENT.c[name] for name in Amended._fields]
    standing = (AMENDMENT.c.from_on <= today) & (AMENDMENT.c.until_on.is_(None) | (AMENDMENT.c.until_on >= today))
    return tuple(
        Amended._make(row) for row in session.execute(select(*columns).where(standing).order_by(AMENDMENT.c.id))
    )


@functools.lru_cache(8)
def spoken(words: Dictionary) -> RuleBook:
    """The release's book in the words of a dictionary: the release's own, or one with amended codes."""
    book = release()
    if not words.amended:
        return book
    digest = hashlib.sha256(f"{book.hash}\0{words.amended}".encode()).hexdigest()
    return replace(book, dictionary=words, hash=digest, like=None)


@functools.lru_cache(8)
def amended(amendments: tuple[Amended, ...], words: Dictionary | None = None) -> RuleBook:
    """The release's book with these amendments, proved for both engines. Raises DefinitionError."""
    book = spoken(words or dictionary())
    for one in amendments:
        book = with_amendment(book, one)
    return book


def with_amendment(book: RuleBook, one: Amended) -> RuleBook:
    """A book with one more amendment, proved for both engines. Raises DefinitionError naming what is wrong, BadInput for a text that is no rule."""
    others = [rule for rule in book.rules if rule.id != one.rule_id]
    made = [] if one.kind == "retire" else rules_in(one.text, one.rule_id)
    digest = hashlib.sha256(f"{book.hash}\0{one.kind}\0{one.rule_id}\0{one.text}".encode()).hexdigest()
    groups = book.groups | {rule.group: book.groups.get(rule.group, rule.group) for rule in made}
    changed = replace(book, rules=(*others, *made), groups=groups, hash=digest, like=book)
    rules_proved(changed, made)
    for dialect in DIALECTS:
        compiled(changed, dialect)
    return changed


def rules_in(text: str, rule_id: str) -> list[Rule]:
    """The rules of one row as an expert writes it. Raises BadInput."""
    try:
        row = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise BadInput(f"规则文字不是可读的 YAML：{str(error).splitlines()[0]}") from None
    if isinstance(row, list) and len(row) == 1:
        row = row[0]
    if not isinstance(row, dict):
        raise BadInput("规则文字应是一条规则（“键: 值”）")
    if str(row.get("id")) != rule_id:
        raise BadInput(f"规则文字里的 id 是“{row.get('id')}”，应为“{rule_id}”")
    try:
        return rules_of_row("规则变更", rule_id[:1], row)
    except (AttributeError, TypeError, KeyError) as error:
        raise BadInput(f"规则文字的写法不对：{error}") from None


def adopt(session: Session, today: date) -> RuleBook:
    """From now on this process judges by the book of that day and speaks the dictionary as amended. An amendment that no longer compiles leaves the release's rule in force."""
    words, standing = code_amendments.adopt(session), in_force(session, today)
    try:
        book = amended(standing, words) if standing or words.amended else None
    except (DefinitionError, BadInput):
        book = _without_broken(standing, words)
    put_in_force(book)
    return book or release()


def _without_broken(amendments: Sequence[Amended], words: Dictionary) -> RuleBook:
    book = spoken(words)
    for one in amendments:
        try:
            book = with_amendment(book, one)
        except (DefinitionError, BadInput):
            continue
    return book


def source_of(rule_id: str) -> str:
    """The text of a rule of this release as its file has it, without the group around it; empty for one that is no row of a file."""
    for path in sorted((DEFINITIONS / "rules").glob(f"{rule_id[:1]}.yaml")):
        raw: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for row in raw.get("rules", []):
            if row.get("id") == rule_id:
                return yaml.safe_dump(row, allow_unicode=True, sort_keys=False, width=4096)
    return ""
