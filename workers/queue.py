"""RQ as the carrier of work: ids in JSON, one job per key, short leases. Holds no truth: what is lost is handed on again."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from workers.signals import end_with_parent
from workflow.heap import settle
from workflow.settings import Settings, get_settings

QUEUES = ("notices", "checks", "files")  # in the order in which a worker empties them
TIMEOUTS = {"notices": 120, "checks": 900, "files": 3600}  # seconds
WORKER_TTL = 30  # seconds after which a silent worker counts as dead
WAITING = (JobStatus.QUEUED, JobStatus.STARTED, JobStatus.DEFERRED, JobStatus.SCHEDULED)


class PostWorker(Worker):
    """An RQ worker whose job process ends with it."""

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Runs in the forked process of one job."""
        end_with_parent(self._parent, signal.SIGKILL)
        super().main_work_horse(job, queue)

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Note whose child the job process will be."""
        self._parent = os.getpid()
        super().fork_work_horse(job, queue)


def connect(settings: Settings | None = None, *, patience: float | None = 2.0) -> Redis:
    """The queue's server. `patience`: seconds for an answer, None for a worker that blocks on its queues."""
    url = (settings or get_settings()).redis_url
    return Redis.from_url(url, socket_timeout=patience, socket_connect_timeout=2.0)


def queue(name: str, connection: Redis) -> Queue:
    """One of QUEUES."""
    return Queue(name, connection=connection, serializer=JSONSerializer, default_timeout=TIMEOUTS[name])


def enqueue(connection: Redis, name: str, function: str, arguments: Sequence[Any], *, key: str) -> bool:
    """Put one job by dotted name into a queue; False where a job of that key is waiting or running already."""
    job_id = job_key(function, key)
    call: dict[str, Any] = {
        "func": function,
        "args": list(arguments),
        "job_id": job_id,
        "unique": True,
        "result_ttl": 0,
        "failure_ttl": 86400,
        "description": f"{function} {key}",
    }
    target = queue(name, connection)
    try:
        target.enqueue_call(**call)
    except DuplicateJobError:
        if not _forget_ended(job_id, connection):
            return False
        target.enqueue_call(**call)
    return True


def job_key(function: str, key: str) -> str:
    """The RQ id of a job: letters, digits and dashes only."""
    return f"{function.rsplit('.', 1)[-1]}-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def reachable(settings: Settings | None = None) -> bool:
    """Whether the queue's server answers."""
    try:
        with connect(settings) as connection:
            return bool(connection.ping())
    except RedisError:
        return False


def run_worker(burst: bool = False) -> None:
    """Work through the queues until asked to stop; with `burst` until they are empty."""
    import workers.jobs  # noqa: F401  (loaded before the fork, so that a job starts at once)

    logging.getLogger("rq").setLevel(logging.WARNING)
    if not burst:
        settle()
    connection = connect(patience=None)
    worker = PostWorker(
        [queue(name, connection) for name in QUEUES],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL,
        job_monitoring_interval=5,
        maintenance_interval=30,
        log_job_description=False,
        name=f"worker-{os.getpid()}-{datetime.now(UTC):%H%M%S%f}",
    )
    worker.work(burst=burst, logging_level=logging.WARNING)


def _forget_ended(job_id: str, connection: Redis) -> bool:
    """Delete the remains of a job that has ended, so that its key is free; False where it is still waiting or running."""
    try:
        job = Job.fetch(job_id, connection=connection, serializer=JSONSerializer)
    except NoSuchJobError:
        return True
    if job.get_status() in WAITING:
        return False
    job.delete()
    return True
