"""Retention: what is older than the policy says goes, never what is younger than 184 days, and verification goes on from the checkpoint."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, insert, select, text

from tests.audit import intruder
from tests.audit.intruder import START, fill, inside
from tests.audit.test_tampering import anchor_now, verified
from workflow.audit.models import CHECKPOINT, ROW
from workflow.audit.retention import LEAST, purge
from workflow.audit.seal import Signer
from workflow.db import reading, writing
from workflow.errors import BadInput

N = 300  # entries, a minute apart
LATER = START + timedelta(days=LEAST, minutes=100)


def purged(engine: Engine, signer: Signer, days: int = LEAST) -> int:
    with writing(engine) as session:
        return purge(session, days, LATER, signer, "clock")


def test_a_purge_takes_what_is_old_and_leaves_a_checkpoint_from_which_all_holds(
    both_engines: Engine, signer: Signer
) -> None:
    fill(both_engines, N)
    before = anchor_now(both_engines, signer)
    assert purged(both_engines, signer) == 100
    found = verified(both_engines, signer, before)
    assert (found.ok, found.start, found.rows) == (True, 100, 201)  # and the entry of the purge
    with reading(both_engines) as session:
        assert session.scalar(select(func.min(ROW.c.at))) == LATER - timedelta(days=LEAST)
    fill(both_engines, 5)
    assert verified(both_engines, signer, before).ok


def test_nothing_old_leaves_everything_as_it_is(both_engines: Engine, signer: Signer) -> None:
    fill(both_engines, 10)
    assert purged(both_engines, signer, days=LEAST + 1) == 0
    assert verified(both_engines, signer).rows == 10


def test_everything_old_leaves_the_checkpoint_and_the_purge(both_engines: Engine, signer: Signer) -> None:
    fill(both_engines, 50)
    anchor = anchor_now(both_engines, signer)
    assert purged(both_engines, signer) == 50
    found = verified(both_engines, signer, anchor)
    assert (found.ok, found.rows) == (True, 1)


def test_an_old_entry_behind_a_young_one_stays(both_engines: Engine, signer: Signer) -> None:
    fill(both_engines, 150)
    fill(both_engines, 1)  # a clock set back
    assert purged(both_engines, signer) == 100
    assert verified(both_engines, signer).ok


def test_less_than_184_days_is_refused(engine: Engine, signer: Signer) -> None:
    fill(engine, 10)
    with pytest.raises(BadInput, match="至少保存 184 天"):
        purged(engine, signer, days=LEAST - 1)


def test_a_forged_checkpoint_hides_nothing(both_engines: Engine, signer: Signer) -> None:
    fill(both_engines, N)
    with reading(both_engines) as session:
        hash_ = session.scalar(select(ROW.c.hash).where(ROW.c.seq == 200))
    with inside(both_engines) as connection:
        row = {"seq": 200, "hash": hash_, "last_at": START, "purged": 200, "at": START}
        connection.execute(insert(CHECKPOINT), {**row, "public_key": signer.public_key, "signature": "00" * 64})
        connection.execute(text("DELETE FROM audit_row WHERE seq <= 200"))
    assert [p.kind for p in verified(both_engines, signer).problems] == ["checkpoint"]


def test_entries_put_back_below_a_checkpoint_are_told(both_engines: Engine, signer: Signer) -> None:
    fill(both_engines, N)
    purged(both_engines, signer)
    with inside(both_engines) as connection:
        intruder.swap(connection, 150, 50)
    kinds = {problem.kind for problem in verified(both_engines, signer).problems}
    assert "extra" in kinds


def test_a_checkpoint_changed_afterwards_is_told(both_engines: Engine, signer: Signer) -> None:
    fill(both_engines, N)
    purged(both_engines, signer)
    with inside(both_engines) as connection:
        connection.execute(text("UPDATE audit_checkpoint SET purged = 1"))
    assert "checkpoint" in {problem.kind for problem in verified(both_engines, signer).problems}
