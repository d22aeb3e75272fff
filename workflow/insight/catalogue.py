"""The rule catalogue with what each rule hits in a person's scope, and how it fared in the last runs. Reads only, few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Subquery, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, in_scope
from workflow.engine.models import Case
from workflow.errors import NotFound
from workflow.insight.dimensions import dimension
from workflow.insight.lamps import Count, view
from workflow.insight.remembered import remembered, stamps
from workflow.insight.tickets import READ, TicketFilter, tickets
from workflow.insight.wording import said
from workflow.quality.models import CheckRun, RuleRun, Ticket
from workflow.quality.rulebook import Rule
from workflow.quality.rules import rules
from workflow.registry.dictionary import dictionary

RUNS = 12
UNITS = 15
EXAMPLES = 5


class Fared(NamedTuple):
    """How a rule fared in one run: findings in the whole city, seconds, and the error where it could not be judged."""

    findings: int
    seconds: float
    error: str | None


class Entry(NamedTuple):
    """One rule for one data set with its open hits in scope and its last run."""

    rule: Rule
    dataset: str
    hits: Count
    last: Fared | None


@dataclass(frozen=True)
class Catalogue:
    """The rules by group, those that wait, and the run that the figures are from."""

    groups: Sequence[tuple[str, str, Sequence[Entry]]]
    waiting: Sequence[Mapping[str, Any]]
    run: CheckRun | None
    rules: int
    hits: int


def catalogue(
    session: Session, actor: Actor, *, text: str = "", level: str = "", dataset: str = "", hits: str = ""
) -> Catalogue:
    """The catalogue, narrowed. At most four statements."""
    book = rules()
    open_hits, (run, fared) = hits_in_scope(session, actor), last_run(session)
    groups = []
    for group, title in book.groups.items():
        entries = [
            Entry(rule, dictionary()[rule.dataset].title, open_hits.get(rule.key, Count()), fared.get(rule.key))
            for rule in book.rules
            if rule.group == group and _wanted(rule, text, level, dataset)
        ]
        entries = [e for e in entries if e.hits.all] if hits else entries
        if entries:
            groups.append((group, title, entries))
    waiting = (
        [] if hits or level or dataset else [w for w in book.waiting if not text or text in f"{w['id']} {w['title']}"]
    )
    total = sum(count.all for count in open_hits.values())
    return Catalogue(groups, waiting, run, sum(len(entries) for _, _, entries in groups), total)


def _wanted(rule: Rule, text: str, level: str, dataset: str) -> bool:
    if (level and rule.level != level) or (dataset and rule.dataset != dataset):
        return False
    return not text or text.upper() in rule.id or text in f"{rule.title}{rule.text}{rule.message}{''.join(rule.basis)}"


def hits_in_scope(session: Session, actor: Actor) -> dict[tuple[str, str], Count]:
    """(rule, data set) → open tickets by light in scope; remembered until a light changes."""
    lights, _ = stamps(session)
    key = ("hits", tuple(actor.holding(READ)))
    return remembered(session, key, lights, lambda: _hits(session, actor))


def _hits(session: Session, actor: Actor) -> dict[tuple[str, str], Count]:
    lit = _open(actor)
    rows = session.execute(select(lit.c.rule_id, lit.c.dataset, *_lights(lit)).group_by(lit.c.rule_id, lit.c.dataset))
    return {(row[0], row[1]): Count(*row[2:]) for row in rows}


def _open(actor: Actor, *more: ColumnElement[bool]) -> Subquery:
    """What the list of tickets calls open, in scope, each with its light: open cases, and hints, which have no case, while they are found."""
    columns, ours = (Ticket.rule_id, Ticket.dataset, Ticket.unit_id), (in_scope(actor, READ, Ticket.unit_id), *more)
    cases = select(*columns, Case.light).join(Case, Case.id == Ticket.case_id).where(Case.open, *ours)
    hints = select(*columns, literal("none").label("light")).where(Ticket.case_id.is_(None), Ticket.present, *ours)
    return union_all(cases, hints).subquery()


def _lights(lit: Subquery) -> list[ColumnElement[int]]:
    return [func.sum(case((lit.c.light == light, 1), else_=0)) for light in ("red", "yellow", "none")]


def last_run(session: Session) -> tuple[CheckRun | None, dict[tuple[str, str], Fared]]:
    """The last full run and how every rule fared in it."""
    done = select(CheckRun).where(CheckRun.finished_at.is_not(None), CheckRun.kind == "full")
    run = session.scalars(done.order_by(CheckRun.id.desc()).limit(1)).one_or_none()
    if run is None:
        return None, {}
    rows = session.execute(
        select(RuleRun.rule_id, RuleRun.dataset, RuleRun.findings, RuleRun.seconds, RuleRun.error).where(
            RuleRun.run_id == run.id
        )
    )
    return run, {(row[0], row[1]): Fared(*row[2:]) for row in rows}


def failed_in(session: Session, run_id: int, rule_id: str, dataset: str) -> bool:
    """Whether a rule could not be judged in a run (and so closed nothing)."""
    judged = session.get(RuleRun, (run_id, rule_id, dataset))
    return judged is not None and judged.error is not None


@dataclass(frozen=True)
class RulePage:
    """One rule: its readings for each data set, an example, hits in scope by unit, latest hits in words, last runs."""

    rules: Sequence[Rule]
    dimension: str
    examples: Mapping[str, str]
    hits: Count
    units: Sequence[tuple[Any, Count]]
    latest: Sequence[tuple[Row[Any], str]]
    runs: Sequence[Any]


def rule_page(session: Session, actor: Actor, rule_id: str) -> RulePage:
    """The page of a rule. Raises NotFound. At most six statements."""
    found = rules().by_id.get(rule_id)
    if not found:
        raise NotFound(f"没有编号为 {rule_id} 的规则")
    by_dataset = {rule.dataset: rule for rule in found}
    rows, _ = (
        tickets(session, actor, TicketFilter(rule=rule_id), sort="-found", limit=EXAMPLES)
        if actor.holding(READ)
        else ([], None)
    )
    counts = hits_in_scope(session, actor)
    total = Count()
    for rule in found:
        total = total + counts.get(rule.key, Count())
    return RulePage(
        rules=found,
        dimension=dimension(rule_id),
        examples={rule.dataset: example(rule) for rule in found},
        hits=total,
        units=by_unit(session, actor, rule_id),
        latest=[(row, said(by_dataset[row.dataset], row.part, row.facts)) for row in rows if row.dataset in by_dataset],
        runs=runs_of(session, rule_id),
    )


def example(rule: Rule) -> str:
    """The rule's message with the dictionary's sample values in place of a finding's."""
    known = dictionary()[rule.dataset].by_label
    shown = rule.message
    for label in rule.placeholders:
        f = known.get(label)
        shown = shown.replace(f"{{{label}}}", f"“{f.sample}”" if f and f.sample else f"〈{label}〉")
    return shown


def by_unit(session: Session, actor: Actor, rule_id: str) -> list[tuple[Any, Count]]:
    """The units in scope with most open hits of a rule."""
    if not actor.holding(READ):
        return []
    lit = _open(actor, Ticket.rule_id == rule_id)
    counted = select(lit.c.unit_id, *_lights(lit)).group_by(lit.c.unit_id)
    rows = session.execute(counted.order_by(func.count().desc(), lit.c.unit_id).limit(UNITS)).all()
    nodes = view(session, actor, READ).tree.nodes
    return [(nodes[row[0]], Count(*row[1:])) for row in rows if row[0] in nodes]


def runs_of(session: Session, rule_id: str) -> Sequence[Any]:
    """The latest runs that judged a rule."""
    columns = (
        CheckRun.on,
        CheckRun.kind,
        CheckRun.finished_at,
        RuleRun.dataset,
        RuleRun.findings,
        RuleRun.seconds,
        RuleRun.error,
    )
    mine = select(*columns).join(CheckRun, CheckRun.id == RuleRun.run_id).where(RuleRun.rule_id == rule_id)
    return session.execute(mine.order_by(RuleRun.run_id.desc(), RuleRun.dataset).limit(RUNS)).all()
