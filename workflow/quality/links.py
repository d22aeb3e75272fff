"""What a changed record drags along: records that read it through a reference, anchors of measures, records that share a key with it.

Read off the compiled rules, so that a new rule brings its own links. Each link names the fields that matter to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workflow.quality.compiler import CompiledBook
from workflow.quality.compiler_measures import Family
from workflow.quality.compiler_rule import CompiledRule
from workflow.quality.compiler_text import label_path
from workflow.quality.rulebook import Measure, Rule
from workflow.registry.dictionary import DataSet, Field

Path = tuple[str, ...]


@dataclass(frozen=True)
class RefLink:
    """Records of `dataset` read `fields` of records of `target` through one or two references."""

    dataset: str
    steps: tuple[Field, ...]
    target: str
    fields: frozenset[str]


@dataclass(frozen=True)
class AnchorLink:
    """Figures of `of` are counted from `fields` of records of `source`, which point at it through one or two references."""

    of: str
    source: str
    steps: tuple[Field, ...]
    fields: frozenset[str]
    by_day: bool


@dataclass(frozen=True)
class FigureLink:
    """Records of `dataset` read, through one reference, figures that an anchor link counts."""

    dataset: str
    step: Field
    anchor: AnchorLink


@dataclass(frozen=True)
class KeyLink:
    """Records of `target` are judged by `fields` of the records of `source` that have equal keys (pairs of fields: theirs, mine)."""

    source: str
    target: str
    pairs: tuple[tuple[Field, Field], ...]
    fields: frozenset[str]
    by_day: bool


@dataclass(frozen=True)
class Links:
    """All links of one book."""

    refs: tuple[RefLink, ...]
    anchors: tuple[AnchorLink, ...]
    keys: tuple[KeyLink, ...]
    figures: tuple[FigureLink, ...]


def links_of(made: CompiledBook) -> Links:
    """The links that the rules and measures of a book make."""
    return _Reader(made).links()


class _Reader:
    """Reads the labels of compiled rules and measures as fields."""

    def __init__(self, made: CompiledBook) -> None:
        self.made, self.words, self.measures = made, made.book.dictionary, made.book.measures

    def links(self) -> Links:
        rules, families = self.made.rules.values(), list({f.table: f for f in self.made.families.values()}.values())
        reads: dict[str, set[Path]] = {}
        for rule in rules:
            reads.setdefault(rule.rule.dataset, set()).update(rule.reads)
            if rule.rule.other:
                reads.setdefault(rule.rule.other.of, set()).update(rule.other_reads)
        for family in families:
            reads.setdefault(family.source, set()).update(family.reads)
        refs = [link for dataset, paths in reads.items() for link in self._refs(dataset, paths)]
        keys = [link for rule in rules for link in self._keys(rule)]
        keys += [self._window(family) for family in families if not family.by]
        anchors = {self._anchor(family) for family in families if family.by}
        figures = {link for rule in rules for link in self._figures(rule)}
        return Links(tuple(refs), tuple(anchors), tuple(dict.fromkeys(keys)), tuple(figures))

    def _steps(self, dataset: str, path: Path) -> tuple[Field, ...]:
        """The reference fields that a path begins with, in order."""
        steps: list[Field] = []
        for label in path:
            found = self.words[dataset].by_label.get(label)
            if found is None or found.type != "ref":
                break
            steps.append(found)
            dataset = found.ref or ""
        return tuple(steps)

    def _names(self, dataset: DataSet, label: str) -> set[str]:
        """The fields whose change may change what a label gives; figures have links of their own, facts may hang on any field."""
        if label in dataset.by_label:
            return {dataset.by_label[label].name}
        return set() if (dataset.name, label) in self.measures or label.startswith("首录") else set(dataset.fields)

    def _own(self, dataset: str, paths: Iterable[Path]) -> frozenset[str]:
        return frozenset(name for path in paths for name in self._names(self.words[dataset], path[0]))

    def _refs(self, dataset: str, paths: set[Path]) -> list[RefLink]:
        """One link per reference path, with the fields that are read at its end."""
        read: dict[tuple[Field, ...], set[str]] = {}
        for path in paths:
            steps = self._steps(dataset, path[:-1])
            for length in range(1, len(steps) + 1):
                target = self.words[steps[length - 1].ref or ""]
                read.setdefault(steps[:length], set()).update(self._names(target, path[length]))
        return [RefLink(dataset, steps, steps[-1].ref or "", frozenset(names)) for steps, names in read.items()]

    def _anchor(self, family: Family) -> AnchorLink:
        steps = self._steps(family.source, label_path(family.by))
        return AnchorLink(family.of, family.source, steps, self._own(family.source, family.reads), family.reads_today)

    def _figures(self, rule: CompiledRule) -> list[FigureLink]:
        dataset = rule.rule.dataset
        return [
            FigureLink(dataset, self.words[dataset].by_label[path[0]], self._anchor(self.made.families[m.of, m.name]))
            for (path, _), m in rule.measures.items()
            if path
        ]

    def _keys(self, made: CompiledRule) -> list[KeyLink]:
        rule: Rule = made.rule
        mine = self.words[rule.dataset].by_label
        if rule.shape == "unique":
            pairs = tuple((mine[label], mine[label]) for label in rule.unique)
            return [KeyLink(rule.dataset, rule.dataset, pairs, self._own(rule.dataset, made.reads), made.reads_today)]
        if rule.other is None:
            return []
        theirs = self.words[rule.other.of].by_label
        pairs = tuple((theirs[t], mine[m]) for m, t in rule.other.on)
        fields = self._own(rule.other.of, made.other_reads)
        return [KeyLink(rule.other.of, rule.dataset, pairs, fields, made.other_reads_today)]

    def _window(self, family: Family) -> KeyLink:
        """A record of a window touches all records with the same first key."""
        measure: Measure = family.measures[0]
        key = self.words[measure.source].by_label[measure.keys[0]]
        fields = self._own(measure.source, family.reads)
        return KeyLink(measure.source, measure.of, ((key, key),), fields, family.reads_today)
