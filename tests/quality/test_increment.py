"""An increment leaves the same findings as a full run: over weeks of edits, moves, removals, re-creations and calendar jumps."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, Engine, create_engine, select, text
from sqlalchemy.orm import Session

from tests.quality.conftest import TODAY, invented
from tests.quality.invent import Maker
from workflow.db import snapshot_on, writing, writing_on
from workflow.quality.due import HORIZON, refresh_due
from workflow.quality.findings import FindResult, find
from workflow.quality.increment import changed_scope, record_scope, settled_watermark, unit_scope
from workflow.quality.models import CheckRun, RuleRun
from workflow.quality.rulebook import RuleBook
from workflow.registry.dictionary import Field
from workflow.registry.records import remove, write
from workflow.registry.tables import TABLES

Findings = dict[tuple[str, str, int, str], Any]
EDITED = (
    "person",
    "person",
    "person",
    "contract",
    "position",
    "unit",
    "ledger",
    "inner_org",
    "leader_quota",
    "contract_quota",
    "school",
)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
JUMPS = (0, 1, 1, 6, 30)


class Room:
    """A city under change: rows, the findings kept by increments, and the run that the next one builds on."""

    def __init__(self, connection: Connection, book: RuleBook, seed: int) -> None:
        self.connection, self.book = connection, book
        self.chance = random.Random(seed)
        self.maker = Maker(book.dictionary, TODAY, self.chance)
        self.maker.ids = dict.fromkeys(book.dictionary.datasets, 30)
        self.today = TODAY
        self.kept: Findings = {}
        self.since: CheckRun | None = None

    @property
    def now(self) -> datetime:
        """Ten in the morning in Ningbo."""
        return datetime(self.today.year, self.today.month, self.today.day, 2, 0, tzinfo=UTC)

    def full(self) -> Findings:
        """What a full run finds now."""
        with snapshot_on(self.connection) as session:
            result = find(session, self.today)
            assert result.failed == []
            return self._found()

    def run_full(self) -> None:
        """A full run that the next increment builds on."""
        watermark = self._settled()
        with snapshot_on(self.connection) as session:
            result = find(session, self.today)
            self.kept = self._found()
        self._remember(result, watermark, "full")

    def run_increment(self) -> int:
        """An increment; the number of records that it judged."""
        watermark = self._settled()
        with snapshot_on(self.connection) as session:
            increment = changed_scope(session, self.since, self.today, largest_share=1)
            assert not increment.full, increment.reason
            result = find(session, self.today, scoped=True)
            judged = {tuple(row) for row in self.connection.execute(text("SELECT dataset, record_id FROM scope"))}
            self.kept = {key: told for key, told in self.kept.items() if key[1:3] not in judged} | self._found()
        self._remember(result, watermark, "incremental")
        return len(judged)

    def _settled(self) -> int:
        watermark = settled_watermark(self.connection, self.since.watermark if self.since else 0)
        self.connection.rollback()
        return watermark

    def _found(self) -> Findings:
        rows = self.connection.execute(text("SELECT rule_id, dataset, record_id, part, facts FROM found"))
        return {tuple(r[:4]): orjson.loads(r[4]) if isinstance(r[4], str) else r[4] for r in rows}  # type: ignore[misc]

    def _remember(self, result: FindResult, watermark: int, kind: str) -> None:
        with writing_on(self.connection) as session:
            refresh_due(session, full=kind == "full")
            self.since = CheckRun(
                on=self.today, kind=kind, started_at=self.now, finished_at=self.now,
                watermark=watermark, rules_hash=result.rules_hash, records=result.records,
            )  # fmt: skip
            session.add(self.since)

    def edit(self, dataset: str, rows: list[dict[str, Any]]) -> None:
        """Write rows through the registry's one door."""
        with writing_on(self.connection) as session:
            write(session, dataset, rows, by="reviewer", now=self.now, may_write_locked=True)

    def disturb(self) -> None:
        """One random change: an edit of some fields, a removal, a return under the same id, or a new record."""
        dataset = self.chance.choice(EDITED)
        table, key = TABLES[dataset], self.book.dictionary[dataset].key
        known = self.connection.execute(select(table.c.id, table.c.removed_on)).all()
        self.connection.rollback()
        record_id, gone = self.chance.choice(known)
        draw = self.chance.random()
        if draw < 0.12 and gone is None:
            with writing_on(self.connection) as session:
                remove(session, dataset, [record_id], by="reviewer", now=self.now)
        elif draw < 0.25:
            self.edit(dataset, [{key: f"NEW{self.chance.randrange(10**9)}"} | self._values(dataset, 12)])
        else:
            self.edit(dataset, [{"id": record_id} | self._values(dataset, 3)])

    def _values(self, dataset: str, most: int) -> dict[str, Any]:
        fields = [
            f
            for f in self.book.dictionary[dataset].importable
            if f.name not in (self.book.dictionary[dataset].key, "parent")
        ]
        chosen = self.chance.sample(fields, self.chance.randint(1, min(most, len(fields))))
        return {f.name: self._value(f, dataset) for f in chosen}

    def _value(self, f: Field, dataset: str) -> Any:
        if f.type == "id":
            return self.maker.number()
        return None if self.chance.random() < 0.2 else self.maker.value(f, dataset, 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_weeks_of_increments_keep_the_findings_of_a_full_run(
    both_engines: Engine, rule_book: RuleBook, seed: int
) -> None:
    with invented(both_engines, rule_book, rows=240, seed=seed) as connection:
        room = Room(connection, rule_book, seed)
        room.run_full()
        for _ in range(14):
            if room.today - TODAY > HORIZON - timedelta(days=31):
                room.run_full()
                break
            for _ in range(room.chance.randint(0, 12)):
                room.disturb()
            room.today += timedelta(days=room.chance.choice(JUMPS))
            room.run_increment()
            assert room.kept == room.full()


@pytest.mark.parametrize("days", [1, 6, 30])
def test_the_calendar_alone_brings_up_what_falls_due(engine: Engine, rule_book: RuleBook, days: int) -> None:
    with invented(engine, rule_book, rows=240, seed=5) as connection:
        room = Room(connection, rule_book, 5)
        room.run_full()
        before = dict(room.kept)
        room.today += timedelta(days=days)
        judged = room.run_increment()
        assert room.kept == room.full() != before
        assert judged < sum(1 for _ in before)


def _changed_one(room: Room, dataset: str, change: Callable[[], None]) -> set[int]:
    """The records of a data set that an increment judges after one change."""
    room.run_full()
    change()
    room.run_increment()
    rows = room.connection.execute(text("SELECT record_id FROM scope WHERE dataset = :d"), {"d": dataset})
    judged = set(rows.scalars())
    room.connection.rollback()
    assert room.kept == room.full()
    return judged


def test_people_of_a_changed_unit_and_both_units_of_a_moved_person_are_judged(
    engine: Engine, rule_book: RuleBook
) -> None:
    with invented(engine, rule_book, rows=240, seed=6) as connection:
        room, person = Room(connection, rule_book, 6), TABLES["person"]
        room.edit("person", [{"id": 1, "unit": 2, "estab_status": "1"}])
        people = set(
            connection.execute(
                select(person.c.id).where(person.c.unit_id == 3, person.c.removed_on.is_(None))
            ).scalars()
        )
        connection.rollback()
        assert people <= _changed_one(room, "person", lambda: room.edit("unit", [{"id": 3, "name": "改名后的机构"}]))
        assert {2, 4} <= _changed_one(room, "unit", lambda: room.edit("person", [{"id": 1, "unit": 4}]))


def test_whoever_shared_a_number_before_is_judged_when_the_other_leaves(engine: Engine, rule_book: RuleBook) -> None:
    with invented(engine, rule_book, rows=240, seed=7) as connection:
        room = Room(connection, rule_book, 7)
        room.edit(
            "person", [{"id": i, "id_no": "110105194912310021", "unit": 1, "estab_status": "1"} for i in (10, 11)]
        )
        room.run_full()
        assert {key[2] for key in room.kept if key[:2] == ("P08", "person")} >= {10, 11}
        judged = _changed_one(room, "person", lambda: room.edit("person", [{"id": 10, "id_no": "110105194912310030"}]))
        assert 11 in judged
        assert not {key[2] for key in room.kept if key[:2] == ("P08", "person")} & {10, 11}


def test_other_rules_a_failed_rule_an_earlier_day_or_a_far_one_call_for_a_full_run(
    engine: Engine, rule_book: RuleBook
) -> None:
    with invented(engine, rule_book, rows=60, seed=8) as connection:
        room = Room(connection, rule_book, 8)

        def reason(since: CheckRun | None, on: date) -> str:
            with snapshot_on(connection) as session:
                increment = changed_scope(session, since, on)
                assert increment.full == bool(increment.reason)
                return increment.reason

        assert "尚无" in reason(None, TODAY)
        room.run_full()
        since = room.since
        assert since is not None
        assert reason(since, TODAY) == ""
        assert "早于" in reason(since, TODAY - timedelta(days=1))
        assert "天" in reason(since, TODAY + HORIZON + timedelta(days=1))
        with writing_on(connection) as session:
            session.add(RuleRun(run_id=since.id, rule_id="P04", dataset="person", seconds=0.1, error="broken"))
        assert "未能执行" in reason(since, TODAY)
        other = CheckRun(id=since.id + 1, on=TODAY, kind="full", rules_hash="other", watermark=since.watermark)
        assert "已变更" in reason(other, TODAY)


def test_more_than_a_quarter_of_the_records_call_for_a_full_run(engine: Engine, rule_book: RuleBook) -> None:
    with invented(engine, rule_book, rows=60, seed=9) as connection:
        room = Room(connection, rule_book, 9)
        room.run_full()
        for dataset in ("person", "contract", "position"):
            room.edit(dataset, [{"id": i, "remark": "改"} for i in range(1, 61)])
        with snapshot_on(connection) as session:
            assert "四分之一" in changed_scope(session, room.since, TODAY).reason


def test_one_unit_or_one_record_can_be_judged_at_once(engine: Engine, rule_book: RuleBook) -> None:
    with invented(engine, rule_book, rows=240, seed=10) as connection:
        room = Room(connection, rule_book, 10)
        whole = room.full()
        for fill in (lambda s: unit_scope(s, 2), lambda s: record_scope(s, "person", [5])):
            with snapshot_on(connection) as session:
                fill(session)
                find(session, TODAY, scoped=True)
                judged = {tuple(row) for row in connection.execute(text("SELECT dataset, record_id FROM scope"))}
                assert room._found() == {key: told for key, told in whole.items() if key[1:3] in judged}
                assert judged


def test_a_version_still_being_written_holds_the_watermark_back(pg_engine: Engine) -> None:
    def settled(previous: int) -> int:
        with pg_engine.connect() as connection:
            return settled_watermark(connection, previous)

    def new_unit(session: Session, code: str) -> None:
        write(session, "unit", [{"unit_code": code, "name": code}], by="reviewer", now=NOW, may_write_locked=True)

    with writing(pg_engine) as session:
        new_unit(session, "U1")
    first = settled(0)
    assert first > 0
    with writing(pg_engine) as slow:
        new_unit(slow, "U2")
        slow.flush()
        with writing(pg_engine) as quick:
            new_unit(quick, "U3")
        assert settled(first) == first
    assert settled(first) > first


def test_a_neighbouring_database_holds_no_watermark_back(pg_engine: Engine) -> None:
    neighbour = create_engine(os.environ["SANDENG_TEST_POSTGRESQL"])
    with writing(pg_engine) as session:
        write(session, "unit", [{"unit_code": "U1", "name": "U1"}], by="reviewer", now=NOW, may_write_locked=True)
    with neighbour.connect() as writer, pg_engine.connect() as connection:
        writer.execute(text("CREATE TEMP TABLE noise (id INTEGER)"))
        assert writer.execute(text("SELECT pg_current_xact_id_if_assigned()")).scalar_one()
        assert settled_watermark(connection, 0) > 0
    neighbour.dispose()
