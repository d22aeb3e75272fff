"""Prepared statements say what the same Core statements say: values, rows, errors, and one order of effects on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from workflow.db import Json, UtcDateTime, YmdDate, writing
from workflow.prepared import Prepared, together

NAMES = ("id", "at", "day", "told", "open", "word")
PROBE = Table(
    "probe",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime),
    Column("day", YmdDate),
    Column("told", Json),
    Column("open", Boolean),
    Column("word", String(20), CheckConstraint("word <> '坏'", name="word")),
)
AT = datetime(2026, 3, 2, 1, 30, 0, 5, tzinfo=UTC)
ROW = {"id": 1, "at": AT, "day": date(2026, 3, 2), "told": {"三": [1, None]}, "open": True, "word": "好"}
NOTHING = {"id": 2, "at": None, "day": None, "told": {}, "open": False, "word": None}
INSERT = Prepared(insert(PROBE), NAMES)
SAY = Prepared(
    update(PROBE).where(PROBE.c.id == bindparam("which", type_=Integer)).values(word=bindparam("said", type_=String)),
    ["which", "said"],
)
ALL = Prepared(select(PROBE).order_by(PROBE.c.id), [])


@pytest.fixture
def probed(both_engines: Engine) -> Engine:
    PROBE.create(both_engines)
    return both_engines


def test_values_go_in_and_come_out_as_their_types_say(probed: Engine) -> None:
    with writing(probed) as session:
        INSERT.run(session, ROW)
        INSERT.run_each(session, [NOTHING, {**ROW, "id": 3}])
        core = [tuple(row) for row in session.execute(select(PROBE).order_by(PROBE.c.id))]
        assert ALL.rows(session, {}) == core == [tuple(row.values()) for row in (ROW, NOTHING, {**ROW, "id": 3})]


def test_a_text_that_depends_on_its_values_is_refused(probed: Engine) -> None:
    several = Prepared(select(PROBE.c.id).where(PROBE.c.id.in_([1, 2])), [])
    with writing(probed) as session, pytest.raises(TypeError, match="depends on its values"):
        several.rows(session, {})


@pytest.mark.parametrize("joined", [False, True])
def test_an_error_is_told_as_sqlalchemy_tells_it_and_without_the_values(probed: Engine, joined: bool) -> None:
    with pytest.raises(IntegrityError) as told, writing(probed) as session:
        if joined:
            with together(session):
                INSERT.run(session, ROW)
                SAY.run(session, {"which": 1, "said": "坏"})
        else:
            INSERT.run(session, {**ROW, "word": "坏"})
    assert told.value.params is None
    with writing(probed) as session:
        assert ALL.rows(session, {}) == []


def test_what_goes_together_has_the_effects_of_one_after_the_other(probed: Engine) -> None:
    count = Prepared(
        insert(PROBE).from_select(["id", "word"], select(func.count() + 10, func.max(PROBE.c.word)).select_from(PROBE)),
        [],
    )
    with writing(probed) as session:
        with together(session):
            INSERT.run(session, ROW)
            SAY.run(session, {"which": 1, "said": "甲"})
            SAY.run(session, {"which": 1, "said": "乙"})
            count.run(session, {})
            INSERT.run_each(session, [NOTHING, {**NOTHING, "id": 3}])
            SAY.run(session, {"which": 3, "said": "丙"})
        words = {row.id: row.word for row in session.execute(select(PROBE.c.id, PROBE.c.word))}
    assert words == {1: "乙", 2: None, 3: "丙", 11: "乙"}


def test_a_postgresql_server_is_asked_once_for_what_goes_together(pg_engine: Engine) -> None:
    PROBE.create(pg_engine)
    with writing(pg_engine) as session:
        INSERT.run_each(session, [ROW, NOTHING])
        driver = session.connection().connection.driver_connection
        assert driver is not None
        with together(session):
            SAY.run(session, {"which": 1, "said": "甲"})
            assert ALL.rows(session, {})[0][-1] == "好"  # still waiting
        assert ALL.rows(session, {})[0][-1] == "甲"


def test_a_statement_after_the_transaction_uses_a_new_connection(probed: Engine) -> None:
    with writing(probed) as session:
        INSERT.run(session, ROW)
    with writing(probed) as session:
        INSERT.run(session, NOTHING)
        session.rollback()
        INSERT.run(session, {**NOTHING, "id": 4})
        session.rollback()
        assert [row[0] for row in ALL.rows(session, {})] == [1]
