"""The chain: no gap, no fork, nothing changed afterwards, and no write without its entry."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from sqlalchemy import Engine, create_engine, delete, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.audit.intruder import fill
from workflow.access.models import Account
from workflow.audit.chain import head
from workflow.audit.models import CHECKPOINT, HEAD, ROW
from workflow.audit.notes import coming_from, note, noted, told
from workflow.audit.verify import verify
from workflow.db import reading, writing


def an_account(session: Session, now: datetime, name: str = "clerk@1") -> None:
    session.add(Account(name=name, person_name="某某", created_at=now, created_by="security"))


def actions(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(ROW.c.action).order_by(ROW.c.seq)))


def test_an_entry_says_who_did_what_from_where_and_hangs_on_the_one_before(both_engines: Engine, now: datetime) -> None:
    with coming_from("10.1.2.3", "d" * 32), writing(both_engines) as session:
        note(
            session, "record.change", at=now, actor="clerk@1", kind="person", key="P1", unit_id=7, on_behalf_of="head@1"
        )
        note(session, "record.change", at=now, actor="clerk@1", kind="person", key="P2", result="refused")
    with reading(both_engines) as session:
        one, two = session.execute(select(ROW).order_by(ROW.c.seq)).all()
        assert (one.seq, one.at, one.actor, one.origin, one.session_digest) == (1, now, "clerk@1", "10.1.2.3", "d" * 32)
        assert (one.object_kind, one.object_key, one.unit_id, one.on_behalf_of) == ("person", "P1", 7, "head@1")
        assert (two.prev_hash, two.result) == (one.hash, "refused")
        assert head(session)[:2] == (2, two.hash)


def test_what_is_rolled_back_leaves_no_entry_and_no_gap(both_engines: Engine, now: datetime) -> None:
    fill(both_engines, 2)
    with Session(both_engines) as session:
        note(session, "lost.entry", at=now, actor="x")
        session.rollback()
        assert not noted(session)
    with pytest.raises(RuntimeError), writing(both_engines) as session:
        note(session, "lost.entry", at=now, actor="x")
        raise RuntimeError
    fill(both_engines, 1)
    with reading(both_engines) as session:
        found = verify(session)
    assert (found.ok, found.rows) == (True, 3)


def test_a_savepoint_takes_its_entries_along_when_it_is_rolled_back(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        note(session, "outer.kept", at=now, actor="x")
        trial = session.begin_nested()
        note(session, "inner.lost", at=now, actor="x")
        trial.rollback()
        kept = session.begin_nested()
        note(session, "inner.kept", at=now, actor="x")
        kept.commit()
        note(session, "outer.last", at=now, actor="x")
    assert actions(both_engines) == ["outer.kept", "inner.kept", "outer.last"]


def test_no_write_without_its_entry(both_engines: Engine, now: datetime) -> None:
    with both_engines.begin() as connection:
        connection.execute(text("DROP TABLE audit_row"))
    with pytest.raises(DBAPIError), writing(both_engines) as session:
        an_account(session, now)
        note(session, "account.create", at=now, actor="security")
    with reading(both_engines) as session:
        assert session.get(Account, "clerk@1") is None


@pytest.mark.parametrize(
    "statement",
    [
        update(ROW).values(actor="x"),
        update(ROW).where(ROW.c.seq == 2).values(summary="{}"),
        delete(ROW),
        delete(ROW).where(ROW.c.seq == 3),
        update(HEAD).values(seq=1),
        update(HEAD).values(hash="0" * 64),
        delete(HEAD),
    ],
    ids=str,
)
def test_the_database_refuses_to_change_or_delete_entries(both_engines: Engine, statement: object) -> None:
    fill(both_engines, 5)
    with pytest.raises(DBAPIError, match="append-only"), both_engines.begin() as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    with reading(both_engines) as session:
        assert verify(session).ok


def test_checkpoints_and_tables_cannot_be_emptied_either(pg_engine: Engine, now: datetime) -> None:
    with pg_engine.begin() as connection:
        row = {"seq": 0, "hash": "0", "last_at": now, "purged": 0, "at": now, "public_key": "", "signature": ""}
        connection.execute(insert(CHECKPOINT), row)
    for statement in (
        "TRUNCATE audit_row",
        "TRUNCATE audit_head",
        "TRUNCATE audit_checkpoint",
        "DELETE FROM audit_checkpoint",
    ):
        with pytest.raises(DBAPIError, match="append-only"), pg_engine.begin() as connection:
            connection.execute(text(statement))


def test_racing_writers_make_one_chain_without_gap_or_fork(both_engines: Engine, now: datetime) -> None:
    failures: list[BaseException] = []

    def write(k: int) -> None:
        try:
            for i in range(40):
                with writing(both_engines) as session:
                    note(session, "race.step", at=now, actor=f"w{k}", key=i)
        except BaseException as error:  # told by the assertion below
            failures.append(error)

    writers = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert failures == []
    with reading(both_engines) as session:
        found = verify(session)
        assert (found.ok, found.rows) == (True, 160)
        assert session.scalar(select(func.count(func.distinct(ROW.c.prev_hash)))) == 160


def test_who_goes_on_where_it_left_the_head_sees_others_and_its_own_rollbacks(pg_engine: Engine, now: datetime) -> None:
    """Two processes on one database; a process knows the head only by its engine."""
    other = create_engine(pg_engine.url)
    try:
        for engine, n in ((pg_engine, 3), (other, 1), (pg_engine, 3), (other, 4)):
            _one_by_one(engine, n)
        for engine in (other, pg_engine):
            with Session(engine) as session:
                note(session, "lost.entry", at=now, actor="x")
                session.flush()
                event.listen(session, "before_commit", _fail)
                with pytest.raises(RuntimeError):
                    session.commit()
            _one_by_one(pg_engine, 1)
            _one_by_one(other, 3)
        with reading(pg_engine) as session:
            found = verify(session)
        assert (found.ok, found.rows) == (True, 19)
        assert "lost.entry" not in actions(pg_engine)
    finally:
        other.dispose()


def _one_by_one(engine: Engine, n: int) -> None:
    for _ in range(n):
        fill(engine, 1)


def _fail(session: Session) -> None:
    raise RuntimeError


def test_two_writers_that_hold_each_others_rows_do_not_lock_crosswise(pg_engine: Engine, now: datetime) -> None:
    """The head is locked last, after what the session still had to flush: holding it, nobody waits for a row."""
    with writing(pg_engine) as session:
        an_account(session, now, "a@1")
        an_account(session, now, "b@1")
    first, second = Session(pg_engine), Session(pg_engine)
    first.execute(update(Account).where(Account.name == "a@1").values(title="1"))
    account = second.get(Account, "b@1")
    assert account is not None
    account.title = "2"  # flushed by the commit only
    note(second, "b.change", at=now, actor="x")
    note(first, "a.change", at=now, actor="x")
    second.commit()
    first.commit()
    first.close()
    second.close()
    assert actions(pg_engine) == ["b.change", "a.change"]


def test_a_digest_tells_equal_values_and_nothing_else() -> None:
    assert told("330282199001011234") == told("330282199001011234") != told("330282199001011235")
    assert told(None) == told("") == ""
    assert "3302" not in told("330282199001011234")[:4] or len(told("330282199001011234")) == 24


def test_texts_that_no_column_takes_are_cut_and_cleaned(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        note(session, "a" * 200, at=now, actor="x" * 100, key="k\x00\ud800" * 100, summary={"t": "a\x00b"})
    with reading(both_engines) as session:
        assert verify(session).ok
        assert session.scalar(select(func.length(ROW.c.action))) == 80
