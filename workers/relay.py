"""The relay: outbox rows become RQ jobs. At least once from here, once at the consumers; a queue that lost its memory is filled again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine

from workers.queue import connect, enqueue
from workers.signals import Stop
from workflow.clock import present
from workflow.db import reading, writing
from workflow.operations import effects, requests
from workflow.scoping import open_whole
from workflow.settings import get_settings

MEMORY = "sandeng:relay"  # a mark in the queue's server: where it is missing, the server has forgotten its jobs
EVERY = 0.5  # seconds
CHUNK = 500  # effects carried by one job

Waiting = tuple[int, str, str]  # id, topic, key of an outbox row

log = logging.getLogger("sandeng.relay")


def relay(engine: Engine, connection: Redis, now: datetime, *, chunk: int = CHUNK) -> int:
    """Hand everything that is due to the queue; returns the number of effects. Raises RedisError where it cannot be reached."""
    again = not connection.exists(MEMORY)
    handed, seen = 0, 0
    while rows := _due(engine, now, again=again, after=seen, chunk=chunk):
        for function, queue_name, arguments, key in _jobs_of(rows):
            enqueue(connection, queue_name, function, arguments, key=key)
        with writing(engine) as session:
            effects.handed_on(session, [row[0] for row in rows], now)
        handed, seen = handed + len(rows), rows[-1][0]
    if again:
        connection.set(MEMORY, 1)
    return handed


def run(once: bool = False) -> None:
    """Relay until asked to stop; with `once` a single pass."""
    engine, stop = open_whole(get_settings()), Stop()
    follow(engine, stop, once=once)
    engine.dispose()


def follow(engine: Engine, stop: Stop, *, once: bool = False) -> None:
    """Relay what becomes due. A queue that cannot be reached is waited for: the rows stay where they are."""
    connection, silent_since = connect(), 0.0
    while not stop.asked():
        try:
            relay(engine, connection, present())
            silent_since = 0.0
        except RedisError as error:
            if not silent_since:
                log.warning("queue unreachable, effects wait in the outbox: %s", error)
                silent_since = time.monotonic()
        if once or stop.wait(EVERY):
            break
    connection.close()


def _due(engine: Engine, now: datetime, *, again: bool, after: int, chunk: int) -> list[Waiting]:
    with reading(engine) as session:
        return [tuple(row) for row in effects.due_effects(session, now, again=again, after=after, limit=chunk)]


def _jobs_of(rows: Iterable[Waiting]) -> Iterator[tuple[str, str, list[object], str]]:
    """(function, queue, arguments, key) of the jobs that carry these rows: one per request, one per topic for the others."""
    for topic, group in groupby(sorted(rows, key=lambda row: (row[1], row[0])), key=lambda row: row[1]):
        members = list(group)
        if topic == requests.TOPIC:
            for _, _, key in members:
                _, kind, request_id = key.split(":")
                yield "workers.jobs.run_request", "checks" if kind == "check" else "files", [int(request_id)], key
        else:
            ids = [row[0] for row in members]
            yield "workers.jobs.carry_out", "notices", [topic, ids], f"{topic}:{ids}"
