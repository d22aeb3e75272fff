"""Due days: per record the first day on which a time rule may change its answer. Computed beside the findings, kept in the table `due`.

Only days within HORIZON are kept; an increment further than that from the last full run falls back to a full one.
due_on may be a pseudo-day (20270231): it is only ever compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from workflow.quality.compiler import CompiledBook, all_joins
from workflow.quality.compiler_frame import Frame
from workflow.quality.compiler_measures import Family
from workflow.quality.compiler_rule import root_sql
from workflow.quality.compiler_terms import Refusal
from workflow.quality.compiler_text import condition, number
from workflow.quality.field_rules import field_flips
from workflow.quality.rulebook import Rule

NEVER = 99999999
HORIZON = timedelta(days=92)


@dataclass(frozen=True)
class DueSelect:
    """The statement that tells the due days of one data set, and the measure tables that it joins."""

    dataset: str
    dialect: str
    flips: tuple[str, ...]
    joins: str
    families: tuple[Family, ...]

    def insert_sql(self, scoped: bool) -> str:
        """Fills `due_now` for all records, or for those in `scope`."""
        least = "MIN" if self.dialect == "sqlite" else "LEAST"
        first = f"{least}({', '.join([str(NEVER), *self.flips])})"
        return (
            f"INSERT INTO due_now (dataset, record_id, due_on) SELECT '{self.dataset}', id, due_on FROM (SELECT t.id AS id,"
            f" {first} AS due_on FROM {root_sql(self.dataset, self.dialect, 'scope' if scoped else None)} {self.joins}"
            " WHERE t.removed_on IS NULL) flips WHERE due_on <= :horizon"
        )


def compile_due(made: CompiledBook) -> dict[str, DueSelect]:
    """One statement per data set that has flips. Raises DefinitionError naming the rule whose flips cannot be read."""
    selects = {}
    for dataset in made.book.dictionary.datasets:
        frame = Frame(made.book.dictionary, dataset, made.dialect, measures=made.book.measures)
        flips = [flip for rule in made.book.of(dataset) for flip in _of_rule(rule, frame)]
        flips += _of_others(made, frame) + _of_measures(made, frame)
        if flips:
            joins = " ".join(all_joins(frame, made.families).values())
            families = {
                made.families[m.of, m.name].table: made.families[m.of, m.name] for m in frame.read_measures.values()
            }
            unique = tuple(dict.fromkeys(flips))
            selects[dataset] = DueSelect(dataset, made.dialect, unique, joins, tuple(families.values()))
    return selects


def _of_rule(rule: Rule, frame: Frame) -> list[str]:
    if not rule.flips and rule.shape not in ("codes", "codes_retired"):
        return []
    try:
        flips = field_flips(rule, frame) if rule.by_field else [number(one, frame).sql for one in rule.flips]
        return _gated(flips, None if rule.per else rule.when, frame)
    except Refusal as refusal:
        raise refusal.in_definition(rule.file, f"{rule.id} {rule.dataset}", "；".join(rule.flips)) from None


def _of_others(made: CompiledBook, frame: Frame) -> list[str]:
    flips: list[str] = []
    for rule in made.book.rules:
        if rule.other and rule.other.of == frame.dataset and rule.other.flips:
            try:
                flips += _gated([number(one, frame).sql for one in rule.other.flips], rule.other.where, frame)
            except Refusal as refusal:
                raise refusal.in_definition(
                    rule.file, f"{rule.id} {rule.dataset}", "；".join(rule.other.flips)
                ) from None
    return flips


def _of_measures(made: CompiledBook, frame: Frame) -> list[str]:
    flips: list[str] = []
    for measure in made.book.measures.values():
        if measure.source == frame.dataset and measure.flips:
            try:
                flips += _gated([number(one, frame).sql for one in measure.flips], measure.where, frame)
            except Refusal as refusal:
                raise refusal.in_definition("measures.yaml", measure.name, "；".join(measure.flips)) from None
    return flips


def _gated(flips: list[str], when: str | None, frame: Frame) -> list[str]:
    """Each flip still to come, of those to whom the rule applies (a condition that itself reads the day gates nothing)."""
    before, frame.read_today = frame.read_today, False
    gate = f"{condition(when, frame)} AND " if when else ""
    gate = "" if frame.read_today else gate
    frame.read_today = before
    return [f"(CASE WHEN {gate}{flip} > :today THEN {flip} ELSE {NEVER} END)" for flip in flips]


def refresh_due(session: Session, *, full: bool) -> None:
    """Bring the table `due` to what the last find() on this connection told in `due_now`; writes only what differs."""
    judged = (
        "dataset IN (SELECT dataset FROM judged)"
        if full
        else "EXISTS (SELECT 1 FROM scope s WHERE s.dataset = due.dataset AND s.record_id = due.record_id)"
    )
    gone = (
        f"DELETE FROM due WHERE {judged} AND NOT EXISTS"
        " (SELECT 1 FROM due_now n WHERE n.dataset = due.dataset AND n.record_id = due.record_id)"
    )
    changed = (
        "INSERT INTO due (dataset, record_id, due_on) SELECT n.dataset, n.record_id, n.due_on FROM due_now n"
        " LEFT JOIN due d ON d.dataset = n.dataset AND d.record_id = n.record_id"
        " WHERE d.due_on IS NULL OR d.due_on <> n.due_on"
        " ON CONFLICT (dataset, record_id) DO UPDATE SET due_on = excluded.due_on"
    )
    session.execute(text(gone))
    session.execute(text(changed))
