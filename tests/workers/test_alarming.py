"""The look-out beside the clock (办法19): often enough for a minute, by itself, and no cause hides another."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, insert, select

from tests.audit import intruder
from tests.audit.intruder import fill, inside
from tests.workers.conftest import eventually
from workers import alarming
from workers.alarming import Watch, look
from workflow.access.accounts import create_account
from workflow.access.models import SensitiveReading
from workflow.audit.models import ROW
from workflow.db import reading, writing
from workflow.duty.alarms import ACTION, Alarm
from workflow.operations.models import Notice
from workflow.policy import shipped_policies
from workflow.settings import Settings


def alarms(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(ROW.c.object_key).where(ROW.c.action == ACTION).order_by(ROW.c.seq)))


def look_up_much(engine: Engine, moment: datetime) -> None:
    with writing(engine) as session:
        create_account(session, name="curious", person_name="某", now=moment, by="first")
        row = {"account": "curious", "dataset": "person", "record_key": "P1", "reason": "核对", "at": moment}
        session.execute(insert(SensitiveReading), [row] * (shipped_policies().city.count("alarm.readings") + 1))


def test_a_look_is_due_often_enough_that_an_alarm_is_told_within_a_minute() -> None:
    assert alarming.EVERY <= 30


def test_the_clock_tells_by_itself(city: Engine, part: Callable[..., subprocess.Popen[bytes]]) -> None:
    look_up_much(city, datetime.now(UTC))
    part("clock")
    found = eventually(lambda: alarms(city), within=20.0, what="no alarm was raised")
    assert str(found[0]).startswith("reading:curious:readings:")  # type: ignore[index]
    with reading(city) as session:
        shown = session.execute(select(Notice.role, Notice.kind, Notice.created_at, Notice.show_at)).all()
    assert [row[:2] for row in shown] == [("security", "alarm.reading")]
    assert all(row.show_at == row.created_at for row in shown)


def test_what_goes_wrong_is_told_at_the_next_look_and_once(city: Engine, settings: Settings) -> None:
    watch, now = Watch(), datetime.now(UTC)
    fill(city, 20)
    assert look(city, settings, watch, now) == []
    with inside(city) as connection:
        intruder.take_away(connection, 8)
    assert [key.partition(":")[0] for key in look(city, settings, watch, now)] == ["chain"]
    assert look(city, settings, watch, now) == []


def test_a_cause_that_cannot_be_looked_at_hides_no_other(
    city: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> list[Alarm]:
        raise ValueError("broken")

    for name in ("chain_alarms", "state_of", "lockout_alarms", "red_alarms"):
        monkeypatch.setattr(alarming, name, broken)
    now = datetime.now(UTC)
    look_up_much(city, now)
    assert [key.partition(":")[0] for key in look(city, settings, Watch(), now)] == ["reading"]
