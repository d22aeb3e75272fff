"""The audit chain under attack and under load (办法17)."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.audit import intruder
from tests.audit.intruder import COLUMNS, START, fill
from tests.drill.registry import Measured, drill
from workflow.audit import chain, verify
from workflow.audit.anchors import Anchor, make_anchor
from workflow.audit.models import ROW
from workflow.audit.notes import note
from workflow.audit.seal import Signer
from workflow.db import open_engine, reading, writing

ROWS, SINGLE, CLEAN = 1000, 150, 100
WRITERS, EACH, RATE = 4, 2000, 300
UNLOCKED = "SANDENG_DRILL_UNLOCKED"


@contextmanager
def summary_left_out() -> Iterator[None]:
    """A build whose seal leaves one column out."""
    honest = chain.canonical
    place = chain.COVERED.index("summary")

    def careless(values: Any) -> bytes:
        return honest([value for i, value in enumerate(values) if i != place])

    chain.canonical = verify.canonical = careless
    try:
        yield
    finally:
        chain.canonical = verify.canonical = honest


@drill(
    "审计篡改",
    f"{ROWS} 行的每一列、增删、对调、改写后缀、截尾、旧快照全部发现；{CLEAN} 次干净核对无误报",
    summary_left_out,
)
def tampering(engine: Engine, folder: Path) -> Measured:
    """Every column of every entry; single deeds at random places; what only anchors show; clean walks."""
    signer = Signer(folder / "var")
    fill(engine, ROWS // 2)
    early = _anchor(engine, signer)
    fill(engine, ROWS - ROWS // 2)
    anchors = [early, _anchor(engine, signer)]
    alarms = sum(not _verified(engine, anchors, signer).ok for _ in range(CLEAN))
    done = found = 0
    for deed, expected in [*_columns(), *_deeds(random.Random(17))]:
        done += expected
        found += _found(engine, deed, anchors, signer, expected)
    return Measured(f"发现 {found:,}/{done:,}，误报 {alarms}", found == done and not alarms)


def _anchor(engine: Engine, signer: Signer) -> Anchor:
    with reading(engine) as session:
        return make_anchor(chain.head(session), START, signer)


def _verified(engine: Engine, anchors: list[Anchor], signer: Signer) -> verify.Verification:
    with reading(engine) as session:
        return verify.verify(session, anchors, signer.public_key)


Deed = Callable[[Connection], None]


def _columns() -> Iterator[tuple[Deed, int]]:
    """Each column but the number, changed in every entry at once: each entry must be found by itself."""
    for column in COLUMNS[1:]:

        def change_all(connection: Connection, column: str = column) -> None:
            dice = random.Random(column)
            for seq in range(1, ROWS + 1):
                intruder.change_column(connection, seq, column, dice)

        yield change_all, ROWS


def _deeds(dice: random.Random) -> Iterator[tuple[Deed, int]]:
    """Single deeds, each on the whole chain again."""
    for _ in range(SINGLE):
        column, seq = dice.choice(COLUMNS), dice.randint(1, ROWS)
        yield lambda c, column=column, seq=seq: intruder.change_column(c, seq, column, random.Random(seq)), 1
    for _ in range(20):
        seq, other = dice.sample(range(1, ROWS), 2)
        yield lambda c, seq=seq: intruder.take_away(c, seq), 1
        yield lambda c, seq=seq, other=other: intruder.swap(c, seq, other), 1
        yield lambda c, seq=seq: intruder.cut_off(c, seq), 1
        yield lambda c, seq=seq: intruder.rewrite_from(c, seq, lambda row: row.update(actor="nobody")), 1
    yield lambda c: intruder.close_up(c, 40), 1
    yield lambda c: intruder.put_in(c, ROWS), 1
    yield lambda c: intruder.cut_off(c, ROWS // 2 + 1), 1  # just what an old snapshot is


def _found(engine: Engine, deed: Deed, anchors: list[Anchor], signer: Signer, expected: int) -> int:
    """How many of the changed entries are found; the deed is taken back. A seal of its own tells each entry, a link each pair."""
    with engine.connect() as connection:
        _disarm(connection)
        transaction = connection.begin_nested()
        deed(connection)
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            found = verify.verify(session, anchors, signer.public_key, most=5 * ROWS)
        transaction.rollback()
        connection.rollback()
    bad = {problem.seq for problem in found.problems if problem.kind in ("content", "link")}
    return len(bad & set(range(1, ROWS + 1))) if expected > 1 else int(not found.ok)


def _disarm(connection: Connection) -> None:
    """The triggers off, as for whoever owns the database; until the rollback."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
    for name in names:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


@contextmanager
def head_not_locked() -> Iterator[None]:
    """A build in which whoever appends reads the head without its lock."""
    os.environ[UNLOCKED] = "1"
    try:
        yield
    finally:
        del os.environ[UNLOCKED]


@drill("审计并发追加", f"{WRITERS} 个进程各 {EACH:,} 行：无分叉、无缺行，每秒不少于 {RATE} 行", head_not_locked)
def appending(engine: Engine, folder: Path) -> Measured:
    """Four processes, each entry in a transaction of its own, committed to disk."""
    bare = _bare(engine)
    url = engine.url.render_as_string(hide_password=False)
    fresh = multiprocessing.get_context("spawn")
    barrier, failed = fresh.Barrier(WRITERS + 1), fresh.Value("i", 0)
    writers = [fresh.Process(target=_append, args=(url, k, barrier, failed)) for k in range(WRITERS)]
    for one in writers:
        one.start()
    barrier.wait()
    began = time.monotonic()
    for one in writers:
        one.join()
    rate = WRITERS * EACH / (time.monotonic() - began)
    with reading(engine) as session:
        walked = verify.verify(session)
        distinct = session.scalar(select(func.count(func.distinct(ROW.c.prev_hash))))
    whole = walked.ok and walked.rows == distinct == WRITERS * EACH and not failed.value
    says = f"{walked.rows:,} 行，{rate:.0f} 行/秒（同时一个进程不写审计 {bare:.0f} 次提交/秒），失败 {failed.value}，{'无分叉无缺行' if walked.ok else '链断'}"
    return Measured(says, whole and rate >= RATE)


def _bare(engine: Engine, n: int = 300) -> float:
    """Commits a second of one row without an entry, one after the other: what the disk gives at this moment."""
    began = time.monotonic()
    for i in range(n):
        with writing(engine) as session:
            session.execute(
                text("INSERT INTO heartbeat (name, at, process) VALUES (:n, '2026-03-02', 'x')"), {"n": f"d{i}"}
            )
    return n / (time.monotonic() - began)


def _append(url: str, k: int, barrier: Any, failed: Any) -> None:
    engine = open_engine(url)
    if os.environ.get(UNLOCKED):
        _unlock()
    barrier.wait()
    for i in range(EACH):
        try:
            with _opened(engine) as session:
                note(session, "drill.append", at=START, actor=f"writer{k}", kind="drill", key=i)
        except DBAPIError:
            with failed.get_lock():
                failed.value += 1
    engine.dispose()


@contextmanager
def _opened(engine: Engine) -> Iterator[Session]:
    if not os.environ.get(UNLOCKED):
        with writing(engine) as session:
            yield session
        return
    with Session(engine) as session:
        if engine.dialect.name == "sqlite":
            session.connection().exec_driver_sql("PRAGMA busy_timeout=50")
        yield session
        session.commit()


def _unlock() -> None:
    chain.locked_head = lambda session, now: chain.head(session)  # type: ignore[assignment]
