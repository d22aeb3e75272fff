"""Proof that two writers at once neither lose a change nor share a code: real sessions racing, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.registry.conftest import PERSON, found_units
from workflow.db import writing
from workflow.errors import Conflict
from workflow.registry.history import versions
from workflow.registry.models import RecordVersion
from workflow.registry.records import write
from workflow.registry.tables import TABLES

RACERS = 4


def _race(work: Callable[[int], Any]) -> list[Any]:
    """What each racer brings home; all start together."""
    start = Barrier(RACERS)

    def run(i: int) -> Any:
        start.wait()
        return work(i)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))


def test_of_two_who_change_the_same_version_one_is_told_of_the_other(both_engines: Engine, now: datetime) -> None:
    unit = found_units(both_engines, now)["U2"]
    with writing(both_engines) as session:
        record_id = write(session, "person", [PERSON | {"unit": unit}], by="clerk", now=now).ids[0]

    def work(i: int) -> str:
        try:
            with writing(both_engines) as session:
                write(
                    session, "person", [{"id": record_id, "version": 1, "major": f"专业{i}"}], by=f"clerk{i}", now=now
                )
        except Conflict as conflict:
            return conflict.says
        return "written"

    told = _race(work)
    assert told.count("written") == 1
    winner = f"clerk{told.index('written')}"
    assert all(f"{winner} 于 2026-03-02 09:00 将「所学专业」" in says for says in told if says != "written")


def test_changes_of_other_fields_at_once_are_all_kept(both_engines: Engine, now: datetime) -> None:
    unit = found_units(both_engines, now)["U2"]
    with writing(both_engines) as session:
        record_id = write(session, "person", [PERSON | {"unit": unit}], by="clerk", now=now).ids[0]
    fields = ("major", "school", "title", "native_place")

    def work(i: int) -> None:
        with writing(both_engines) as session:
            write(session, "person", [{"id": record_id, fields[i]: "新值"}], by="clerk", now=now)

    _race(work)
    with Session(both_engines) as session:
        person = TABLES["person"].c
        assert session.execute(select(person.version, *(person[name] for name in fields))).one() == (5, *["新值"] * 4)
        assert [version.version for version in versions(session, "person", record_id)] == [1, 2, 3, 4, 5]


def test_codes_drawn_at_once_are_never_the_same(both_engines: Engine, now: datetime) -> None:
    unit = found_units(both_engines, now)["U2"]

    def work(i: int) -> list[str]:
        with writing(both_engines) as session:
            rows = [PERSON | {"unit": unit, "id_no": f"number {i} {j}"} for j in range(5)]
            return list(write(session, "person", rows, by="clerk", now=now).keys.values())

    drawn = [key for keys in _race(work) for key in keys]
    assert sorted(drawn) == [f"P{i:08d}" for i in range(1, RACERS * 5 + 1)]
    with Session(both_engines) as session:
        assert (
            session.scalar(select(func.count(RecordVersion.id)).where(RecordVersion.dataset == "person")) == RACERS * 5
        )
