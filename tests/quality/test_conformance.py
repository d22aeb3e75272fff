"""SQLite, PostgreSQL and a row-by-row judge give the same findings: on invented rows, and on every rule's own examples."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.quality.conftest import TODAY, invented
from tests.quality.invent import rows_of
from tests.quality.judge import World
from tests.quality.judge_words import CLASSES, FUNCTIONS
from tests.quality.staged import EXAMPLES, examples, stage
from workflow.db import snapshot_on, ymd
from workflow.quality.compiler_text import SPECIAL
from workflow.quality.findings import find
from workflow.quality.rulebook import Rule, RuleBook
from workflow.quality.vocabulary import vocabulary

GROUPS = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def found(session: Session) -> set[tuple[Any, ...]]:
    """What stands in the temporary table: (rule, data set, record, part)."""
    return {tuple(row) for row in session.execute(text("SELECT rule_id, dataset, record_id, part FROM found"))}


def facts(session: Session) -> dict[tuple[Any, ...], Any]:
    """The facts of each finding."""
    rows = session.execute(text("SELECT rule_id, dataset, record_id, part, facts FROM found"))
    return {tuple(row[:4]): orjson.loads(row[4]) if isinstance(row[4], str) else row[4] for row in rows}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_engine_finds_what_the_judge_finds(both_engines: Engine, rule_book: RuleBook, seed: int) -> None:
    with invented(both_engines, rule_book, rows=240, seed=seed) as connection, snapshot_on(connection) as session:
        result = find(session, TODAY)
        world = World(rule_book.dictionary, rule_book, ymd(TODAY), rows_of(connection, rule_book.dictionary))
        assert result.failed == []
        assert found(session) == world.judge()
        assert result.findings == len(found(session))


def test_most_rules_are_broken_somewhere_in_the_invented_rows(engine: Engine, rule_book: RuleBook) -> None:
    hit: set[tuple[str, str]] = set()
    with invented(engine, rule_book, rows=600, seed=3) as connection, snapshot_on(connection) as session:
        find(session, TODAY)
        hit |= {(rule, dataset) for rule, dataset, _, _ in found(session)}
    assert len(hit) >= len(rule_book.rules) * 0.85


@pytest.mark.postgresql
def test_both_engines_carry_the_same_values_into_the_message(
    engine: Engine, pg_engine: Engine, rule_book: RuleBook
) -> None:
    told = []
    for opened in (engine, pg_engine):
        with invented(opened, rule_book, rows=150, seed=4) as connection, snapshot_on(connection) as session:
            find(session, TODAY)
            told.append(facts(session))
    assert told[0] == told[1]


@pytest.mark.parametrize("group", GROUPS)
def test_each_rule_passes_fails_and_stays_silent_on_its_examples(
    both_engines: Engine, rule_book: RuleBook, group: str
) -> None:
    wrong = []
    with Session(both_engines) as session:
        for rule_id, sets in examples(group).items():
            for dataset, told in sets.items():
                wrong += [(rule_id, dataset, *one) for one in _tried(session, rule_book, rule_id, dataset, told)]
    assert wrong == []


def _tried(session: Session, book: RuleBook, rule_id: str, dataset: str, told: dict[str, Any]) -> list[tuple[str, Any]]:
    today: dt.date = told.get("today", TODAY)
    wrong: list[tuple[str, Any]] = []
    for kind in ("passes", "fails", *(["empty"] if "empty" in told else [])):
        stage(session.connection(), book.dictionary, dataset, told[kind])
        result = find(session, today, only=(rule_id, dataset), book=book)
        told_by_sql = found(session)
        if result.failed or told_by_sql != _judged(session, book, today, book.by_key[rule_id, dataset]):
            wrong.append((kind, "judge differs"))
        if bool(told_by_sql) != (kind == "fails"):
            wrong.append((kind, told_by_sql))
        if (
            kind == "fails"
            and "fails_part" in told
            and str(told["fails_part"]) not in {part for *_, part in told_by_sql}
        ):
            wrong.append((kind, "part"))
        session.rollback()
    return wrong


def _judged(session: Session, book: RuleBook, today: dt.date, rule: Rule) -> set[Any]:
    return World(book.dictionary, book, ymd(today), rows_of(session.connection(), book.dictionary)).judge_rule(rule)


def test_the_judge_knows_every_word_of_the_vocabulary() -> None:
    assert set(vocabulary().functions) | set(SPECIAL) - {"属于"} == set(FUNCTIONS)
    assert set(vocabulary().classes) == set(CLASSES)


def test_every_rule_has_its_examples(rule_book: RuleBook) -> None:
    given = {(rule_id, dataset) for group in GROUPS for rule_id, sets in examples(group).items() for dataset in sets}
    assert given == {
        rule.key for rule in rule_book.rules if not rule.matter
    }  # cases are not example rows: tests/casework
    assert len({rule_id for rule_id, _ in given}) >= 125
