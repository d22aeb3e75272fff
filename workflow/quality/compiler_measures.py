"""Measures to grouped sub-selects: all measures over one source by one path are one scan into one temporary table, joined by the rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from workflow.quality.compiler_frame import Frame, name
from workflow.quality.compiler_terms import Refusal, Term
from workflow.quality.compiler_text import condition, express, label_path, number
from workflow.quality.rulebook import Measure
from workflow.registry.dictionary import Dictionary


@dataclass(frozen=True)
class Family:
    """Measures of one data set that one scan of one source gives: its temporary table and the statement that fills it."""

    table: str
    of: str
    source: str
    by: str
    part: str | None
    measures: tuple[Measure, ...]
    columns: tuple[str, ...]
    select: str
    only: str
    tail: str
    reads_today: bool
    reads: frozenset[tuple[str, ...]]

    def create_sql(self, dialect: str) -> str:
        """The temporary table. PostgreSQL joins it by hashing and drops it with the snapshot: emptied, it would still be read row by dead row."""
        figures = ", ".join(f"{name(column)} BIGINT" for column in self.columns)
        key, end = ("", " ON COMMIT DROP") if dialect == "postgresql" else (", PRIMARY KEY (anchor, part)", "")
        return f"CREATE TEMP TABLE IF NOT EXISTS {self.table} (anchor BIGINT NOT NULL, part TEXT NOT NULL, {figures}{key}){end}"

    def fill_sql(self, scoped: bool) -> str:
        """One INSERT … SELECT; scoped: only for the records in `scope`, and those that `measured` names for this family."""
        wanted = (
            f"SELECT record_id FROM scope WHERE dataset = '{self.of}'"
            f" UNION SELECT record_id FROM measured WHERE family = '{self.table}'"
        )
        return f"INSERT INTO {self.table} {self.select}{self.only.format(wanted=wanted) if scoped else ''}{self.tail}"


Families = dict[tuple[str, str], Family]


def families(measures: Iterable[Measure], dictionary: Dictionary, dialect: str) -> Families:
    """Every measure's family, by (data set, measure name)."""
    grouped: dict[tuple[str, ...], list[Measure]] = {}
    for measure in measures:
        single = measure.name if measure.fold == "previous" else ""
        grouped.setdefault((measure.of, measure.source, measure.by, measure.part or "", single), []).append(measure)
    made: Families = {}
    for group in grouped.values():
        make = _window if group[0].fold == "previous" else _family
        family = make(tuple(group), Frame(dictionary, group[0].source, dialect))
        made |= {(measure.of, measure.name): family for measure in group}
    return made


def rows_column(measure: Measure) -> str:
    """The column that counts the rows behind a measure: whether a part is known to it."""
    return measure.name if measure.fold == "count" else f"{measure.name} 行数"


def _family(group: tuple[Measure, ...], frame: Frame) -> Family:
    first = group[0]
    anchor, part = _reference(first, frame), _part(first, frame)
    figures: dict[str, str] = {}
    tests: list[str] = []
    for measure in group:
        test = condition(measure.where, frame) if measure.where else None
        tests.append(test or "TRUE")
        _add_figures(figures, measure, frame, test)
    live = ["t.removed_on IS NULL", f"{anchor} IS NOT NULL", *([f"{part} IS NOT NULL"] if first.part else [])]
    if "TRUE" not in tests:
        live.append(f"({' OR '.join(tests)})")
    columns = ", ".join(f"{sql} AS {name(column)}" for column, sql in figures.items())
    select = (
        f"SELECT {anchor} AS anchor, {part} AS part, {columns} FROM {name(first.source)} t {frame.join_sql()}"
        f" WHERE {' AND '.join(live)}"
    )
    only = f" AND {_among(anchor, '{wanted}', frame.dialect)}"
    return _made(group, frame, tuple(figures), select, only, " GROUP BY 1, 2")


def _window(group: tuple[Measure, ...], frame: Frame) -> Family:
    """The value of the preceding record of the same keys; records without the first key have none."""
    (measure,) = group
    keys = [_own(label, frame).sql for label in measure.keys]
    order = ", ".join(
        f"{sql} IS NULL, {sql}" for sql in (_ordered(_own(label, frame), frame) for label in measure.order)
    )
    value = number(measure.value or "", frame).sql
    test = f" AND {condition(measure.where, frame)}" if measure.where else ""
    select = (
        f"SELECT t.id AS anchor, '' AS part, LAG({value}) OVER (PARTITION BY {', '.join(keys)} ORDER BY {order}, t.id)"
        f" AS {name(measure.name)} FROM {name(measure.source)} t {frame.join_sql()}"
        f" WHERE t.removed_on IS NULL AND {keys[0]} IS NOT NULL{test}"
    )
    twin = Frame(frame.dictionary, measure.source, frame.dialect, alias="i")
    sharing = (
        f"SELECT {_own(measure.keys[0], twin).sql} FROM {name(measure.source)} i"
        f" WHERE {_among('i.id', '{wanted}', frame.dialect)}"
    )
    only = f" AND {_among(keys[0], sharing, frame.dialect)}"
    return _made(group, frame, (measure.name,), select, only, "")


def _among(column: str, select: str, dialect: str) -> str:
    """A column among few values; PostgreSQL takes them as a list, lest it guess that they are many and read the whole table."""
    return f"{column} = ANY(ARRAY({select}))" if dialect == "postgresql" else f"{column} IN ({select})"


def _own(label: str, frame: Frame) -> Term:
    path = label_path(label)
    if len(path) > 1:
        raise Refusal("by 与 order 应是记录自己的标签")
    return frame.resolve(path)


def _ordered(term: Term, frame: Frame) -> str:
    """Texts in the order of their characters' numbers on both engines."""
    return f'{term.sql} COLLATE "C"' if frame.dialect == "postgresql" and term.kind in ("text", "code") else term.sql


def _made(
    group: tuple[Measure, ...], frame: Frame, columns: tuple[str, ...], select: str, only: str, tail: str
) -> Family:
    first = group[0]
    table = f"m_{hashlib.sha256(select.encode()).hexdigest()[:12]}"
    return Family(
        table, first.of, first.source, first.by, first.part, group, columns, select, only, tail,
        frame.read_today, frozenset(frame.read_labels),
    )  # fmt: skip


def _reference(measure: Measure, frame: Frame) -> str:
    term = frame.resolve(label_path(measure.by))
    if term.kind != "ref" or term.of != measure.of:
        raise Refusal(f"by 应是指向 {measure.of} 的引用项")
    return term.sql


def _part(measure: Measure, frame: Frame) -> str:
    if measure.part is None:
        return "''"
    term: Term = express(measure.part, frame)
    if term.kind not in ("code", "text"):
        raise Refusal("part 应是代码项")
    return term.sql


def _add_figures(figures: dict[str, str], measure: Measure, frame: Frame, test: str | None) -> None:
    only = f" FILTER (WHERE {test})" if test else ""
    if measure.fold == "count":
        figures[measure.name] = f"COUNT(*){only}"
        return
    assert measure.value is not None
    folded = f"{measure.fold.upper()}({number(measure.value, frame).sql}){only}"
    figures[measure.name] = f"CAST({folded} AS BIGINT)"
    if measure.per:
        figures[rows_column(measure)] = f"COUNT(*){only}"
