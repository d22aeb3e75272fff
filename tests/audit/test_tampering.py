"""Whatever an intruder with full rights over the database does is found; where nothing was done, nothing is told."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from tests.audit import intruder
from tests.audit.intruder import COLUMNS, START, fill, inside
from workflow.audit.anchors import Anchor, make_anchor
from workflow.audit.chain import head
from workflow.audit.seal import Signer
from workflow.audit.verify import Verification, verify
from workflow.db import open_engine, reading

N = 60


def anchor_now(engine: Engine, signer: Signer) -> Anchor:
    with reading(engine) as session:
        return make_anchor(head(session), START, signer)


def verified(engine: Engine, signer: Signer, *anchors: Anchor) -> Verification:
    with reading(engine) as session:
        return verify(session, anchors, signer.public_key)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_column_is_found_at_its_entry(both_engines: Engine, signer: Signer, column: str) -> None:
    fill(both_engines, N)
    dice = random.Random(column)
    with inside(both_engines) as connection:
        intruder.change_column(connection, 17, column, dice)
    found = verified(both_engines, signer)
    assert not found.ok
    assert min(problem.seq for problem in found.problems) == 17


DEEDS: dict[str, tuple[Callable[[Connection], Any], int]] = {
    "delete": (lambda c: intruder.take_away(c, 20), 20),
    "delete the first": (lambda c: intruder.take_away(c, 1), 1),
    "delete the last": (lambda c: intruder.take_away(c, N), N - 1),
    "delete and close up": (lambda c: intruder.close_up(c, 20), 20),
    "swap": (lambda c: intruder.swap(c, 10, 30), 10),
    "swap neighbours": (lambda c: intruder.swap(c, 10, 11), 10),
    "insert": (lambda c: intruder.put_in(c, N), N + 1),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_deleted_swapped_or_inserted_is_found_without_anchors(
    both_engines: Engine, signer: Signer, deed: str
) -> None:
    fill(both_engines, N)
    act, seq = DEEDS[deed]
    with inside(both_engines) as connection:
        act(connection)
    found = verified(both_engines, signer)
    assert not found.ok
    assert min(problem.seq for problem in found.problems) == seq


def a_forged_actor(row: dict[str, Any]) -> None:
    row["actor"] = "somebody else"


@pytest.mark.parametrize("seq", [1, 30, N])
def test_a_suffix_rewritten_with_the_key_is_found_by_its_anchor(both_engines: Engine, signer: Signer, seq: int) -> None:
    fill(both_engines, N)
    anchor = anchor_now(both_engines, signer)
    with inside(both_engines) as connection:
        intruder.rewrite_from(connection, seq, a_forged_actor)
    assert verified(both_engines, signer).ok, "in itself the forged chain holds"
    found = verified(both_engines, signer, anchor)
    assert [problem.kind for problem in found.problems] == ["anchor"]


@pytest.mark.parametrize("seq", [1, 30, N])
def test_a_chain_cut_off_is_found_by_its_anchor(both_engines: Engine, signer: Signer, seq: int) -> None:
    fill(both_engines, N)
    anchor = anchor_now(both_engines, signer)
    with inside(both_engines) as connection:
        intruder.cut_off(connection, seq)
    assert verified(both_engines, signer).ok, "in itself the shorter chain holds"
    found = verified(both_engines, signer, anchor)
    assert [(problem.kind, problem.seq) for problem in found.problems] == [("truncated", seq)]


def test_an_old_snapshot_put_in_place_is_found_by_later_anchors(tmp_path: Path, signer: Signer) -> None:
    import workflow.models  # noqa: F401
    from workflow.db import Base

    path = tmp_path / "now.db"
    engine = open_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    fill(engine, N)
    early = anchor_now(engine, signer)
    engine.dispose()
    shutil.copy(path, tmp_path / "old.db")
    fill(engine, 5)
    late = anchor_now(engine, signer)
    assert verified(engine, signer, early, late).ok
    engine.dispose()
    for left in tmp_path.glob("now.db*"):
        left.unlink()
    shutil.copy(tmp_path / "old.db", path)
    assert verified(engine, signer, early).ok
    assert [p.kind for p in verified(engine, signer, early, late).problems] == ["truncated"]
    engine.dispose()


def test_a_forged_anchor_is_told_and_proves_nothing(engine: Engine, signer: Signer, tmp_path: Path) -> None:
    fill(engine, N)
    (tmp_path / "other").mkdir()
    foreign = anchor_now(engine, Signer(tmp_path / "other"))
    honest = anchor_now(engine, signer)
    changed = Anchor(**{**honest.__dict__, "hash": "0" * 64})
    for forged in (foreign, changed):
        found = verified(engine, signer, forged)
        assert [problem.kind for problem in found.problems] == ["signature"]
        assert found.anchored_to is None


def test_an_emptied_database_is_found_by_any_anchor(both_engines: Engine, signer: Signer) -> None:
    from sqlalchemy import text

    fill(both_engines, 3)
    anchor = anchor_now(both_engines, signer)
    with inside(both_engines) as connection:
        for table in ("audit_row", "audit_head"):
            connection.execute(text(f"DELETE FROM {table}"))
    assert not verified(both_engines, signer, anchor).ok


@given(st.lists(st.integers(1, 30), max_size=6), st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_single_deed_is_found_and_a_clean_chain_never_accused(
    tmp_path_factory: pytest.TempPathFactory, signer: Signer, sizes: list[int], data: st.DataObject
) -> None:
    import workflow.models  # noqa: F401
    from workflow.audit.models import CHECKPOINT, HEAD, ROW
    from workflow.db import Base

    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('chain') / 'c.db'}")
    Base.metadata.create_all(engine, tables=[ROW, HEAD, CHECKPOINT])
    anchors = []
    for size in sizes:
        fill(engine, size, at_once=size)
        anchors.append(anchor_now(engine, signer))
    clean = verified(engine, signer, *anchors)
    assert clean.ok
    assert clean.rows == sum(sizes)
    assert (clean.anchored_to.seq if clean.anchored_to else 0) == sum(sizes)
    if sizes:
        column, seq = data.draw(st.sampled_from(COLUMNS)), data.draw(st.integers(1, sum(sizes)))
        with inside(engine) as connection:
            intruder.change_column(connection, seq, column, random.Random(seq))
        assert not verified(engine, signer, *anchors).ok
    engine.dispose()
