"""The rules in force: loaded from definitions/rules/ and proved before anything runs. A rule that cannot be judged stops the start."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

from workflow.engine.definition import read_folder
from workflow.errors import DefinitionError
from workflow.quality.compiler import CompiledBook, compile_book
from workflow.quality.compiler_rule import CompiledRule
from workflow.quality.compiler_scan import Scan, scans
from workflow.quality.due import DueSelect, compile_due
from workflow.quality.rulebook import Measure, Rule, RuleBook, read_measures, read_rules, read_waiting
from workflow.quality.vocabulary import DIALECTS
from workflow.registry.dictionary import DEFINITIONS, Dictionary, released


class Statements(NamedTuple):
    """Everything that a run executes for one engine: rules with their measures, due days by data set, and shared scans."""

    made: CompiledBook
    due: dict[str, DueSelect]
    scans: list[Scan]


_in_force: RuleBook | None = None  # the release's book as amended; None where nothing is


def rules() -> RuleBook:
    """The rule book in force: the release's, with the amendments that this process has taken over (amendments.adopt)."""
    return _in_force or release()


def put_in_force(book: RuleBook | None) -> None:
    """From now on `rules()` gives this book; None: the release's."""
    global _in_force
    _in_force = book


def release(folder: Path = DEFINITIONS) -> RuleBook:
    """The rule book of this release, proved for both engines, once per process. Raises DefinitionError."""
    return _release(folder)


@functools.cache
def _release(folder: Path) -> RuleBook:
    book = load(folder, released(folder))
    for dialect in DIALECTS:
        compiled(book, dialect)
    return book


@functools.lru_cache(8)
def compiled(book: RuleBook, dialect: str) -> Statements:
    """A book compiled for one engine, kept. Raises DefinitionError."""
    made = compile_book(book, dialect, compiled(book.like, dialect).made if book.like else None)
    for rule in made.rules.values():
        _prove_flips(rule)
    for family in made.families.values():
        if family.reads_today and not any(measure.flips for measure in family.measures):
            names = "、".join(measure.name for measure in family.measures)
            raise DefinitionError("读到检查日的指标须写 flips", file="measures.yaml", row=names)
    return Statements(made, compile_due(made), scans(made.rules, dialect))


def load(folder: Path, words: Dictionary) -> RuleBook:
    """A rule book from a definitions folder, names proved, not yet compiled. Raises DefinitionError naming file and rule."""
    read, groups = read_rules(folder)
    measures = read_measures(folder)
    for measure in measures.values():
        _prove_measure(measure, words)
    for rule in read:
        _prove_rule(rule, words)
    _prove_ids(read)
    _prove_matters(read)
    return RuleBook(tuple(read), measures, groups, _hash(folder), words, read_waiting(folder))


def rules_proved(book: RuleBook, made: list[Rule]) -> None:
    """Proves rules that come to a book of the release. Raises DefinitionError naming the rule."""
    for rule in made:
        _prove_rule(rule, book.dictionary)
    _prove_ids(list(book.rules))


def _hash(folder: Path) -> str:
    """Over every file that may change an answer: rules, measures, vocabulary, dictionary, code lists."""
    digest = hashlib.sha256()
    for part in ("rules", "dictionary", "codes"):
        for path in sorted((folder / part).glob("*.yaml")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _prove_ids(read: list[Rule]) -> None:
    seen: set[tuple[str, str]] = set()
    for rule in read:
        if rule.key in seen:
            raise DefinitionError(f"规则 {rule.id} 对数据集 {rule.dataset} 重复", file=rule.file, row=rule.id)
        seen.add(rule.key)


def _prove_measure(measure: Measure, words: Dictionary) -> None:
    for named in (measure.of, measure.source):
        if named not in words.datasets:
            raise DefinitionError(
                f"没有数据集 {named}", file="measures.yaml", row=measure.name, known=list(words.datasets)
            )
    if measure.name in words[measure.of].by_label:
        raise DefinitionError("指标与标签重名", file="measures.yaml", row=measure.name)


def _prove_rule(rule: Rule, words: Dictionary) -> None:
    row = f"{rule.id} {rule.dataset}"
    if rule.dataset not in words.datasets:
        raise DefinitionError(f"没有数据集 {rule.dataset}", file=rule.file, row=row, known=list(words.datasets))
    if not (rule.basis and rule.title and rule.message and rule.remedy):
        raise DefinitionError("标题、依据、提示、整改办法都须写明", file=rule.file, row=row)
    known = list(words[rule.dataset].by_label)
    if rule.field and "." not in rule.field and rule.field not in known and not _is_field_word(rule):
        raise DefinitionError(f"field 没有“{rule.field}”", file=rule.file, row=row, known=known)


def _prove_matters(read: list[Rule]) -> None:
    """A rule about cases names a process and a state that some version of it has."""
    looking = [rule for rule in read if rule.matter]
    states: dict[str, set[str]] = {}
    for definition in read_folder() if looking else ():
        states.setdefault(definition.process, set()).update(definition.states)
    for rule in looking:
        assert rule.matter is not None
        known = states.get(rule.matter.process)
        if known is None or rule.matter.state not in known:
            says = f"没有“{rule.matter.process}”的“{rule.matter.state}”这个状态"
            raise DefinitionError(says, file=rule.file, row=rule.id, known=sorted(known or states))


def _is_field_word(rule: Rule) -> bool:
    return rule.by_field and rule.field in ("字段", "值")


def _prove_flips(made: CompiledRule) -> None:
    rule, row = made.rule, f"{made.rule.id} {made.rule.dataset}"
    if made.reads_today and not rule.flips:
        raise DefinitionError("读到检查日或检查月的规则须写 flips", file=rule.file, row=row)
    if made.other_reads_today and not (rule.other and rule.other.flips):
        raise DefinitionError("另一数据集的条件读到检查日，须在其中写 flips", file=rule.file, row=row)
