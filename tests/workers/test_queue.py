"""The queue and the relay on a real Valkey: one job per key, nothing lost with the queue's memory, nothing done twice."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Unreachable
from sqlalchemy import Engine, func, select

from workers.jobs import carry_out
from workers.queue import connect, enqueue, queue, reachable, run_worker
from workers.relay import relay
from workflow.db import reading, writing
from workflow.engine.models import Outbox
from workflow.engine.outbox import Message, emit_all
from workflow.operations.models import Consumed, Notice
from workflow.settings import Settings

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # Monday, ten in the morning in Ningbo


def write_effects(engine: Engine, count: int, *, first: int = 0) -> None:
    """Notices for as many clerks, in the outbox."""
    numbers = range(first, first + count)
    payload = {"kind": "light", "title": "数据问题亮黄灯", "link": "/tickets"}
    with writing(engine) as session:
        messages = [Message("notice", f"light:{n}", payload | {"account": f"clerk{n}"}) for n in numbers]
        emit_all(session, messages, NOW)


def told(engine: Engine) -> dict[str, int]:
    """Account → how often it was told."""
    with reading(engine) as session:
        return {account or "": count for account, count in session.execute(select(Notice.account, Notice.count))}


def open_effects(engine: Engine) -> int:
    with reading(engine) as session:
        return session.scalar(select(func.count()).where(Outbox.done_at.is_(None))) or 0


def test_a_job_of_the_same_key_is_queued_once(settings: Settings, valkey: Redis) -> None:
    assert enqueue(valkey, "files", "workers.jobs.run_request", [7], key="job:import:7")
    assert not enqueue(valkey, "files", "workers.jobs.run_request", [7], key="job:import:7")
    assert len(queue("files", valkey)) == 1


def test_jobs_are_written_as_json_and_carry_ids_only(settings: Settings, valkey: Redis) -> None:
    enqueue(valkey, "notices", "workers.jobs.carry_out", ["notice", [1, 2]], key="notice:[1, 2]")
    [job] = queue("notices", valkey).jobs
    assert job.args == ["notice", [1, 2]]
    assert b"\x80" not in valkey.hget(f"rq:job:{job.id}", "data")[:4]  # no pickle


def test_effects_reach_their_audience_once(city: Engine, valkey: Redis) -> None:
    write_effects(city, 3)
    assert relay(city, valkey, NOW) == 3
    assert relay(city, valkey, NOW) == 0
    run_worker(burst=True)
    assert told(city) == {"clerk0": 1, "clerk1": 1, "clerk2": 1}
    assert open_effects(city) == 0


def test_a_second_delivery_of_the_same_effects_does_nothing(city: Engine, valkey: Redis) -> None:
    write_effects(city, 3)
    assert [carry_out("notice", [1, 2, 3]), carry_out("notice", [1, 2, 3]), carry_out("notice", [2])] == [3, 0, 0]
    assert told(city) == {"clerk0": 1, "clerk1": 1, "clerk2": 1}


def test_an_effect_whose_row_was_forgotten_but_whose_key_is_known_is_dropped(city: Engine) -> None:
    with writing(city) as session:
        session.add(Consumed(key="light:0", topic="notice", at=NOW))
    write_effects(city, 2)
    carry_out("notice", [1, 2])
    assert told(city) == {"clerk1": 1}
    assert open_effects(city) == 0


def test_a_flushed_queue_is_filled_again_and_nothing_is_lost(city: Engine, valkey: Redis) -> None:
    write_effects(city, 1200)
    assert relay(city, valkey, NOW) == 1200
    valkey.flushall()
    assert relay(city, valkey, NOW + timedelta(seconds=1)) == 1200
    run_worker(burst=True)
    assert len(told(city)) == 1200
    assert set(told(city).values()) == {1}
    assert open_effects(city) == 0


def test_a_job_that_was_lost_without_a_trace_is_handed_on_again_later(city: Engine, valkey: Redis) -> None:
    write_effects(city, 1)
    relay(city, valkey, NOW)
    for key in valkey.scan_iter("rq:*"):
        valkey.delete(key)
    assert relay(city, valkey, NOW + timedelta(seconds=59)) == 0
    assert relay(city, valkey, NOW + timedelta(seconds=61)) == 1


def test_effects_wait_in_the_outbox_while_the_queue_is_away(city: Engine, settings: Settings) -> None:
    write_effects(city, 2)
    assert not reachable(settings)
    with connect(settings) as connection, pytest.raises(Unreachable):
        relay(city, connection, NOW)
    assert open_effects(city) == 2


def test_one_bad_effect_does_not_hold_up_the_others(city: Engine, valkey: Redis) -> None:
    write_effects(city, 2)
    with writing(city) as session:
        emit_all(session, [Message("notice", "light:bad", {"account": "nobody"})], NOW)  # no kind, no title
    relay(city, valkey, NOW)
    run_worker(burst=True)
    assert told(city) == {"clerk0": 1, "clerk1": 1}
    assert open_effects(city) == 1


@pytest.mark.redis
def test_a_redis_server_of_its_own_serves_as_well(city: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    url = os.environ.get("SANDENG_TEST_REDIS_URL")
    if not url:
        pytest.skip("needs Redis: set SANDENG_TEST_REDIS_URL")
    monkeypatch.setenv("SANDENG_REDIS_URL", url)
    write_effects(city, 2)
    with connect() as connection:
        connection.flushdb()
        relay(city, connection, NOW)
        run_worker(burst=True)
        connection.flushdb()
    assert told(city) == {"clerk0": 1, "clerk1": 1}
