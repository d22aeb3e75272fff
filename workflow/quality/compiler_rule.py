"""One compiled rule: the pieces of its SELECT, put together over all records, over `scope`, or over suspects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from workflow.quality.compiler_frame import name
from workflow.quality.rulebook import Measure, Rule
from workflow.quality.vocabulary import quote

FOUND = "rule_id, dataset, record_id, part, unit_id, record_key, level, field, facts, batch_id"


@dataclass
class CompiledRule:
    """The pieces of one rule's SELECT for one engine, and what it read on the way.

    `suspicion` holds the conditions that a shared look asks of a row; `before` is a SELECT of suspects of the rule's own,
    `before_scoped` the same among the records in `scope`. Suspects bear the rule's `mark`; rules with the same `before` share it. `telling` is the FROM that tells of those who were
    marked by a shared look, which has asked everything already.
    """

    rule: Rule
    dialect: str
    head: str
    joins: list[str]
    tests: list[str]
    groups: Callable[[str | None], str] | None = None
    before: str = ""
    before_scoped: str = ""
    mark: str = ""
    measures: dict[tuple[tuple[str, ...], str], Measure] = field(default_factory=dict)
    reads: frozenset[tuple[str, ...]] = frozenset()
    other_reads: frozenset[tuple[str, ...]] = frozenset()
    reads_today: bool = False
    other_reads_today: bool = False
    suspicion: list[str] = field(default_factory=list)
    scan_joins: dict[str, str] = field(default_factory=dict)
    referred: list[str] = field(default_factory=list)
    telling: str = ""

    def select_sql(self, among: str | None = None) -> str:
        """The SELECT of everything that `found` holds: over all records, those in `scope`, or the rule's `suspects`."""
        return f"{self.head} {self.source_sql(among)} WHERE {' AND '.join(self.tests)}"

    def insert_sql(self, among: str | None = None) -> str:
        """The statement that puts this rule's findings into `found`."""
        return f"INSERT INTO found ({FOUND}) {self.select_sql(among)}"

    def tell_sql(self) -> str:
        """The statement that puts those into `found` whom a shared look has marked."""
        return (
            f"INSERT INTO found ({FOUND}) {self.head} {self.telling}" if self.telling else self.insert_sql("suspects")
        )

    def source_sql(self, among: str | None) -> str:
        """FROM with every join."""
        if self.groups:
            join = "CROSS JOIN" if self.dialect == "sqlite" else "JOIN"
            root = f"{self.groups(among)} {join} {name(self.rule.dataset)} t ON t.id = g.id"
        else:
            root = root_sql(self.rule.dataset, self.dialect, among, "t", self.marked)
        return f"FROM {root} {' '.join(self.joins)}"

    @property
    def marked(self) -> str:
        """The mark as a text literal."""
        return quote(self.mark)


def root_sql(dataset: str, dialect: str, among: str | None, alias: str = "t", marked: str = "''") -> str:
    """The data set itself, or only its records listed in a temporary table.

    That table is read first: SQLite keeps the order of a CROSS JOIN, and is told that few rows qualify, lest it build a filter
    over the whole data set beforehand.
    """
    if among is None:
        return f"{name(dataset)} {alias}"
    sqlite = dialect == "sqlite"
    position = "INSTR" if sqlite else "STRPOS"
    only = f" AND {position}(s.marks, {marked}) > 0" if among == "suspects" else ""
    listed = f"LIKELIHOOD(s.dataset = '{dataset}', 0.0001)" if sqlite else f"s.dataset = '{dataset}'"
    return f"{among} s {'CROSS ' if sqlite else ''}JOIN {name(dataset)} {alias} ON {listed}{only} AND {alias}.id = s.record_id"
