"""The log between copies: what was committed is there, to the moment; a missed frame is noticed; an unfinished record never happened."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.backup.conftest import House
from workflow.access.sealing import Damaged
from workflow.backup import log, making, shipping
from workflow.backup.shipping import Shipper
from workflow.backup.sqlite_files import LogChanged


@pytest.fixture
def shipper(house: House) -> Iterator[Shipper]:
    """A copier at work, and the copy that its log goes on from."""
    with house.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        opened = Shipper(house.database, house.repository, house.now)
        house.make("full")
        yield opened
        opened.close()


def test_what_was_committed_after_the_copy_is_restored_to_the_moment(house: House, shipper: Shipper) -> None:
    moments = []
    for name in ("c", "d", "e"):
        house.write(name)
        shipper.look(house.clock())
        moments.append(house.now)
    rows, told = house.restored()
    assert rows == ["a", "b", "c", "d", "e"]
    assert told.log_records == 3
    assert "最多1秒" in told.lost
    for count, moment in enumerate(moments, 3):
        assert house.restored(moment)[0] == list("abcde")[:count]
        assert house.restored(moment - timedelta(milliseconds=1))[0] == list("abcde")[: count - 1]


def test_what_is_not_committed_is_not_copied(house: House, shipper: Shipper) -> None:
    with contextlib.closing(sqlite3.connect(house.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size=10")  # so that it spills into the log before it commits
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO heartbeat VALUES (?, '2026-03-02', ?)", [(f"n{n:05d}", "y" * 79) for n in range(3000)]
        )
        assert shipper.look(house.clock()) == 0
        connection.execute("ROLLBACK")
    house.write("c")
    shipper.look(house.clock())
    assert house.restored()[0] == ["a", "b", "c"]


def test_nothing_is_missed_while_sqlite_begins_its_log_anew(
    house: House, shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "QUIET_FRAMES", 5)
    seen = set()
    for n in range(60):
        house.write(f"n{n:03d}")
        if n % 7 == 0:
            with contextlib.closing(sqlite3.connect(house.database, timeout=0.01)) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if n % 3 == 0:
            shipper.look(house.clock())
            shipper.look(house.clock())  # a quiet one
        seen.add(shipper.state.salts)
    shipper.look(house.clock())
    assert len(seen) > 3, "the log was never begun anew"
    assert house.restored()[0] == house.names()


def test_a_log_that_grows_without_a_pause_is_begun_anew_between_writers(
    house: House, shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "MOST_FRAMES", 10)
    first = shipper.state.salts
    for n in range(30):
        house.write(f"n{n:03d}")
        shipper.look(house.clock())
    assert shipper.state.salts != first
    assert shipper.done < 30
    assert house.restored()[0] == house.names()


def test_a_copier_that_comes_back_in_time_goes_on(house: House, shipper: Shipper) -> None:
    house.write("c")
    shipper.look(house.clock())
    shipper.close()
    house.write("d")
    following = Shipper(house.database, house.repository, house.clock())
    assert following.continues
    following.close()
    assert house.restored()[0] == ["a", "b", "c", "d"]


def test_frames_that_nobody_copied_are_noticed_and_never_passed_over(house: House, shipper: Shipper) -> None:
    house.write("c")
    shipper.look(house.clock())
    shipper.close()
    with contextlib.closing(sqlite3.connect(house.database)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    house.write("d")
    following = Shipper(house.database, house.repository, house.clock())
    assert not following.continues
    house.write("e")
    following.look(house.clock())
    assert house.restored()[0] == ["a", "b", "c"], "what follows a gap must not be brought in"
    house.make("incremental")
    house.write("f")
    following.look(house.clock())
    following.close()
    assert house.restored()[0] == ["a", "b", "c", "d", "e", "f"]


def test_a_log_that_was_begun_anew_behind_the_copier_is_refused(house: House, shipper: Shipper) -> None:
    shipper.state = shipper.state._replace(frames=10**6)
    shipper.done = 10**6
    with pytest.raises(LogChanged):
        shipper.look(house.clock())


def last_log(house: House) -> Path:
    return max((house.repository.folder / log.FOLDER).glob("*.log"))


def test_a_record_that_was_cut_off_never_happened(house: House, shipper: Shipper) -> None:
    house.write("c")
    shipper.look(house.clock())
    house.write("d")
    shipper.look(house.clock())
    content = last_log(house).read_bytes()
    last_log(house).write_bytes(content[:-5])
    assert house.restored()[0] == ["a", "b", "c"]


def test_a_changed_record_is_refused(house: House, shipper: Shipper) -> None:
    house.write("c")
    shipper.look(house.clock())
    content = bytearray(last_log(house).read_bytes())
    content[-5] ^= 1
    last_log(house).write_bytes(content)
    with pytest.raises(Damaged, match="连续日志"):
        house.restored()


def test_a_copy_made_while_people_write_goes_on_with_the_log(
    house: House, shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "SHIPPED_WITHIN", 0.1)
    house.write("c")
    made = house.make("incremental")
    assert made.log is None, "the copier did not come up to the copy: without proof there is no going on"
    shipper.look(house.clock())
    made = house.make("incremental")
    assert made.log is not None
    house.write("d")
    shipper.look(house.clock())
    assert house.restored()[0] == ["a", "b", "c", "d"]


def test_the_log_is_kept_as_long_as_a_backup_needs_it(house: House, shipper: Shipper) -> None:
    house.now += timedelta(days=200)
    shipper.log._begin(True, house.now)
    shipper.look(house.now)
    for _ in range(9):
        house.make("full")
    assert log.log_numbers(house.repository) == [1, 2], "the copy of 200 days ago reaches into the days that are kept"
    house.now += timedelta(days=101)
    house.make("full")
    assert log.log_numbers(house.repository) == [2]


def test_a_log_file_that_is_full_goes_on_in_the_next(
    house: House, shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "ROLL_AT", 1)
    for name in "cdef":
        house.write(name)
        shipper.look(house.clock())
    assert len(log.log_numbers(house.repository)) == 5
    assert house.restored()[0] == list("abcdef")
