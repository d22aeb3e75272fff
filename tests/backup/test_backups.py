"""Backups hold everything, tell of every change, and are restored to what they were (办法18)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from tests.backup.conftest import NINE, House
from workflow.access.models import LoginSession
from workflow.access.sealing import Damaged
from workflow.backup import making
from workflow.backup.keeping import expired
from workflow.backup.repository import MANIFEST, Backup
from workflow.backup.restoring import chosen, restore
from workflow.backup.state import state_of
from workflow.backup.verifying import verify
from workflow.errors import BadInput, Conflict
from workflow.settings import get_settings


def test_a_full_backup_restores_rows_and_uploads(house: House) -> None:
    house.make("full")
    house.write("c")
    rows, told = house.restored()
    assert rows == ["a", "b"]
    assert (Path(told.into) / "uploads/evidence/1.pdf").read_bytes() == b"%PDF- evidence"
    assert (Path(told.into) / "definitions/roles.yaml").is_file()
    assert "其后的写入均未恢复" in told.lost


def test_an_increment_holds_the_changed_pages_only_and_restores_all(house: House) -> None:
    full = house.make("full")
    house.write("c")
    (house.settings.folder("uploads", "evidence") / "2.pdf").write_bytes(b"%PDF- more")
    step = house.make("incremental")
    assert step.parent == full.id
    assert 0 < step.pages_stored < full.pages_stored / 10
    rows, told = house.restored()
    assert rows == ["a", "b", "c"]
    assert {path.name for path in (Path(told.into) / "uploads/evidence").iterdir()} == {"1.pdf", "2.pdf"}


def test_an_upload_that_was_taken_away_does_not_come_back(house: House) -> None:
    house.make("full")
    (house.settings.folder("uploads", "evidence") / "1.pdf").unlink()
    house.make("incremental")
    _, told = house.restored()
    assert not (Path(told.into) / "uploads/evidence").exists()


def test_each_backup_of_a_chain_can_be_restored_by_its_moment(house: House) -> None:
    moments = []
    for name in ("c", "d", "e"):
        house.write(name)
        moments.append(house.make("incremental").moment)
    for count, moment in enumerate(moments, 3):
        rows, _ = house.restored(moment)
        assert rows == list("abcde")[:count]


def test_the_first_increment_is_full(house: House) -> None:
    assert house.make("incremental").kind == "full"


def test_a_database_that_shrank_is_restored_at_its_size(house: House) -> None:
    house.write(*(f"n{n:05d}" for n in range(300)))
    house.make("full")
    with house.engine.connect() as connection:
        driver = connection.connection.driver_connection
        driver.execute("DELETE FROM heartbeat WHERE name LIKE 'n%'")
        driver.execute("VACUUM")
    last = house.make("incremental")
    assert last.pages < house.repository.backups()[0].pages
    assert house.restored()[0] == ["a", "b"]


def test_no_plain_text_and_no_key_lies_in_a_backup(house: House) -> None:
    house.write("甬城某某某")
    house.make("full")
    secrets = [house.settings.data_key_file.read_bytes().strip(), *house.settings.backup_keys.values()]
    for path in house.repository.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert "甬城某某某".encode() not in content
        assert b"SQLite format" not in content
        assert not any(secret in content for secret in secrets)


@pytest.mark.parametrize("name", [making.DATABASE_PAGES, making.DATABASE_INDEX, making.FILES, making.FILES_INDEX])
@pytest.mark.parametrize("spoil", [
    lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
    lambda content: content[:-1],
    lambda content: b"",
], ids=["changed", "cut", "emptied"])  # fmt: skip
def test_a_changed_file_fails_the_verification(house: House, name: str, spoil: Callable[[bytes], bytes]) -> None:
    made = house.make("full")
    path = house.repository.path(made, name)
    path.write_bytes(spoil(path.read_bytes()))
    outcome = verify(house.repository, made, house.now, house.out)
    assert not outcome.ok
    assert made.id in outcome.problems[0] or name in outcome.problems[0]
    assert any("验证未通过" in text for text in state_of(house.settings, house.now).missing)


@pytest.mark.parametrize(
    ("field", "value"), [("at", "2030-01-01T00:00:00+00:00"), ("counts", {}), ("parent", "x"), ("pages", 1)]
)
def test_a_changed_manifest_is_refused(house: House, field: str, value: object) -> None:
    made = house.make("full")
    path = house.repository.path(made, MANIFEST)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    assert not verify(house.repository, house.repository.backup(made.id), house.now, house.out).ok


def test_a_whole_backup_passes_the_verification(house: House) -> None:
    made = house.make("full")
    outcome = verify(house.repository, made, house.now, house.out)
    assert outcome.ok, outcome.problems
    assert outcome.rows == sum(made.counts.values())


def test_without_the_backup_key_nothing_opens(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.make("full")
    monkeypatch.setenv("SANDENG_BACKUP_KEY", "another key")
    held = making.repository(get_settings())
    with pytest.raises(BadInput, match="没有这把密钥"):
        restore(held, None, house.out / "r", house.now)


def test_an_older_backup_key_still_opens_what_it_sealed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDENG_BACKUP_KEY", "first key")
    making.make(house.engine, get_settings(), "full", house.clock)
    monkeypatch.setenv("SANDENG_BACKUP_KEY", "1:first key,2:second key")
    house.settings = get_settings()
    house.write("c")
    assert house.make("incremental").backup_key == 2
    assert house.restored()[0] == ["a", "b", "c"]


def test_production_refuses_to_back_up_with_a_key_of_its_own_making(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    strong = "0123456789abcdef0123456789abcdef"
    monkeypatch.setenv("SANDENG_ENV", "production")
    monkeypatch.setenv("SANDENG_SECRET_KEY", strong)
    monkeypatch.setenv("SANDENG_DATA_KEY", strong)
    with pytest.raises(BadInput, match="SANDENG_BACKUP_KEY"):
        making.repository(get_settings())


def test_an_unfinished_backup_is_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(making.uploads, "write_files", fail)
        with pytest.raises(OSError, match="disk full"):
            house.make("full")
    assert house.repository.backups() == []
    assert list(making.working_folder(house.settings).iterdir()) == []
    assert house.make("incremental").kind == "full"


def test_two_backups_are_not_made_at_once(house: House) -> None:
    with making.one_at_a_time(house.repository), pytest.raises(Conflict, match="正在进行"):
        house.make("full")


def test_a_restore_needs_an_empty_folder_and_a_backup_before_the_moment(house: House) -> None:
    made = house.make("full")
    with pytest.raises(BadInput, match="不是空文件夹"):
        restore(house.repository, None, house.settings.data_dir, house.now)
    with pytest.raises(BadInput, match="最早的备份为 2026-03-02"):
        restore(house.repository, made.moment - timedelta(seconds=1), house.out / "r", house.now)


def test_a_missing_link_is_told(house: House) -> None:
    full = house.make("full")
    step = house.make("incremental")
    house.repository.remove([full])
    with pytest.raises(Damaged, match=full.id):
        house.repository.chain(step)


def test_a_restore_sends_no_old_notice_and_lets_no_old_session_in(house: House) -> None:
    with house.engine.begin() as connection:
        for statement in (
            "INSERT INTO outbox (topic, key, payload, created_at, next_try_at, attempts) VALUES ('notice', 'k', '{\"a\": 1}', '2026-03-02', '2026-03-02', 0)",
            "INSERT INTO account (name, person_name, title, district, demo, created_at, created_by, failures) VALUES ('x', '某', '', '', 0, '2026-03-02', 't', 0)",
            "INSERT INTO job_request (kind, params, by, state, done, total, message, result, attempts, asked_at) VALUES ('export', '{}', 'x', 'queued', 0, 0, '', '{}', 0, '2026-03-02')",
        ):
            connection.execute(text(statement.replace(":", r"\:")))
        moment = datetime(2026, 3, 2, tzinfo=UTC)
        given = {"token_hash": "h", "account": "x", "created_at": moment, "seen_at": moment, "proved_at": moment}
        connection.execute(insert(LoginSession).values(given))
    house.make("full")
    _, told = house.restored()
    from workflow.db import open_engine

    restored = open_engine(f"sqlite:///{told.into}/sandeng.db")
    with restored.connect() as connection:
        done, payload = connection.execute(text("SELECT done_at, payload FROM outbox WHERE key = 'k'")).one()
        assert done is not None
        assert json.loads(payload)["suppressed"]["says"] == "恢复备份前的消息，不再发送"
        assert connection.execute(text("SELECT ended_how FROM login_session")).scalar() == "restored"
        assert connection.execute(text("SELECT state FROM job_request")).scalar() == "failed"
    restored.dispose()
    assert (told.suppressed, told.sessions_ended) == (1, 1)


def half_year() -> list[Backup]:
    """A backup each day of 200, full on the 1st and 16th."""
    made: list[Backup] = []
    for n in range(200):
        at = NINE + timedelta(days=n)
        kind = "full" if not made or at.day in (1, 16) else "incremental"
        made.append(Backup(
            id=f"b{n:03d}", seq=n + 1, kind=kind, engine="sqlite", at=at.isoformat(), began_at=at.isoformat(),
            parent=None if kind == "full" else made[-1].id, revision="", wrapped="", backup_key=1, backup_key_print="", field_keys={},
        ))  # fmt: skip
    return made


def test_every_day_of_the_last_92_stays_restorable_and_the_rest_goes() -> None:
    kept: list[Backup] = []
    for backup in half_year():
        kept.append(backup)
        gone = expired(kept, backup.moment)
        kept = [known for known in kept if known not in gone]
        ids = {known.id for known in kept}
        assert all(known.parent in ids for known in kept if known.parent)
        for days in range(min(93, backup.seq)):
            assert chosen(kept, backup.moment - timedelta(days=days)).seq == backup.seq - days
    assert sum(known.kind == "full" for known in kept) >= 8
    assert len(kept) < 130


def test_a_disk_that_is_not_there_is_told_as_missing(house: House) -> None:
    house.make("full")
    disk = house.settings.backups()
    disk.rename(disk.with_name("elsewhere"))
    disk.touch()
    (told,) = state_of(house.settings, house.now).missing
    assert told.startswith("备份目录无法读取")


def test_what_is_missing_is_told(house: House) -> None:
    assert state_of(house.settings, house.now).missing == ["还没有任何备份"]
    made = house.make("full")
    assert state_of(house.settings, made.moment + timedelta(hours=25)).missing == []
    assert len(state_of(house.settings, made.moment + timedelta(hours=25, seconds=1)).missing) == 1
    assert len(state_of(house.settings, made.moment + timedelta(days=16, seconds=1)).missing) == 2
